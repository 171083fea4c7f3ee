"""Connecting to a cluster that does not run."""

import socket
from pathlib import Path

import pytest

from orchestrator.cluster.session import ENVIRONMENT, ray_session


def test_cluster_that_does_not_answer_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ConnectionError, match=f"the Ray cluster at {address} does not answer .*; check --address"):
        ray_session(address).__enter__()


@pytest.mark.parametrize("address", ["127.0.0.1:99999999", "ray://no.such.host.invalid:10001"])
def test_address_that_cannot_be_is_named(address: str) -> None:
    with pytest.raises(ConnectionError, match=f"the Ray cluster at {address} does not answer"):
        ray_session(address).__enter__()


def test_address_of_a_dashboard_is_refused_with_those_of_a_cluster() -> None:
    with pytest.raises(ConnectionError, match=r"http://head:8265: that is the URL of a dashboard, .* give HOST:6379"):
        ray_session("http://head:8265").__enter__()


def test_temporary_folder_that_is_too_long_for_sockets_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("a" * 100)
    folder.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    with pytest.raises(ConnectionError, match=rf"too long \(.*{folder}.*\): set RAY_TMPDIR to a shorter folder"):
        ray_session().__enter__()


def test_trials_wait_for_each_other_longer_than_one_takes() -> None:
    from ray.train.v2._internal.constants import WORKER_GROUP_START_TIMEOUT_S_ENV_VAR

    assert float(ENVIRONMENT[WORKER_GROUP_START_TIMEOUT_S_ENV_VAR]) >= 7 * 24 * 3600
