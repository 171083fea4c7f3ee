"""A command as a job on a cluster, checked before it is submitted."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator.cluster.environment import variable
from orchestrator.cluster.jobs import JobOrder
from orchestrator.cluster.kuberay import KubePods, ray_job
from orchestrator.cluster.session import ENVIRONMENT
from trainables.config import ConfigError

STORAGE = "CAMPAIGN_STORAGE"
NOT_FOR_JOBS = ("submit", "tracking", "ui")


def check_command(
    root: Any, command: Sequence[str], environment: Mapping[str, str], working_dir: Path | None
) -> tuple[tuple[str, ...], Path | None]:
    """Check a job's command as far as this machine can; return its words after `campaign`, and its storage folder.

    The folder is None where neither the command nor `environment` names it: the cluster's CAMPAIGN_STORAGE then counts.

    Args:
        root: The command of `campaign` itself, as typer builds it.

    Raises:
        ConfigError: The command or the working directory does not exist, the storage folder is relative, or a file is
            only on this machine.
        typer's UsageError: The command's options are wrong.
    """
    if working_dir and not working_dir.is_dir():
        raise ConfigError(
            f"--working-dir {working_dir} is no folder of this machine; give the folder to copy to the cluster"
        )
    words = tuple(command[1:] if command[0] == "campaign" else command)
    path, rest, chosen = ["campaign"], [word for word in words if word not in ("-v", "--verbose")], root
    while isinstance(valid := getattr(chosen, "commands", None), dict):
        name = rest.pop(0) if rest else ""
        if name not in valid or name in NOT_FOR_JOBS:
            names = ", ".join(sorted(set(valid) - set(NOT_FOR_JOBS)))
            raise ConfigError(f"-- {' '.join(command)}: {name!r} is no command for a job; valid names: {names}")
        path.append(name)
        chosen = valid[name]
    with variable(STORAGE, environment.get(STORAGE)):  # Not the variable of this machine.
        context = chosen.make_context(" ".join(path), list(rest))
    _check_files(rest, working_dir)
    if "storage" not in context.params:
        return words, None
    source = context.get_parameter_source("storage")
    named = source is not None and source.name != "DEFAULT"
    if named or working_dir:  # Each job has its own working directory, which Ray removes.
        _check_storage(context.params["storage"])
    return words, context.params["storage"] if named else None


def _check_storage(storage: Path) -> None:
    if not storage.is_absolute():
        raise ConfigError(
            f"--storage {storage} is relative, and the job has another working directory: give the command an absolute "
            "--storage, or --env CAMPAIGN_STORAGE=FOLDER, on a shared file system"
        )


def _check_files(words: Sequence[str], working_dir: Path | None) -> None:
    """Check that files with a relative path exist where the command runs."""
    for word in (word.rpartition("=")[2] for word in words):  # --scale=FILE and --set FIELD=FILE too
        if Path(word).is_absolute() or not word.endswith((".py", ".yaml", ".yml")):
            continue
        if word.endswith(".py"):
            raise ConfigError(
                f"{word}: resuming a sweep reads the space's file; copy it to the shared file system and give its "
                "absolute path"
            )
        if working_dir is None or not (working_dir / word).is_file():
            raise ConfigError(
                f"{word} is a file of this machine: copy its folder with --working-dir and give the path from there, "
                "or give an absolute path on the cluster"
            )


def job_environment(assignments: Sequence[str]) -> dict[str, str]:
    """Return the variables of `--env`; the job has these and the cluster's own."""
    passed = {}
    for assignment in assignments:
        name, is_given, value = assignment.partition("=")
        if not name or (not is_given and name not in os.environ):
            raise ConfigError(f"--env {assignment}: expected KEY=VALUE, or the KEY of a variable of this shell")
        if name in ENVIRONMENT:
            raise ConfigError(f"--env {assignment}: CAMpaign sets {name} itself")
        passed[name] = value if is_given else os.environ[name]
    return passed


def job_of(
    root: Any, command: Sequence[str], env: Sequence[str], working_dir: Path | None
) -> tuple[JobOrder, Path | None]:
    """Return the checked job of a command, and the storage folder that it names; the errors are `check_command`'s."""
    environment, folder = job_environment(env), working_dir and working_dir.expanduser().absolute()
    words, storage = check_command(root, command, environment, folder)
    return JobOrder(words, environment, folder), storage


@dataclass(frozen=True, slots=True)
class PodOptions:
    """The options that go with `--kuberay`; None where one is not given."""

    image: str | None
    claim: str | None
    pods: int | None
    gpus: int | None

    def ray_job(self, order: JobOrder, storage: Path | None) -> str:
        """Return the YAML of the RayJob; ConfigError where it lacks an image or a storage folder."""
        if order.working_dir:
            raise ConfigError("--working-dir has no effect with --kuberay: the code is in the image")
        if not self.image:
            raise ConfigError("--kuberay needs --image, a container image with CAMpaign and Ray")
        if storage is None:
            raise ConfigError(
                "--kuberay mounts the volume at the storage folder: give the command an absolute --storage, or "
                "--env CAMPAIGN_STORAGE=FOLDER"
            )
        gpus = 1 if self.gpus is None else self.gpus
        pods = KubePods(self.image, self.claim or "campaign", workers=self.pods or 2, gpus=gpus)
        return ray_job(order, pods, storage=PurePosixPath(storage), ray_version=version("ray"))


def check_options(
    command: Sequence[str], job_ids: Mapping[str, str | None], pods: PodOptions, given: Mapping[str, bool]
) -> None:
    """Check that the options of `campaign submit` go together; ConfigError names those that do not.

    Args:
        job_ids: Option that names a job -> the job's id.
        given: Option that goes with a command -> whether it is given.
    """
    chosen = [option for option, job_id in job_ids.items() if job_id]
    if len(chosen) + bool(command) != 1:
        raise ConfigError(
            "campaign submit needs one of -- COMMAND, --status ID, --logs ID and --stop ID; "
            f"found {' and '.join(chosen + ['-- COMMAND'] * bool(command)) or 'none'}"
        )
    if given["--kuberay"] and given["--detach"]:
        raise ConfigError("--detach has no effect with --kuberay, which submits nothing")
    if chosen and any(given.values()):
        raise ConfigError(
            f"--working-dir, --env, --detach and --kuberay need a command, and have no effect with {chosen[0]}"
        )
    if not given["--kuberay"] and pods != PodOptions(None, None, None, None):
        raise ConfigError("--image, --claim, --pods and --pod-gpus have no effect without --kuberay")
