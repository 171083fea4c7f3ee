"""Ray, with a line on standard error before its start, which takes seconds."""

import os
import sys
from contextlib import AbstractContextManager

from orchestrator.cluster.capacity import Node
from orchestrator.cluster.session import ray_session


def start_ray(address: str | None) -> AbstractContextManager[list[Node]]:
    """Say on standard error what is started or connected to, and return the session; within another, that one."""
    ray = sys.modules.get("ray")  # Imported late: it takes seconds.
    if ray is not None and ray.is_initialized():
        return ray_session(address)
    address = address or os.environ.get("RAY_ADDRESS")
    line = f"connecting to Ray at {address} ..." if address else "starting Ray on this machine (5 to 30 seconds) ..."
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    return ray_session(address)
