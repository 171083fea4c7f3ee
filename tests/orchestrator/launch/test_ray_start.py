"""The line before Ray starts."""

import pytest

from orchestrator.launch.ray_start import start_ray


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (None, "starting Ray on this machine (5 to 30 seconds) ...\n"),
        ("head:6379", "connecting to Ray at head:6379 ...\n"),
    ],
)
def test_line_says_what_takes_time(
    address: str | None, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    start_ray(address)  # The session begins only where it is entered.
    assert capsys.readouterr().err == line


def test_cluster_of_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    start_ray(None)
    assert capsys.readouterr().err == "connecting to Ray at head:6379 ...\n"
