"""Ways to break what commands leave on a node: profiles, mounts, installed packages; and secrets in them."""

from typing import Any

from tests.orchestrator.cluster_file.editing import Edit, Tree, add, both, drop, put, swap

INIT, PROFILE, HEAD_START = "initialization_commands", "setup_commands", "head_start_ray_commands"
MOUNT = "sudo mkdir -p /shared && (mountpoint -q /shared || sudo mount /shared)"
INSTALL = "~/venv/bin/pip install --quiet --constraint ~/campaign/constraints.txt ~/campaign"
TOKEN, STORAGE = "export RAY_AUTH_MODE=token", "export CAMPAIGN_STORAGE=/shared/campaign"
DOCKER = {"image": "rayproject/ray:2.60.0-py312-gpu", "container_name": "ray", "run_options": ["-v /shared:/shared"]}


def mounted_by(command: str) -> Edit:
    """Mount the storage by `command`, and not from /etc/fstab."""

    def edit(tree: Tree) -> None:
        kept = [text for text in tree[INIT] if "mount" not in text and "fstab" not in text]
        assert len(kept) == len(tree[INIT]) - 2
        tree[INIT] = [*kept[:1], command, *kept[1:]]

    return edit


def in_docker(**settings: Any) -> Edit:
    return put("docker", {**DOCKER, **settings})


BROKEN_COMMANDS: list[tuple[str, Edit, str, str]] = [
    ("auth", swap(PROFILE, TOKEN, f"# {TOKEN}"), "", "found RAY_AUTH_MODE= where Ray starts on head"),
    ("auth", swap(PROFILE, TOKEN, "RAY_AUTH_MODE=token"), "", "found RAY_AUTH_MODE= where Ray starts on gpu_worker"),
    ("auth", swap(PROFILE, TOKEN, f"{TOKEN}\nunset RAY_AUTH_MODE"), "", "found RAY_AUTH_MODE= where Ray starts on hea"),
    ("auth", swap(HEAD_START, "ray start", "unset RAY_AUTH_MODE; ray start"), HEAD_START, "where Ray starts on head"),
    ("auth", add(PROFILE, "echo unset RAY_AUTH_MODE >> ~/.bashrc"), "", "found RAY_AUTH_MODE= where Ray starts on"),
    ("storage", swap(PROFILE, STORAGE, f"#{STORAGE}"), "", "found no CAMPAIGN_STORAGE on head; export it"),
    ("storage", swap(INIT, "echo 'fs-", "echo '# fs-"), INIT, "found no shared file system on head; mount one"),
    ("storage", swap(INIT, MOUNT, f"sudo mkdir -p /shared # {MOUNT}"), INIT, "found no shared file system on gpu_work"),
    ("storage", mounted_by("# sudo mount -t nfs4 fs:/ /shared"), INIT, "found no shared file system on head"),
    ("storage", in_docker(run_options=["-v /shared:/data"]), "", "does not lie on what all nodes share: /data"),
    ("region", put("provider/region", "eu-west-1"), f"{INIT}[1]", "found a file system of us-west-2, and provider.reg"),
    (
        "project",
        drop("file_mounts/~|campaign|orchestrator"),
        "file_mounts",
        "add ~/campaign/orchestrator: orch",
    ),
    (
        "project",
        drop("file_mounts/~|campaign|pyproject.toml"),
        "file_mounts",
        "found no ~/campaign/pyproject.toml, a",
    ),
    (
        "project",
        swap(PROFILE, "constraints.txt ~/campaign", "constraints.txt 'ray[default]'"),
        "worker_setup_commands",
        "found no installation of CAMpaign on gpu_worker; copy it with file_mounts, and pip install ~/campaign",
    ),
    ("project", swap(PROFILE, INSTALL, f"#{INSTALL}\n{INSTALL[:-11]} ray"), "", "found no installation of CAMpaign on"),
    (
        "ray_version",
        in_docker(image="rayproject/ray:latest-py312-gpu"),
        "docker",
        "found Ray latest for head, and",
    ),
    ("ray_version", in_docker(image="rayproject/ray"), "docker", "found Ray latest for gpu_worker, and here is"),
    (
        "secrets",
        add(PROFILE, 'export DB_PASSWORD="hunter2"'),
        f"{PROFILE}[4]",
        "found a value that names itself",
    ),
    (
        "secrets",
        add(PROFILE, "export DB_PASSWORD='hunter2'"),
        f"{PROFILE}[4]",
        "found a value that names itself",
    ),
    ("secrets", add(PROFILE, "psql --password hunter2"), f"{PROFILE}[4]", "found a value that names itself"),
    ("secrets", add(PROFILE, "# x --api-key=hunter2"), f"{PROFILE}[4]", "found a value that names itself"),
]

RIGHT_COMMANDS: list[Edit] = [
    swap(PROFILE, TOKEN, f"{TOKEN} # so that nobody else may run anything"),
    swap(PROFILE, TOKEN, "RAY_AUTH_MODE=token\nexport RAY_AUTH_MODE"),
    both(swap(PROFILE, TOKEN, ""), add(PROFILE, "echo RAY_AUTH_MODE=token | sudo tee -a /etc/environment")),
    both(swap(PROFILE, TOKEN, ""), add(PROFILE, 'echo "export RAY_AUTH_MODE=\\"token\\"" >> ~/.bashrc')),
    add(PROFILE, "unset RAY_AUTH_MODE"),
    add(PROFILE, "echo ${HOME#/home/} \"a # b\" 'it is #1' $#"),
    mounted_by("sudo mount.nfs4 fs:/ /shared"),
    mounted_by("sudo mount fs:/ /shared -t nfs4"),
    mounted_by('sudo mount -t nfs4 "$EFS:/" "/shared" 2> /dev/null'),
    mounted_by("sudo mount --types=nfs4 -o hard,_netdev fs:/ /shared/ || exit 1"),
    mounted_by("sudo mount -t nfs4 -o hard \\\n  fs:/ /shared"),
    swap(INIT, "sudo mount /shared", "sudo mount -a"),
    swap(INIT, "sudo mount /shared", "sudo systemctl restart remote-fs.target"),
    in_docker(run_options=["--mount type=bind,src=/shared,dst=/shared"]),
    in_docker(run_options=["--mount=type=bind,source=/shared,target=/shared,readonly=false"]),
    in_docker(run_options=["--volume", "/shared:/shared:rw"]),
    add(PROFILE, "export DB_PASSWORD=\"$(cat ~/.password)\" OTHER_TOKEN='' RAY_AUTH_TOKEN_PATH=/etc/token"),
    add(PROFILE, "createuser --no-password mlflow; gcloud secrets versions access latest --secret=mlflow"),
]
"""Edits of the shipped file in which there is nothing to find."""
