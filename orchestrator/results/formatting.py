"""Numbers, settings and trials as text, the same in HTML, Markdown and on the terminal."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.results.trial_rows import TrialRow

MISSING = "–"  # noqa: RUF001
CROSS_ENTROPY = "cross_entropy"
ADDITIONS = {
    "KL": "objective.divergence.weight",
    "SWD": "objective.sliced_wasserstein.weight",
    "guidance": "objective.guidance.weight",
    "RRR": "objective.rrr.weight",
    "noise": "objective.background_noise",
    "background swap": "objective.background_swap.probability",
    "object only": "objective.object_only.probability",
    "CutMix": "objective.cutmix.probability",
}
"""What may be added to a loss -> the field that then has a value other than 0."""
SMALLEST_SHOWN = 0.0005
ERRORS_EXPLAINED = (
    "± is the standard error of an accuracy (Wilson) for its number of images; it does not cover the seed."
)


def format_metric(value: float | None) -> str:
    """Return three decimals, or two digits and an exponent where those would all be zero."""
    if value is None:
        return MISSING
    return f"{value:.3f}" if value == 0 or abs(value) >= SMALLEST_SHOWN else f"{value:.1e}"


def format_error(error: float) -> str:
    """Return `± 0.019`, or one digit where three decimals would all be zero."""
    return f"± {error:.3f}" if error >= SMALLEST_SHOWN else f"± {error:.1g}"


def shown_error(row: TrialRow, metric: str) -> str:
    """Return the standard error of a trial's accuracy as `± 0.019`; empty where it is not known."""
    error = row.get("errors", {}).get(metric)
    return "" if error is None else format_error(error)


def format_with_error(row: TrialRow, metric: str) -> str:
    """Return a trial's value of a metric, an accuracy with its standard error: `0.865 ± 0.019`."""
    return f"{format_metric(row['metrics'].get(metric))} {shown_error(row, metric)}".rstrip()


def errors_explained(rows: Sequence[TrialRow]) -> str:
    """Say what ± is; empty where no trial has an error."""
    return ERRORS_EXPLAINED if any("errors" in row for row in rows) else ""


def format_difference(value: float) -> str:
    """Return a signed number of three decimals; 0.000 where they are all zero."""
    return "0.000" if abs(value) < SMALLEST_SHOWN else f"{value:+.3f}".replace("-", "−")  # noqa: RUF001


def format_setting(value: Any) -> str:
    """Return a config value as YAML writes it, a float with three digits."""
    match value:
        case None:
            return MISSING
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.3g}"
        case _:
            return str(value)


def markdown_cell(text: str) -> str:
    """Return text that is safe in a cell of a Markdown table."""
    for found, written in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("\n", " ")):
        text = text.replace(found, written)
    return text


def short_names(fields: Sequence[str]) -> list[str]:
    """Return each field below its first section: `learning_rate`, `jtt.epochs`; the whole field where two are the same.

    A `kind` has the name of its section.
    """
    short = [_own_name(field) for field in fields]
    counts = Counter(short)
    return [name if counts[name] == 1 else field for name, field in zip(short, fields, strict=True)]


def _own_name(field: str) -> str:
    section, *below = field.removesuffix(".kind").split(".")
    return ".".join(below) or section


def objective(row: TrialRow) -> str:
    """Return the kind of the trial's objective."""
    return str(row["config"].get("objective.kind", "unknown"))


def objective_name(kind: str) -> str:
    return kind.replace("_", "-")


def additions(row: TrialRow) -> dict[str, str]:
    """Return what is added to the trial's loss, each as `describe_objective` writes it: `{"KL": "KL 1"}`."""
    return {name: _addition(row, name) for name, field in ADDITIONS.items() if row["config"].get(field)}


def _addition(row: TrialRow, name: str) -> str:
    if ADDITIONS[name].endswith(".probability"):
        return name
    label = f"guidance by {row['config']['objective.guidance.loss']}" if name == "guidance" else name
    where = " on the object" if name == "KL" and row["config"].get("objective.divergence.where") == "foreground" else ""
    return f"{label} {format_setting(float(row['config'][ADDITIONS[name]]))}{where}"


def objective_group(row: TrialRow) -> str:
    """Return the loss and what is added to it, without weights: `contrastive + KL + SWD`."""
    return " + ".join([objective_name(objective(row)), *additions(row)])


def is_cross_entropy(row: TrialRow) -> bool:
    """Return whether the trial has plain cross-entropy, with nothing added to it."""
    return objective(row) == CROSS_ENTROPY and not additions(row)


def shown_epoch(row: TrialRow) -> str | None:
    """Return `7 of 30`, the epoch of the trial's metrics, where its config allows another than the last one planned."""
    config = row["config"]
    if "kept_epoch" not in row and "training.early_stopping.metric" not in config:
        return None
    return f"{row.get('kept_epoch', row['epoch'])} of {config['training.epochs']}"


def background_weight(row: TrialRow) -> float | None:
    """Return the objective's background weight, or None where it has none."""
    weight = row["config"].get("objective.background_weight")
    return None if weight is None else float(weight)


def describe(row: TrialRow) -> str:
    """Return `0003 (contrastive, background weight 0.31)`, with `epoch 7 of 30` where that is known to be chosen."""
    epoch = shown_epoch(row)
    return f"{row['trial_id']} ({describe_objective(row)}{f', epoch {epoch}' if epoch else ''})"


def describe_objective(row: TrialRow) -> str:
    """Return `contrastive, background weight 0.31`, or `contrastive + KL 1 + CutMix, background weight 1`."""
    weight = background_weight(row)
    setting = "" if weight is None else f", background weight {format_setting(weight)}"
    return f"{' + '.join([objective_name(objective(row)), *additions(row).values()])}{setting}"
