"""One driver's searcher, used as Tune uses it, with a function in place of a training."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.launch.search import SweepSearch, build_search
from search_spaces import Space
from trainables.config import flatten

Metrics = Callable[[Mapping[str, Any]], dict[str, float | None]]
"""The metrics that a trial reports, by its flat config."""


class SearchDriver:
    """Asks for points, and ends trials both in their folders and for the searcher."""

    def __init__(self, sweep: Any, space: Space, metrics: Metrics) -> None:
        self._sweep = sweep
        self.folder = sweep.folder
        self._metrics = metrics
        self._running: dict[str, str] = {}
        sweep.config = sweep.folder.config()
        self.search: SweepSearch = build_search(sweep.folder, sweep.config, space)

    def ask(self) -> str | None:
        """Return the id of the next trial; None where the search has ended."""
        tune_id = uuid.uuid4().hex
        suggested = self.search.suggest(tune_id)
        if suggested == SweepSearch.FINISHED:
            return None
        self._running[suggested["trial_id"]] = tune_id
        return str(suggested["trial_id"])

    def finish(self, trial_id: str) -> None:
        """End a trial with the metrics of its point."""
        metrics = self._metrics(self.point(trial_id))
        self.search.on_trial_complete(self._running.pop(trial_id), metrics)
        self._sweep.end(trial_id, metrics)

    def point(self, trial_id: str) -> dict[str, Any]:
        return flatten(self._sweep.folder.trial(trial_id).config())


def run(sweep: Any, space: Space, metrics: Metrics, *, killed_at: tuple[str, ...] = ()) -> SearchDriver:
    """Run the trials that are left one after the other, and return the last driver.

    Args:
        killed_at: Trials at each of which the driver is killed once, as it has started them.
    """
    driver, left = SearchDriver(sweep, space, metrics), set(killed_at)
    while sweep.folder.num_left(sweep.config) > 0 and (trial_id := driver.ask()) is not None:
        if trial_id in left:
            left.remove(trial_id)
            driver = SearchDriver(sweep, space, metrics)
        else:
            driver.finish(trial_id)
    return driver
