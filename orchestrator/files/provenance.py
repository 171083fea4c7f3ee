"""By what code, on what machine and by what command a run was made."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.files.passwords import without_passwords
from trainables.json_file import read_object, read_text, write_json, write_text

CREATED = "campaign.created"
EXPERIMENT = "campaign.experiment"
CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("campaign", "ray", "torch", "torchvision", "optuna", "mlflow")
MAX_DIFF_BYTES = 200_000
GIT_TIMEOUT_S = 10


@dataclass(frozen=True)
class Provenance:
    """Tags for every run of a command, and the uncommitted changes for its parent run, or its only one."""

    tags: dict[str, str] = field(default_factory=dict)
    diff: str = ""

    @property
    def created(self) -> str | None:
        """When the folder was made that holds the provenance; None if no folder holds it."""
        return self.tags.get(CREATED)

    @property
    def experiment(self) -> str | None:
        """The MLflow experiment of a run of `campaign train`; None for sweeps and runs of earlier versions."""
        return self.tags.get(EXPERIMENT)


def record_provenance(folder: Path, experiment: str | None = None) -> Provenance:
    """Return the provenance of the command that made the folder of a sweep or a run.

    The first call writes what describes this process to `provenance.json` and `provenance.diff`; later ones read it.

    Args:
        experiment: The MLflow experiment of a run, which no other file names.

    Raises:
        BrokenFileError: `provenance.json` is malformed.
    """
    if not _tags_path(folder).exists():
        found = collect_provenance()
        known = {CREATED: datetime.now(UTC).isoformat()} | ({EXPERIMENT: experiment} if experiment else {})
        _write(folder, Provenance({**found.tags, **known}, found.diff))
    return read_provenance(folder)


def read_provenance(folder: Path) -> Provenance:
    """Return what `record_provenance` wrote to the folder; an empty provenance if it was never called."""
    diff = folder / "provenance.diff"
    tags = {name: str(value) for name, value in read_object(_tags_path(folder)).items()}
    return Provenance(tags, read_text(diff) if diff.exists() else "")


def _tags_path(folder: Path) -> Path:
    return folder / "provenance.json"


def _write(folder: Path, provenance: Provenance) -> None:
    if provenance.diff:
        write_text(folder / "provenance.diff", provenance.diff)
    write_json(_tags_path(folder), provenance.tags)


def collect_provenance(*, checkout: Path = CHECKOUT) -> Provenance:
    """Describe this process.

    Git is asked only if `checkout` is itself a work tree, so that an installed package in someone's repository
    does not report that repository. GPUs are named only if torch is imported already.
    """
    commit, diff = _git_state(checkout)
    command = without_passwords(shlex.join(sys.argv))
    versions = {f"campaign.version.{name}": version for name, version in _versions().items()}
    tags = {"campaign.command": command, **versions, **_hardware()}
    if commit:
        tags |= {"mlflow.source.git.commit": commit, "campaign.git_dirty": str(bool(diff)).lower()}
    return Provenance(tags, diff)


def _git_state(checkout: Path) -> tuple[str, str]:
    """Return commit and bounded diff against it, files that git does not know listed by name; empty without git."""
    top = _git(checkout, "rev-parse", "--show-toplevel").strip()
    if not top or Path(top).resolve() != checkout.resolve():
        return "", ""
    unknown = _git(checkout, "ls-files", "--others", "--exclude-standard").splitlines()
    listing = "".join(f"# untracked: {name}\n" for name in unknown)
    diff = _bounded(listing + _git(checkout, "diff", "HEAD", "--no-color", "--no-ext-diff"))
    return _git(checkout, "rev-parse", "HEAD").strip(), diff


def _git(checkout: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def _bounded(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= MAX_DIFF_BYTES:
        return text
    kept = encoded[:MAX_DIFF_BYTES].decode(errors="ignore")
    return f"{kept}\n# cut here: {len(encoded)} bytes in all\n"


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _hardware() -> dict[str, str]:
    tags = {
        "campaign.hardware.cpu": _cpu_model(),
        "campaign.hardware.cores": str(os.cpu_count()),
        "campaign.hardware.memory_gib": f"{_memory_bytes() / 2**30:.0f}",
    }
    gpus = _gpus()
    return {**tags, "campaign.hardware.gpus": gpus} if gpus else tags


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gpus() -> str:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
