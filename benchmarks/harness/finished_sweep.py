"""A sweep on disk and in MLflow whose trials have ended, for commands that read results."""

from pathlib import Path

from benchmarks.harness import tiny_space
from orchestrator.files.space_sweep import sweep_of_space
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.trials import draw_curves
from orchestrator.tracking import SweepIdentity, TrialRun, ensure_experiment, open_sweep_run, resolve_store
from trainables.config import config_hash
from trainables.json_file import write_json, write_text
from trainables.trial_folder import TrialFolder, as_json_line

EPOCHS = 10
METRICS = (
    *("train/loss", "train/accuracy", "train/learning_rate", "train/samples_without_mask"),
    *("val/loss", "val/accuracy", "val/expected_calibration_error", "val/negative_log_likelihood", "val/brier_score"),
    *("val/background/influence_share", "time/train_s", "time/images_per_s"),
)
"""About as many as a trial on the digits has."""


def make_finished_sweep(storage: Path, num_trials: int) -> SweepFolder:
    """Write a sweep of `num_trials` with ten epochs each to `storage`, and send it to its MLflow store."""
    sweep, store = SweepFolder.of(storage, "finished"), resolve_store(storage)
    config = sweep_of_space(tiny_space.__file__, name="finished", num_trials=num_trials)
    sweep.claim(config)
    identity = SweepIdentity(ensure_experiment(store, config.campaign), config.name)
    open_sweep_run(store, identity, sweep.path)
    for number in range(num_trials):
        folder = sweep.trial(f"{number:04d}")
        experiment = config.experiment({"training.epochs": EPOCHS, "optim.learning_rate": 1e-3 * (1 + number)})
        folder.claim(experiment)
        write_metrics(folder, value=1 / (1 + number))
        folder.finish()
        TrialRun(
            store, identity.trial(folder.path.name, config_hash(experiment)), folder, draw_curves=draw_curves
        ).push()
    return sweep


def write_metrics(folder: TrialFolder, *, value: float) -> None:
    """Write ten epochs and an evaluation, all of whose metrics are `value`."""
    row = {**dict.fromkeys(METRICS, value), "time/epoch_s": 36.0}
    write_text(folder.metrics_path, "".join(as_json_line({"epoch": e, **row}) for e in range(1, EPOCHS + 1)))
    write_json(folder.evaluation_path, {**row, "shift/random_background/accuracy": value})
