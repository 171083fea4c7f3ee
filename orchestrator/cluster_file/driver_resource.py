"""The custom Ray resource that keeps the drivers of trials on the head."""

DRIVER = "driver"
"""Its name; a Ray that CAMpaign starts on one machine has it too."""
DRIVER_SHARE = 0.01
"""What one driver takes: so little that drivers never crowd out Ray Train workers."""
