"""What the driver writes when a trial ends."""

import shutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from orchestrator.launch.trials import SweepContext
from orchestrator.launch.tune_callback import TrialOutcomeCallback
from orchestrator.tracking import SweepIdentity, resolve_store


class Listener:
    """Remembers how trials ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []

    def on_epoch(self, trial_id: str, epoch: int, row: Any) -> None: ...

    def on_end(self, trial_id: str, outcome: str) -> None:
        self.ends.append((trial_id, outcome))


def test_trial_whose_folder_was_removed_leaves_nothing(make_sweep: Callable[..., Any]) -> None:
    sweep, listener = make_sweep(), Listener()
    sweep.start("0000", epochs=1)
    path = sweep.folder.trial("0000").path
    context = SweepContext(
        sweep.folder.trials_path, resolve_store(sweep.folder.storage), SweepIdentity("1", "first"), {}, 0
    )
    shutil.rmtree(path)
    with TrialOutcomeCallback(sweep.folder, context, listener) as callback:
        callback.on_trial_error(1, [], SimpleNamespace(config={"trial_id": "0000"}, error_file=None))  # type: ignore[arg-type]
    ((trial_id, outcome),) = listener.ends
    assert (trial_id, outcome.startswith(f"failed: {path} was removed or moved while its trial ran")) == ("0000", True)
    assert not path.exists()
