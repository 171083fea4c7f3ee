"""What the rows of a trial say of its result, by hand."""

import pytest

from trainables.config import Training
from trainables.json_file import BrokenFileError
from trainables.outcome import Outcome, is_over, kept_epoch, outcome_from_json, result_row, why_stopped_early


def rows(*kept: int | None) -> list[dict[str, float]]:
    """Return epochs whose loss is their number, each with the epoch that is kept after it."""
    return [
        {"epoch": epoch, "val/loss": float(epoch)} | ({} if best is None else {"kept_epoch": best})
        for epoch, best in enumerate(kept, 1)
    ]


def stopping(patience: int, *counts: int) -> tuple[Training, list[dict[str, float]]]:
    training = Training.model_validate(
        {"epochs": 4, "early_stopping": {"metric": "val/loss", "patience": patience, "min_delta": 0.5}}
    )
    return training, [{"epoch": epoch, "epochs_without_improvement": count} for epoch, count in enumerate(counts, 1)]


def test_the_last_epoch_is_kept_where_no_row_says_otherwise() -> None:
    assert [kept_epoch(found) for found in ([], rows(None), rows(None, None))] == [0, 1, 2]
    assert result_row([]) == {"epoch": 0}
    assert result_row(rows(None, None)) == {"epoch": 2, "val/loss": 2.0}


def test_the_result_is_the_row_of_the_epoch_that_the_last_row_keeps() -> None:
    assert kept_epoch(rows(1, 2, 2)) == 2
    assert result_row(rows(1, 2, 2)) == {"epoch": 3, "kept_epoch": 2, "val/loss": 2.0}


@pytest.mark.parametrize(
    ("patience", "counts", "reason"),
    [
        (2, (), None),
        (2, (0, 1), None),
        (2, (0, 1, 2), "early stopping after epoch 3: val/loss did not improve by more than 0.5 for 2 epochs"),
        (1, (0, 1), "early stopping after epoch 2: val/loss did not improve by more than 0.5 for 1 epoch"),
        (2, (0, 0, 1, 2), None),
    ],
    ids=["no epoch", "patient", "out of patience", "of one epoch", "at the last epoch"],
)
def test_training_stops_early_when_patience_ends(patience: int, counts: tuple[int, ...], reason: str | None) -> None:
    training, found = stopping(patience, *counts)
    assert why_stopped_early(training, found) == reason
    assert is_over(training, found) == (reason is not None or len(counts) == 4)


def test_without_early_stopping_all_epochs_are_trained() -> None:
    assert [is_over(Training(epochs=2), rows(*[None] * num)) for num in range(3)] == [False, False, True]


def test_an_outcome_is_read_as_it_was_written() -> None:
    for outcome in (
        Outcome("completed", 5, kept_epoch=3, reason="early stopping"),
        Outcome("failed", 2, "OSError: full"),
    ):
        assert outcome_from_json(outcome.as_json(), "outcome.json") == outcome
    assert Outcome("stopped", 1).as_json() == {"status": "stopped", "epoch": 1, "error": None}


def test_a_kept_epoch_that_is_no_number_is_named() -> None:
    with pytest.raises(BrokenFileError, match=r"^outcome\.json: kept_epoch is 'two'; expected a whole number$"):
        outcome_from_json({"status": "completed", "epoch": 2, "kept_epoch": "two"}, "outcome.json")
