"""The state that one check yields."""

from collections.abc import Iterable

from orchestrator.doctor.machine_state import State


def only(states: Iterable[State]) -> State:
    (state,) = states
    return state
