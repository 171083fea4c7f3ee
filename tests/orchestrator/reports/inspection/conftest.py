"""Runs whose evaluations are written by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orchestrator.reports.inspection.inspected_run import InspectedRun
from tests.harness.sweep_builder import SweepBuilder
from trainables.json_file import write_json

MakeRun = Callable[..., InspectedRun]


@pytest.fixture
def make_run(sweep: SweepBuilder) -> MakeRun:
    """Return a maker of runs with one evaluation."""

    def make(
        name: str, part: str, documents: Mapping[str, Any] | None = None, *, metrics: Any = None, **fields: Any
    ) -> InspectedRun:
        sweep.trial(name, {"objective.kind": "cross_entropy"}, metrics or {})
        sweep.evaluation(name, part, **fields)
        for document, value in (documents or {}).items():
            write_json(sweep.folder.trial(name).path / "evaluation" / part / f"{document}.json", value)
        return InspectedRun(sweep.run(name), {})

    return make
