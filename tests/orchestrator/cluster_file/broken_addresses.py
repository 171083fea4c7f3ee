"""Ways to break what leads from node to node: MLflow's address and server, the head's address, open ports."""

from tests.orchestrator.cluster_file.editing import Edit, add, both, drop_command, put, swap

PROFILE, HEAD_START, WORKER_START = "setup_commands", "head_start_ray_commands", "worker_start_ray_commands"
AT_WORKER = f"{WORKER_START}[1]"
TRACKED = "MLFLOW_TRACKING_URI={} ray start --address"
SERVE = "campaign tracking serve"


def range_of(*cidrs: str, kind: str = "CidrIp") -> Edit:
    """Open all ports to ranges of addresses."""
    ranges = {"CidrIp": "IpRanges", "CidrIpv6": "Ipv6Ranges"}[kind]
    rule = {"FromPort": 0, "ToPort": 65535, "IpProtocol": "tcp", ranges: [{kind: cidr} for cidr in cidrs]}
    return put("provider/security_group/IpPermissions", [rule])


def tracked_by_worker(uri: str) -> Edit:
    return swap(WORKER_START, "ray start --address", TRACKED.format(uri))


def tracked(uri: str) -> Edit:
    return swap(PROFILE, "http://$head:5000", uri)


BROKEN_ADDRESSES: list[tuple[str, Edit, str, str]] = [
    ("tracking", tracked_by_worker("sqlite:////x.db"), WORKER_START, "x.db on gpu_worker, of kind sqlite: several"),
    ("tracking", tracked_by_worker("http://127.0.0.1:5000"), WORKER_START, "on a worker that is the worker itself"),
    ("tracking", tracked_by_worker("http://$(hostname -I):5000"), WORKER_START, "that is the worker itself"),
    ("tracking", tracked_by_worker("http://10.9.9.9:5000"), WORKER_START, "and http://$head:5000 on the head: all nod"),
    ("tracking", tracked_by_worker("http://$RAY_HEAD_IP:5001"), WORKER_START, "and http://$head:5000 on the head: all"),
    ("tracking", tracked("http://127.1.2.3:5000"), "", "on a worker that is the worker itself"),
    ("tracking", tracked("http://LOCALHOST:5000"), "", "on a worker that is the worker itself"),
    ("tracking", tracked("http://[::1]:5000"), "", "on a worker that is the worker itself"),
    ("tracking", tracked("http://$(hostname -I | cut -d' ' -f1):5000"), WORKER_START, "is the worker itself"),
    ("tracking", tracked("http://$haed:5000"), "", "where nothing sets $haed; MLFLOW_TRACKING_URI=http://HEAD:5000"),
    ("tracking", tracked("http://$RAY_HEAD_IP:5000"), HEAD_START, "on head, where nothing sets $RAY_HEAD_IP"),
    ("tracking", tracked("http://${RAY_HEAD_IP:-127.0.0.1}:5000"), HEAD_START, "on a worker that is the worker itself"),
    ("mlflow_server", tracked("http://$head"), f"{HEAD_START}[2]", "nodes look for MLflow at port 80; make them agree"),
    (
        "mlflow_server",
        drop_command(HEAD_START, SERVE),
        HEAD_START,
        "found no MLflow server, and MLFLOW_TRACKING_URI=",
    ),
    ("mlflow_server", swap(HEAD_START, "--host 0.0.0.0", "--host 127.0.1.1"), "", "where only the head reaches MLflow"),
    ("start", swap(HEAD_START, "ray start --head", "ray start"), f"{HEAD_START}[1]", "found no --head"),
    ("start", swap(WORKER_START, "ray start", "ray start --head"), AT_WORKER, "a cluster of its own; remove it"),
    ("start", swap(HEAD_START, "--port=6379", "--port=6380"), AT_WORKER, "and the head listens at port 6380"),
    ("start", swap(WORKER_START, "IP:6379", "IP:6380"), AT_WORKER, "found --address=$RAY_HEAD_IP:6380, and the head l"),
    (
        "start",
        swap(WORKER_START, "$RAY_HEAD_IP", "$RAY_HEAD"),
        AT_WORKER,
        "found --address=$RAY_HEAD:6379, which is",
    ),
    (
        "start",
        swap(WORKER_START, "$RAY_HEAD_IP", "127.0.0.1"),
        AT_WORKER,
        "which is not the head; --address=$RAY_HEAD",
    ),
    ("start", swap(WORKER_START, "$RAY_HEAD_IP:6379", "$RAY_HEAD_IP"), AT_WORKER, "without the head's port 6379"),
    ("ports", range_of("0.0.0.0/1", "128.0.0.0/1"), "", "to the world, to 0.0.0.0/1 and 128.0.0.0/1; remove it"),
    ("ports", range_of("::/0", kind="CidrIpv6"), "", "opens ports 0 to 65535 to the world, to ::/0"),
    ("ports", range_of("2000::/3", kind="CidrIpv6"), "", "opens ports 0 to 65535 to the world, to 2000::/3"),
]

RIGHT_ADDRESSES: list[Edit] = [
    range_of("10.0.0.0/8", "172.31.0.0/16"),
    tracked("http://${head}:5000"),
    tracked("http://${RAY_HEAD_IP:-$(hostname -I | cut -d' ' -f1)}:5000"),
    tracked_by_worker("http://$RAY_HEAD_IP:5000"),
    both(tracked("https://mlflow.example.com"), drop_command(HEAD_START, SERVE)),
    both(drop_command(HEAD_START, SERVE), add(HEAD_START, "sudo systemctl restart mlflow")),
    both(swap(HEAD_START, "6379", "6380"), swap(WORKER_START, "6379", "6380")),
    swap(HEAD_START, "--port=6379", ""),
    swap(WORKER_START, "$RAY_HEAD_IP:6379", "'${RAY_HEAD_IP}:6379'"),
    swap(HEAD_START, "--host 0.0.0.0", "--host ::"),
    swap(
        HEAD_START,
        "--backend-store-uri 'postgresql:///mlflow?host=/var/run/postgresql'",
        "--backend-store-uri $(cat ~/.mlflow_store)",
    ),
    both(
        swap(HEAD_START, "--backend-store-uri 'postgresql:///mlflow?host=/var/run/postgresql'", ""),
        swap(
            HEAD_START, "--collect", "--setenv=MLFLOW_BACKEND_STORE_URI=postgresql:///mlflow?host=/var/run/postgresql"
        ),
    ),
    both(
        swap(HEAD_START, "--backend-store-uri 'postgresql:///mlflow?host=/var/run/postgresql'", ""),
        swap(HEAD_START, "--collect", "--property=EnvironmentFile=/etc/mlflow.env"),
    ),
]
"""Edits of the shipped file in which there is nothing to find."""
