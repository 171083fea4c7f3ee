"""How trials and their objectives are worded."""

import pytest

from orchestrator.results.formatting import (
    describe,
    describe_objective,
    format_with_error,
    is_cross_entropy,
    objective_group,
)
from orchestrator.results.trial_rows import TrialRow
from trainables.config import experiment_from_tree, flatten

KL = {"divergence": {"weight": 1.0}}
SWD = {"sliced_wasserstein": {"weight": 100.0}}
NOISE = {"background_noise": 0.5}
GUIDANCE = {"guidance": {"weight": 0.5, "loss": "l1"}}
RRR = {"rrr": {"weight": 10.0}}
CUTMIX = {"cutmix": {"probability": 0.5}}
BACKGROUNDS = {"background_swap": {"probability": 0.5}, "object_only": {"probability": 0.5}}


def row(kind: str, **objective: object) -> TrialRow:
    """Return a trial with its whole config, as a sweep's folder has it."""
    tree = {"data": {"kind": "spurious_digits"}, "objective": {"kind": kind, **objective}}
    config = flatten(experiment_from_tree(tree, source="test"))
    return TrialRow(trial_id="0003", run_id=None, status="completed", epoch=1, config=config, metrics={})


@pytest.mark.parametrize(
    ("trial", "words", "group"),
    [
        (row("cross_entropy"), "cross-entropy", "cross-entropy"),
        (row("cross_entropy", **NOISE), "cross-entropy + noise 0.5", "cross-entropy + noise"),
        (row("cross_entropy", **CUTMIX), "cross-entropy + CutMix", "cross-entropy + CutMix"),
        (
            row("contrastive", **BACKGROUNDS),
            "contrastive + background swap + object only, background weight 1",
            "contrastive + background swap + object only",
        ),
        (
            row("contrastive", background_weight=0.31, **KL, **SWD),
            "contrastive + KL 1 + SWD 100, background weight 0.31",
            "contrastive + KL + SWD",
        ),
        (
            row("contrastive", divergence={"weight": 0.001, "where": "foreground"}),
            "contrastive + KL 0.001 on the object, background weight 1",
            "contrastive + KL",
        ),
        (row("cross_entropy", **GUIDANCE), "cross-entropy + guidance by l1 0.5", "cross-entropy + guidance"),
        (row("cross_entropy", **RRR), "cross-entropy + RRR 10", "cross-entropy + RRR"),
        (row("binary_contrastive"), "binary-contrastive, background weight 1", "binary-contrastive"),
        (row("supcon"), "supcon", "supcon"),
        (row("triplet"), "triplet", "triplet"),
    ],
)
def test_objective_with_its_parts(trial: TrialRow, words: str, group: str) -> None:
    assert describe_objective(trial) == words
    assert objective_group(trial) == group
    assert describe(trial) == f"0003 ({words})"


def test_a_config_without_parts_is_worded_by_its_loss() -> None:
    config = {"objective.kind": "binary_cross_entropy"}
    trial = TrialRow(trial_id="0003", run_id=None, status="completed", epoch=1, config=config, metrics={})
    assert describe_objective(trial) == "binary-cross-entropy"
    assert not is_cross_entropy(trial)


@pytest.mark.parametrize("part", [KL, SWD, GUIDANCE, RRR, NOISE, CUTMIX])
def test_cross_entropy_with_any_part_is_not_plain(part: dict[str, object]) -> None:
    assert not is_cross_entropy(row("cross_entropy", **part))


def test_plain_cross_entropy() -> None:
    assert is_cross_entropy(row("cross_entropy"))
    assert not is_cross_entropy(row("contrastive", background_weight=0.0))


def test_a_trial_is_described_with_the_epoch_that_it_keeps() -> None:
    config = {"objective.kind": "contrastive", "training.epochs": 30}
    trial = TrialRow(trial_id="0003", run_id=None, status="completed", epoch=30, config=config, metrics={})
    assert describe(trial) == "0003 (contrastive)"
    trial["kept_epoch"] = 7
    assert describe(trial) == "0003 (contrastive, epoch 7 of 30)"


@pytest.mark.parametrize(("error", "words"), [(0.0191, "0.865 ± 0.019"), (0.00044, "0.865 ± 0.0004"), (None, "0.865")])
def test_an_accuracy_is_worded_with_its_error(error: float | None, words: str) -> None:
    trial = row("cross_entropy")
    trial["metrics"] = {"val/accuracy": 0.865}
    if error is not None:
        trial["errors"] = {"val/accuracy": error}
    assert format_with_error(trial, "val/accuracy") == words
