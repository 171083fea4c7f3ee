"""Which epoch is kept and when training ends early, by a validation metric of the epochs.

The row of each epoch says so: `trainables/outcome.py` reads it.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor

from trainables.checkpoint import State
from trainables.config import ConfigError, ExperimentConfig, Training
from trainables.config.data import KINDS_WITH_MASKS, KINDS_WITH_SEVERAL_LABELS
from trainables.evaluations import EPOCH_SUITE, QUICK, direction, evaluation
from trainables.json_file import BrokenFileError
from trainables.metric_names import nearest_of_validation, of_split, why_not_to_choose_by
from trainables.outcome import KEPT_EPOCH, WITHOUT_IMPROVEMENT, kept_epoch
from trainables.trial_folder import Row, TrialFolder

logger = logging.getLogger(__name__)


def choose(training: Training, rows: Sequence[Row], *, is_validated: bool) -> Row:
    """Return what the last of `rows` says of the choice of epochs; empty where the config asks for none.

    Raises:
        ConfigError: The epoch was validated, and does not report a metric by which epochs are chosen.
    """
    for field, metric in _metrics(training):
        if is_validated and metric not in rows[-1]:
            known = ", ".join(name for name in rows[-1] if direction(name))
            raise ConfigError(f"{field} = {metric} is not reported of these data; their epochs report {known}")
    chosen: Row = {}
    if training.keep_metric is not None:
        chosen |= {KEPT_EPOCH: best} if (best := _best(training.keep_metric, rows)) else {}
    if training.early_stopping is not None:
        stopping = training.early_stopping
        chosen[WITHOUT_IMPROVEMENT] = _without_improvement(stopping.metric, stopping.min_delta, rows)
    return chosen


def _metrics(training: Training) -> Iterator[tuple[str, str]]:
    """Yield each field that chooses epochs by a metric, with that metric."""
    if training.keep_metric is not None:
        yield "training.keep_metric", training.keep_metric
    if training.early_stopping is not None:
        yield "training.early_stopping.metric", training.early_stopping.metric


def _score(metric: str, row: Row) -> float:
    """Return the metric, turned so that more is better; -inf where it is missing or not finite."""
    value = row.get(metric, math.nan)
    return -math.inf if not math.isfinite(value) else value if direction(metric) == "max" else -value


def _best(metric: str, rows: Sequence[Row]) -> int | None:
    """Return the best epoch: the last one, or the one that was kept before it; None where neither has the metric."""
    *before, last = rows
    kept = int(before[-1][KEPT_EPOCH]) if before and KEPT_EPOCH in before[-1] else None
    score = -math.inf if kept is None else _score(metric, rows[kept - 1])
    return int(last["epoch"]) if _score(metric, last) > score else kept


def _without_improvement(metric: str, min_delta: float, rows: Sequence[Row]) -> int:
    """Return how many epochs in a row have not improved the metric by more than `min_delta`."""
    best, count = -math.inf, 0
    for row in (row for row in rows if metric in row):
        score, count = _score(metric, row), count + 1
        if score > best + min_delta:
            best, count = score, 0
    return count


def check_epoch_choice(config: ExperimentConfig) -> None:
    """Raise ConfigError where an epoch is chosen by a metric that epochs do not report, or not of validation images."""
    specs = [spec for name in epoch_suite(config) if not (spec := evaluation(name)).needs & _lacking(config)]
    valid = [of_split(name, "val") for spec in specs for name, better in spec.directions.items() if better]
    for field, metric in _metrics(config.training):
        if not _is_among(metric, valid):
            reason = _why_not(metric, [of_split(name, "val") for spec in specs for name in spec.directions])
            raise ConfigError(f"{field} = {metric} {reason}; {_instead(metric, valid)}")


def epoch_suite(config: ExperimentConfig) -> list[str]:
    """Return the evaluations of every epoch.

    Groups are left out where images have none, and where one held-out set serves both splits, as in earlier versions.
    """
    names = QUICK if config.evaluation.shift_every_epoch else EPOCH_SUITE
    has_groups = config.data.has_groups and config.data.validation.source != "held_out"
    return [name for name in names if name != "groups" or has_groups]


def _lacking(config: ExperimentConfig) -> set[str]:
    """Return what evaluations may need and the data are known not to have."""
    kind = config.data.kind
    several = set() if kind in KINDS_WITH_SEVERAL_LABELS else {"images of several labels"}
    return several | (set() if kind in KINDS_WITH_MASKS else {"masks"})


def _is_among(metric: str, names: Iterable[str]) -> bool:
    """Return whether the metric is one of the names, of which some are patterns with `*`."""
    return any(fnmatchcase(metric, name) for name in names)


def _why_not(metric: str, reported: Sequence[str]) -> str:
    if why_not_to_choose_by(metric):
        return "is of test images, on which the trial is reported, and which therefore choose nothing"
    if metric.startswith("train/"):
        return "is of the training images, on which a network that overfits only gets better"
    if _is_among(metric, reported):
        return "is neither better when it is higher nor when it is lower"
    return "is not measured on these data after every epoch"


def _instead(metric: str, valid: Sequence[str]) -> str:
    """Return the advice: the same metric of the validation images, or all that there are."""
    nearest = (nearest_of_validation(metric), f"val/{metric.rpartition('/')[2]}")
    return next((f"take {name}" for name in nearest if name in valid), f"take one of {', '.join(valid)}")


def restore_best(
    folder: TrialFolder, rows: list[Row], state: State, weights: Mapping[str, Tensor] | None, *, verify: bool
) -> list[Row]:
    """Make best.pt hold the epoch that `rows` keep, and return the rows; rank 0 calls it.

    Where it cannot be read, a warning says so, and the last epoch is kept instead.

    Args:
        folder: That of the trial.
        rows: Up to the epoch of `state`.
        state: The checkpoint of the last epoch.
        weights: Of the network to evaluate after that epoch; None where it has none.
        verify: Whether to read best.pt where it holds an earlier epoch.
    """
    last = int(rows[-1]["epoch"])
    if KEPT_EPOCH not in rows[-1]:
        return rows
    if kept_epoch(rows) == last:
        folder.checkpoints.save_best(rows[-1], weights)  # A kill came between the two checkpoints.
        return rows
    try:
        if verify:
            folder.checkpoints.load_best(kept_epoch(rows), "cpu")
    except BrokenFileError as error:
        return _keep_last(folder, rows, state, weights, error)
    return rows


def _keep_last(
    folder: TrialFolder, rows: list[Row], state: State, weights: Mapping[str, Tensor] | None, error: BrokenFileError
) -> list[Row]:
    """Commit the last epoch again as the one that is kept, or none where it has no network to evaluate."""
    kept, last = kept_epoch(rows), int(rows[-1]["epoch"])
    row = {key: value for key, value in rows[-1].items() if key != KEPT_EPOCH}
    row |= {} if weights is None else {KEPT_EPOCH: last}
    now = "the best of the epochs after it is kept" if weights is None else f"epoch {last}, the last one, is kept"
    aside = folder.checkpoints.set_best_aside()
    logger.warning("%s%s: the network of epoch %d is lost; %s", error, aside, kept, now)
    folder.forget_evaluation()
    folder.outcome_path.unlink(missing_ok=True)
    folder.commit(state, [*rows[:-1], row], weights)
    return [*rows[:-1], row]
