"""Seconds: of functions called in turn, and inside functions that are watched while something else runs."""

import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from statistics import median
from typing import Any


def interleaved(
    sides: Mapping[str, Callable[[], float]], *, repetitions: int, warmup: int = 0
) -> dict[str, list[float]]:
    """Call every side in turn, `warmup + repetitions` times; return what each measured, less the warm-up.

    Every second turn goes backwards, so that no side always runs on what the same other one left.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warmup + repetitions):
        for name in reversed(list(sides)) if turn % 2 else sides:
            value = sides[name]()
            if turn >= warmup:
                found[name].append(value)
    return found


def paired_ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    """Return the median, over the turns, of our seconds over the others' of the same turn."""
    return median(our / other for our, other in zip(ours, others, strict=True))


class Stopwatch:
    """Collects how long each call of watched functions takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        """Stage -> the seconds of each call."""

    @contextmanager
    def watching(self, stages: Mapping[str, str]) -> Iterator[None]:
        """Time the functions `stages`, stage -> `module:name` or `module:Class.name`, inside this context."""
        with ExitStack() as stack:
            for stage, place in stages.items():
                stack.enter_context(self._watching(stage, place))
            yield

    @contextmanager
    def _watching(self, stage: str, place: str) -> Iterator[None]:
        module, _, qualified = place.partition(":")
        owner: Any = importlib.import_module(module)
        *classes, name = qualified.split(".")
        for attribute in classes:
            owner = getattr(owner, attribute)
        original = getattr(owner, name)
        setattr(owner, name, self._timed(stage, original))
        try:
            yield
        finally:
            setattr(owner, name, original)

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*arguments: Any, **keywords: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self.seconds[stage].append(time.perf_counter() - started)

        return timed
