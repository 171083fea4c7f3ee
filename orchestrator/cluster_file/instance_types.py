"""What machines of the clouds hold, as far as we know them: a type that is not here is not checked."""

from collections.abc import Mapping
from typing import NamedTuple

NO_BF16 = ("T4", "V100")
"""GPUs older than Ampere, whose tensor cores do not compute in bfloat16."""


class Machine(NamedTuple):
    """The virtual CPUs and GPUs of a machine."""

    cpus: int
    gpus: int
    gpu: str


# Sources: the instance type pages of Amazon EC2 and the machine type pages of Compute Engine.
MACHINES: Mapping[str, Machine] = {
    "g4dn.xlarge": Machine(4, 1, "T4"),
    "g4dn.2xlarge": Machine(8, 1, "T4"),
    "g4dn.4xlarge": Machine(16, 1, "T4"),
    "g4dn.8xlarge": Machine(32, 1, "T4"),
    "g4dn.12xlarge": Machine(48, 4, "T4"),
    "g4dn.16xlarge": Machine(64, 1, "T4"),
    "g5.xlarge": Machine(4, 1, "A10G"),
    "g5.2xlarge": Machine(8, 1, "A10G"),
    "g5.4xlarge": Machine(16, 1, "A10G"),
    "g5.8xlarge": Machine(32, 1, "A10G"),
    "g5.12xlarge": Machine(48, 4, "A10G"),
    "g5.16xlarge": Machine(64, 1, "A10G"),
    "g5.24xlarge": Machine(96, 4, "A10G"),
    "g5.48xlarge": Machine(192, 8, "A10G"),
    "g6.xlarge": Machine(4, 1, "L4"),
    "g6.2xlarge": Machine(8, 1, "L4"),
    "g6.4xlarge": Machine(16, 1, "L4"),
    "g6.8xlarge": Machine(32, 1, "L4"),
    "g6.12xlarge": Machine(48, 4, "L4"),
    "g6.16xlarge": Machine(64, 1, "L4"),
    "g6.24xlarge": Machine(96, 4, "L4"),
    "g6.48xlarge": Machine(192, 8, "L4"),
    "g6e.xlarge": Machine(4, 1, "L40S"),
    "g6e.2xlarge": Machine(8, 1, "L40S"),
    "g6e.4xlarge": Machine(16, 1, "L40S"),
    "g6e.8xlarge": Machine(32, 1, "L40S"),
    "g6e.12xlarge": Machine(48, 4, "L40S"),
    "g6e.16xlarge": Machine(64, 1, "L40S"),
    "g6e.24xlarge": Machine(96, 4, "L40S"),
    "g6e.48xlarge": Machine(192, 8, "L40S"),
    "p3.2xlarge": Machine(8, 1, "V100"),
    "p3.8xlarge": Machine(32, 4, "V100"),
    "p3.16xlarge": Machine(64, 8, "V100"),
    "p4d.24xlarge": Machine(96, 8, "A100"),
    "p4de.24xlarge": Machine(96, 8, "A100"),
    "p5.48xlarge": Machine(192, 8, "H100"),
    "m7i.large": Machine(2, 0, ""),
    "m7i.xlarge": Machine(4, 0, ""),
    "m7i.2xlarge": Machine(8, 0, ""),
    "m7i.4xlarge": Machine(16, 0, ""),
    "g2-standard-4": Machine(4, 1, "L4"),
    "g2-standard-8": Machine(8, 1, "L4"),
    "g2-standard-12": Machine(12, 1, "L4"),
    "g2-standard-16": Machine(16, 1, "L4"),
    "g2-standard-24": Machine(24, 2, "L4"),
    "g2-standard-32": Machine(32, 1, "L4"),
    "g2-standard-48": Machine(48, 4, "L4"),
    "g2-standard-96": Machine(96, 8, "L4"),
    "a2-highgpu-1g": Machine(12, 1, "A100"),
    "a2-highgpu-2g": Machine(24, 2, "A100"),
    "a2-highgpu-4g": Machine(48, 4, "A100"),
    "a2-highgpu-8g": Machine(96, 8, "A100"),
    "a3-highgpu-8g": Machine(208, 8, "H100"),
    "n2-standard-4": Machine(4, 0, ""),
    "n2-standard-8": Machine(8, 0, ""),
    "n2-standard-16": Machine(16, 0, ""),
}
