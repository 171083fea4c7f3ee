"""Ways to break a cluster file: the rule that finds it, the edit, the field it names, and words of its message."""

from tests.orchestrator.cluster_file.editing import Edit, both, drop, put, swap

Broken = tuple[str, Edit, str, str]

HEAD, WORKER = "available_node_types/head", "available_node_types/gpu_worker"
GPU_WORKER = "available_node_types.gpu_worker"
PROFILE, INIT, HEAD_START = "setup_commands", "initialization_commands", "head_start_ray_commands"
DOCKER = {"image": "lab/campaign:1", "container_name": "ray", "run_options": ["-v /shared:/data"]}

BROKEN_STRUCTURE: list[Broken] = [
    ("provider", drop("provider"), "provider", "found nothing; valid providers: aws, gcp, local"),
    ("provider", put("provider/type", ["aws"]), "provider.type", "found ['aws']; valid providers: aws, gcp, local"),
    ("provider", drop("provider/region"), "provider.region", "found nothing; provider aws needs it"),
    ("name", drop("cluster_name"), "cluster_name", "found nothing; give it a name such as campaign"),
    ("name", put("cluster_name", "default"), "cluster_name", "found 'default'; give it a name"),
    ("node_types", drop("available_node_types"), "available_node_types", "Ray's two default types have no GPUs"),
    ("ray", put("cluster_name", 7), "cluster_name", "Ray refuses it: 7 is not of type 'string'"),
    ("ray", put("max_worker", 8), "", "'max_worker' was unexpected); valid keys: auth, available_node_types"),
    ("ray", put(f"{WORKER}/spot", True), GPU_WORKER, "'spot' was unexpected); valid keys: do"),
    ("ray", put("head_node_type", "boss"), "", "`head_node_type` must be one of `available_node_types`"),
    ("ray", drop(f"{WORKER}/resources"), GPU_WORKER, "'resources' is a required property"),
    ("ray", put(f"{WORKER}/min_workers", 9), "", "is smaller than the sum of `min_workers`"),
]

BROKEN: list[Broken] = [
    ("auth", swap(PROFILE, "RAY_AUTH_MODE=token", "X=1"), PROFILE, "found no RAY_AUTH_MODE for gpu_worker; export"),
    (
        "auth",
        swap("worker_start_ray_commands", "ray start", "RAY_AUTH_MODE=disabled ray start"),
        PROFILE,
        "found RAY_AUTH_MODE=disabled and RAY_AUTH_MODE=token for gpu_worker; export RAY_AUTH_MODE=token",
    ),
    ("auth", drop("file_mounts/~|.ray|auth_token"), "file_mounts", "found no token for the nodes; add ~/.ray/auth_t"),
    ("file_mounts", put("file_mounts/data", "trainables"), "file_mounts.data", "must be absolute, or start with ~"),
    ("file_mounts", put("file_mounts/~more", "no_such_folder"), "file_mounts.~more", "which does not exist in /"),
    ("head", put(f"{HEAD}/resources/CPU", 8), "available_node_types.head.resources.CPU", "found 8; set 0 to keep"),
    ("head", put(f"{HEAD}/resources/GPU", 1), "available_node_types.head.resources.GPU", "found 1; remove it"),
    ("head", drop(f"{HEAD}/resources/driver"), "available_node_types.head.resources.driver", "found nothing; set 1"),
    (
        "spot",
        put(f"{HEAD}/node_config/InstanceMarketOptions", {"MarketType": "spot"}),
        "available_node_types.head.node_config.InstanceMarketOptions",
        "only workers may be spot machines",
    ),
    ("ssh_key", put("auth/ssh_private_key", "~/no_such_key.pem"), "auth.ssh_private_key", "which does not exist"),
    (
        "ssh_key",
        put("auth/ssh_private_key", "pyproject.toml"),
        f"{GPU_WORKER}.node_config.KeyName",
        "found nothing; give the name that AWS has for auth.ssh_private_key",
    ),
    ("storage", swap(PROFILE, "CAMPAIGN_STORAGE", "X"), PROFILE, "found no CAMPAIGN_STORAGE for head; export CAMP"),
    (
        "storage",
        swap(HEAD_START, "ray start", "CAMPAIGN_STORAGE=/scratch ray start"),
        PROFILE,
        "found CAMPAIGN_STORAGE=/scratch and /shared/campaign; all nodes need the same folder",
    ),
    (
        "storage",
        swap(PROFILE, "=/shared/campaign", "=/home/ubuntu/campaign"),
        INIT,
        "found nothing for gpu_worker that mounts CAMPAIGN_STORAGE=/home/ubuntu/campaign or a folder above it; mount a",
    ),
    ("storage", put(f"{WORKER}/initialization_commands", ["true"]), INIT, "found nothing for gpu_worker that mounts"),
    ("storage", put("docker", DOCKER), "docker.run_options", "or a folder above it; add -v /FOLDER:/FOLDER"),
    ("workers", drop("max_workers"), "max_workers", "found nothing, and Ray's default is 2"),
    ("workers", put(f"{WORKER}/max_workers", 0), "max_workers", "found 8, and no worker may be started; raise it"),
    ("workers", put(f"{WORKER}/max_workers", 16), f"{GPU_WORKER}.max_workers", "found 16, above max_workers = 8 of"),
    (
        "workers",
        both(put(f"{WORKER}/min_workers", 5), put(f"{WORKER}/max_workers", 4)),
        f"{GPU_WORKER}.min_workers",
        "found 5, which is above its max_workers = 4",
    ),
    ("workers", put(f"{HEAD}/max_workers", 2), "available_node_types.head.max_workers", "no worker may have the head"),
]

BROKEN_ON_PREMISES: list[Broken] = [
    ("provider", put("provider/worker_ips", []), "provider.worker_ips", "found []; provider local needs it"),
    ("machines", put("provider/worker_ips", "10.0.0.11"), "provider.worker_ips", "expected a list of addresses"),
    ("machines", put("provider/worker_ips", ["10.0.0.10"]), "provider.worker_ips", "without the head's"),
    ("machines", put("available_node_types", {"a": {}}), "available_node_types", "provider local has no node types"),
    ("storage", put(INIT, []), INIT, "found nothing for worker that mounts CAMPAIGN_STORAGE=/shared/campaign"),
]

SAME: list[Edit] = [
    swap(PROFILE, "export RAY_AUTH_MODE=token", "export RAY_AUTH_MODE='token'"),
    swap(PROFILE, "CAMPAIGN_STORAGE=/shared/campaign", 'CAMPAIGN_STORAGE="/shared/campaign"'),
    swap(INIT, "sudo mount /shared", "sudo mount -a"),
    put("docker", {**DOCKER, "run_options": ["-v /mnt/efs:/shared:rw"]}),
    put("docker", {**DOCKER, "run_options": ["--mount type=bind,src=/shared,dst=/shared"]}),
    put(f"{WORKER}/initialization_commands", ["sudo mount -t nfs4 10.0.0.2:/export /shared"]),
]
"""Edits of the shipped file in which there is nothing to find."""
