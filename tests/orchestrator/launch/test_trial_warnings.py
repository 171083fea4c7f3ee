"""What a driver shows of its trials' logs."""

import logging
from pathlib import Path

import pytest

from orchestrator.launch.trial_warnings import TrialWarnings
from trainables.trial_folder import TrialFolder
from trainables.trial_log import trial_log


def warn(folder: TrialFolder, text: str) -> None:
    folder.path.mkdir(exist_ok=True)
    with trial_log(folder.log_path):
        logging.getLogger("trainables.made_up").warning(text)


@pytest.mark.fault("A trial warns in another process.", trains=False)
def test_each_text_is_shown_once_and_an_earlier_commands_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, warnings = TrialFolder(tmp_path / "0001"), TrialFolder(tmp_path / "0002"), TrialWarnings()
    warn(one, "of an earlier command")
    warnings.skip_old(one)
    warn(one, "new")
    warn(two, "new")
    warn(two, "other")
    caplog.clear()
    for folder in (one, two, one):
        warnings.skip_old(one)
        warnings.show(folder)
    shown = [record.getMessage() for record in caplog.records]
    assert shown == ["trial 0001: new", "trial 0002: other"]
