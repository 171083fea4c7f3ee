"""What a trial's log holds."""

import logging
from pathlib import Path

import pytest

from trainables.trial_log import trial_log, warnings_in

logger = logging.getLogger("trainables.made_up")


def log_and_fail() -> None:
    logger.info("not this")
    logger.warning("odd:\nmore of it")
    logger.error("bad")
    raise ZeroDivisionError("by zero")


def test_warnings_and_the_traceback_stay(tmp_path: Path) -> None:
    path = tmp_path / "trial.log"
    with pytest.raises(ZeroDivisionError), trial_log(path):
        log_and_fail()
    logger.warning("afterwards")
    text = path.read_text()
    assert " WARNING trainables.made_up: odd:\nmore of it\n" in text
    assert " ERROR trainables.made_up: bad\n" in text
    assert text.endswith("ZeroDivisionError: by zero\n")
    assert "Traceback (most recent call last):" in text
    assert "not this" not in text
    assert "afterwards" not in text


def test_each_warning_is_read_once_and_errors_are_none(tmp_path: Path) -> None:
    path = tmp_path / "trial.log"
    assert warnings_in(path) == ([], 0)
    with trial_log(path):
        logger.warning("one: with a colon")
        logger.error("bad")
    found, end = warnings_in(path)
    assert found == ["one: with a colon"]
    with trial_log(path):
        logger.warning("zwölf")
    assert warnings_in(path, end) == (["zwölf"], path.stat().st_size)


def test_quiet_trial_has_no_log(tmp_path: Path) -> None:
    with trial_log(tmp_path / "trial.log"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault("The log of a trial cannot be written.", trains=False, says=False)
def test_log_that_cannot_be_written_hides_no_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), trial_log(tmp_path / "gone" / "trial.log"):
        raise ZeroDivisionError
