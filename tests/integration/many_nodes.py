"""A real Ray cluster of several nodes on this machine: a head that only drives, and small nodes that only train.

Run as a program it holds the cluster, obeys the lines of its standard input, and ends the cluster at their end; so no
test's process becomes part of Ray, and a killed test leaves no cluster behind.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CPUS_OF_A_NODE = 1
"""So that the two workers of a trial cannot lie on one node."""
START_WAIT_S = 300
"""A busy machine takes longer than Ray's 30 s to start a node."""
STOP_WAIT_S = 30
OBJECT_STORE = 80 * 1024 * 1024
HIDDEN = ("CAMPAIGN_STORAGE", "CAMPAIGN_TRACKING_URI", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class ManyNodes:
    """A cluster of a head and two nodes, each of which may be killed, drained, or joined by another."""

    process: "subprocess.Popen[str]"
    folder: Path
    """Ray's own, so that other Rays on this machine are not taken for this one."""
    address: str
    """Of Ray itself, for `--address` of commands that run here."""
    dashboard: str
    """Where jobs are submitted."""

    @classmethod
    def start(cls, log: Path, *, num_nodes: int = 2, **environment: str) -> "ManyNodes":
        """Start the cluster with `environment` added to its nodes'; what it says goes to `log`."""
        inherited = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        folder = Path(tempfile.mkdtemp(prefix="nodes-"))  # Short: the names of sockets in it may not exceed 107 bytes.
        waits = dict.fromkeys(("RAY_raylet_start_wait_time_s", "RAY_DASHBOARD_STARTUP_TIMEOUT_S"), str(START_WAIT_S))
        inherited |= {**waits, "RAY_TMPDIR": str(folder)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        with log.open("w", encoding="utf-8") as err:
            process = subprocess.Popen(
                [sys.executable, __file__, str(num_nodes)],
                env={**inherited, "PATH": path, "OMP_NUM_THREADS": "1", **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
                start_new_session=True,
            )
        starting = cls(process, folder, "", "")
        try:
            started = starting._answer()
        except AssertionError as error:
            starting.stop()
            raise AssertionError(f"the cluster did not start\n{log.read_text(encoding='utf-8')}") from error
        return cls(process, folder, started["address"], started["dashboard"])

    def nodes(self) -> list[str]:
        """Return the ids of the living nodes that train, the oldest first."""
        return list(self._ask("nodes"))

    def add(self) -> str:
        """Add a node and return its id."""
        return str(self._ask("add"))

    def kill(self, node_id: str) -> None:
        """Kill all processes of a node, as a lost machine would."""
        self._ask("kill", node_id)

    def drain(self, node_id: str, notice_s: float) -> None:
        """Give notice that a node will be taken away, as a provider of spot machines does."""
        self._ask("drain", node_id, str(notice_s))

    def stop(self) -> None:
        """End the cluster, and all its processes with it."""
        with self.process:  # Which closes its pipes and waits for its end.
            pass
        deadline = time.monotonic() + STOP_WAIT_S
        while self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=time.monotonic() < deadline)  # Ray's last processes still write.
            time.sleep(0.1)

    def _ask(self, *words: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # Ray prints too.
                return json.loads(line)["answer"]
        raise AssertionError("the cluster has ended")


class Held:
    """The cluster, in the process that holds it."""

    def __init__(self, num_nodes: int) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "wait": False,
                "num_cpus": 0,
                "resources": {"driver": 1},
                "include_dashboard": True,
                "dashboard_host": "127.0.0.1",
                "dashboard_port": free_port(),
                "dashboard_agent_listen_port": free_port(),
                "object_store_memory": OBJECT_STORE,
            },
        )
        self._cluster.wait_for_nodes(START_WAIT_S)
        self._nodes: dict[str, Any] = {}
        for _ in range(num_nodes):
            self.add()

    def where(self) -> dict[str, str]:
        return {"address": self._cluster.address, "dashboard": f"http://{self._cluster.webui_url}"}

    def nodes(self) -> list[str]:
        return list(self._nodes)

    def add(self) -> str:
        node = self._cluster.add_node(wait=False, num_cpus=CPUS_OF_A_NODE, object_store_memory=OBJECT_STORE)
        self._cluster.wait_for_nodes(START_WAIT_S)
        self._nodes[node.node_id] = node
        return str(node.node_id)

    def kill(self, node_id: str) -> None:
        self._cluster.remove_node(self._nodes.pop(node_id), allow_graceful=False)

    def drain(self, node_id: str, notice_s: str) -> bool:
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + float(notice_s)) * 1000)
        accepted, why = GcsClient(address=self._cluster.address).drain_node(node_id, reason, "spot", deadline_ms)
        assert accepted, why
        return bool(accepted)

    def shutdown(self) -> None:
        self._cluster.shutdown()


def main() -> None:
    held = Held(int(sys.argv[1]))
    try:
        answer(held.where())
        for line in sys.stdin:
            verb, *words = line.split()
            answer(getattr(held, verb)(*words))
    finally:
        held.shutdown()


def answer(value: Any) -> None:
    sys.stdout.write(json.dumps({"answer": value}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
