"""What is said of Ray Train's workers that failed."""

from pathlib import Path

import pytest
from ray.exceptions import ActorDiedError
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError
from ray.train.v2.api.exceptions import ControllerError, WorkerGroupError

from orchestrator.launch.failed_workers import WorkersFailedError, training_error

LOG = Path("/runs/one/trial.log")
DIED = WorkerHealthCheckFailedError("A worker health check failed.\nWorker info: ...", ActorDiedError())


def said(error: Exception) -> str:
    found = training_error(error, (FloatingPointError, MemoryError), LOG)
    assert type(found) is WorkersFailedError
    return str(found)


def test_death_goes_before_what_it_does_to_the_others() -> None:
    error = WorkerGroupError("long", {0: RuntimeError("Connection closed by peer"), 1: DIED})
    assert said(error) == "worker 1 died: The actor died unexpectedly before finishing this task."


def test_error_of_a_worker_is_one_line_and_its_log() -> None:
    error = WorkerGroupError("long", {2: ValueError("c"), 1: KeyError("b\n\n a")})
    assert said(error) == r"worker 1 failed: KeyError: 'b\n\n a' (see /runs/one/trial.log)"
    error = WorkerGroupError("long", {0: ValueError("first\n  second")})
    assert said(error) == "worker 0 failed: ValueError: first second (see /runs/one/trial.log)"


def test_process_that_drives_the_workers_may_die_too() -> None:
    assert said(ActorDiedError()).startswith("the process that drives the workers died: The actor died ")
    assert said(ControllerError(OSError("full"))).startswith(
        "the process that drives the workers failed: OSError: full"
    )


@pytest.mark.parametrize("kind", [WorkerGroupError, ControllerError])
def test_error_of_the_trial_itself_is_handed_on(kind: type) -> None:
    own = MemoryError("out of memory (...): lower training.batch_size = 64")
    error = ControllerError(own) if kind is ControllerError else WorkerGroupError("long", {0: own})
    assert training_error(error, (FloatingPointError, MemoryError), LOG) is own
