"""Connecting to a cluster that does not run."""

import socket

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


def test_trials_wait_for_each_other_longer_than_one_takes() -> None:
    from ray.train.v2._internal.constants import WORKER_GROUP_START_TIMEOUT_S_ENV_VAR

    assert float(ENVIRONMENT[WORKER_GROUP_START_TIMEOUT_S_ENV_VAR]) >= 7 * 24 * 3600
