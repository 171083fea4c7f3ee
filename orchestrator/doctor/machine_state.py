"""Checks of this machine: libraries, GPUs, cores, memory, disk."""

import fcntl
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from orchestrator.cluster.connection import first_line

Status = Literal["ok", "warning", "error"]
LIBRARIES = ("ray", "torch", "torchvision", "mlflow", "optuna")
MIN_PYTHON = (3, 11)
GIB = 2**30
MIN_SHM_GIB = 1.0
MIN_DISK_GIB = 1.0
LOW_DISK_GIB = 20.0
SHM = Path("/dev/shm")
QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class State:
    """The result of one check, and what to do about it."""

    name: str
    status: Status
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.status:<8}{self.name:<12}{self.found}" + (f"; {self.advice}" if self.advice else "")


def python() -> Iterator[State]:
    version = f"{platform.python_version()} in {sys.prefix}"
    if sys.version_info < MIN_PYTHON:
        yield State("python", "error", version, "CAMpaign needs Python 3.11 or newer: make setup PYTHON=python3.12")
    else:
        yield State("python", "ok", version)


def libraries() -> Iterator[State]:
    """Compare the installed versions with those that the package requires."""
    needs = _requirements()
    for name in LIBRARIES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield State(name, "error", "not installed", "make setup installs it")
            continue
        need = needs.get(name)
        if need and not need.specifier.contains(version, prereleases=True):
            yield State(name, "error", version, f"CAMpaign needs {name}{need.specifier}: make setup")
        else:
            yield State(name, "ok", version)


def _requirements() -> dict[str, Requirement]:
    """Return what the package requires; nothing where it runs from its folder without being installed."""
    try:
        texts = importlib.metadata.requires("campaign") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    return {need.name: need for need in map(Requirement, texts)}


def operators() -> Iterator[State]:
    """Run an operator of torchvision that is compiled against torch: it fails where their versions do not match."""
    try:
        import torch
        import torchvision

        torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        advice = "install torch and torchvision from one index, at the versions of constraints.txt: make setup"
        yield State("operators", "error", f"torchvision.ops.nms: {first_line(error)}", advice)
    else:
        yield State("operators", "ok", "torch and torchvision match")


def gpus() -> Iterator[State]:
    """List the GPUs that torch can use, and whether they have bf16."""
    try:
        import torch
    except (ImportError, OSError):
        return  # `operators` reports it.
    number = torch.cuda.device_count()
    if not number and shutil.which("nvidia-smi"):
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        advice = "install a newer driver, or torch for the CUDA that nvidia-smi shows"
        yield State("gpus", "warning", f"none that torch, {built}, can use with the installed NVIDIA driver", advice)
    elif not number:
        yield State("gpus", "ok", "none; training runs on CPUs")
    for index in range(number):
        properties = torch.cuda.get_device_properties(index)
        bf16 = properties.major >= 8
        found = f"{properties.name}, {properties.total_memory / GIB:.0f} GiB, {'bf16' if bf16 else 'no bf16'}"
        yield State(f"gpu {index}", "ok" if bf16 else "warning", found, "" if bf16 else "keep training.precision=fp32")


def cores() -> Iterator[State]:
    """Compare the number of torch threads with the cores that this process may use."""
    usable, quota = len(os.sched_getaffinity(0)), _quota()
    limit = min(usable, quota) if quota else float(usable)
    threads = _threads()
    found = f"{limit:g} of {os.cpu_count()} cores; torch threads: {threads}"
    if threads > limit + 0.5:
        advice = f"more threads than cores slow each other down: export OMP_NUM_THREADS={max(1, int(limit))}"
        yield State("cores", "warning", found, advice)
    else:
        yield State("cores", "ok", found)


def _threads() -> int:
    try:
        import torch
    except (ImportError, OSError):
        return int(os.environ.get("OMP_NUM_THREADS", "1"))
    return int(torch.get_num_threads())


def _quota() -> float | None:
    """Return the cores that the container may use at a time, or None without a limit."""
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def shared_memory() -> Iterator[State]:
    try:
        size = shutil.disk_usage(SHM).total / GIB
    except OSError as error:
        yield State("/dev/shm", "warning", first_line(error), "Ray then keeps its objects on disk, which is slow")
        return
    if size < MIN_SHM_GIB:
        advice = f"data loaders crash when it is full: docker run --shm-size={MIN_SHM_GIB:g}g or more"
        yield State("/dev/shm", "warning", f"{size:.2f} GiB", advice)
    else:
        yield State("/dev/shm", "ok", f"{size:.1f} GiB")


def storage(folder: Path) -> Iterator[State]:
    """Write, rename and lock a file on the disk of the storage folder, remove it, and measure the free space."""
    path = folder.expanduser().absolute()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    try:
        free = shutil.disk_usage(existing).free / GIB
        _use_files(existing)
    except OSError as error:
        advice = "choose a folder in which files can be written, renamed and locked: --storage"
        yield State("storage", "error", f"{path}: {error.strerror or error}", advice)
        return
    found = f"{path}: writing, renaming and locking work; {free:.0f} GiB free"
    if free < MIN_DISK_GIB:
        yield State("storage", "error", found, "free some space, or choose another folder: --storage")
    elif free < LOW_DISK_GIB:
        yield State("storage", "warning", found, "the checkpoints of a large network soon fill it")
    else:
        yield State("storage", "ok", found)


def _use_files(folder: Path) -> None:
    """Write, rename and lock files in a temporary folder, as trials do; OSError where it does not work."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as name:
        written, renamed = Path(name) / "new", Path(name) / "file"
        renamed.write_bytes(b"old")
        written.write_bytes(b"new")
        written.replace(renamed)
        if renamed.read_bytes() != b"new":
            raise OSError("a file that replaced another still has the old content")
        with renamed.open() as first, renamed.open() as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        raise OSError("two processes can lock the same file: mount it with locks, such as NFS 4 without nolock")


def data_root(root: Path) -> Iterator[State]:
    """Read a byte of the first file in the folder or below."""
    folder = root.expanduser()
    advice = "give the folder of data.root; this user must be able to read it"
    try:
        first = _first_file(folder)
        with first.open("rb") as file:
            file.read(1)
    except OSError as error:
        yield State("data", "error", f"{folder}: {error.strerror or error}", advice)
    else:
        yield State("data", "ok", f"{folder}: {first.relative_to(folder)} can be read")


def _first_file(folder: Path) -> Path:
    list(folder.iterdir())  # It raises where a folder cannot be read; rglob finds nothing then.
    for path in folder.rglob("*"):
        if path.is_file():
            return path
    raise OSError("contains no file")
