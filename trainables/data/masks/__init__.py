"""What the masks of a data set mean, however their files are encoded."""
