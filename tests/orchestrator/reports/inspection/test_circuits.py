"""A circuit's numbers with intervals, under both ablations, and its nodes."""

from typing import Any

from orchestrator.reports.inspection.circuits import shown_circuit


def interval(value: float | None, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def document(size: int | None = 12) -> dict[str, Any]:
    ablation = {
        "nodes": interval(12.0, 8.0, 20.0),
        "area": {"score": 0.75, "random": 0.25, "magnitude": None},
        "circuit_faithfulness": interval(0.8125, 0.5, 1.0),
        "circuit_completeness": interval(None, None, None),
    }
    node = {"stage": "layer1", "channel": 5, "score": 1.0, "signed": -0.5, "effect": interval(0.25, 0.125, 0.5)}
    return {
        "effect": interval(2.5, 2.0, 3.0),
        "threshold": 0.8,
        "size": size,
        "minimality": 0.5,
        "ablations": {"resample": ablation, "mean": {**ablation, "nodes": interval(None, None, None)}},
        "stages": [{"name": "layer1", "num_channels": 16}, {"name": "layer2", "num_channels": 32}],
        "nodes": [{**node, "drop": interval(0.0, 0.0, 0.125)}],
        "card": "background",
    }


def test_numbers_have_their_intervals(make_run: Any) -> None:
    found = shown_circuit(make_run("1", "circuits", {"background": document()}), "background")
    assert dict(found.facts) == {
        "Effect on the margin": ["2.500 (2.000 to 3.000)"],
        "Channels of the circuit, of 48": ["12 (25%)"],
        "Its faithfulness": ["0.812 (0.500 to 1.000)"] * 2,
        "Channels for 80% on the half that measures": ["12 (8 to 20)", "–"],  # noqa: RUF001
        "Completeness": ["–"] * 2,  # noqa: RUF001
        "Minimality": ["50%"],
        "Area under the curve": ["0.750"] * 2,
        "Area in random order": ["0.250"] * 2,
        "Area by magnitude": ["–"] * 2,  # noqa: RUF001
    }
    assert list(found.nodes) == [("layer1, 5", "−0.500", "0.250 (0.125 to 0.500)", "0.000 (0.000 to 0.125)")]  # noqa: RUF001


def test_a_circuit_that_is_not_found_has_no_size_and_nothing_to_explain(make_run: Any) -> None:
    """Also where the effect is above zero on the half that measures."""
    run = make_run("1", "circuits", {"background": document(), "object": document(None)})
    found = shown_circuit(run, "object")
    assert found.facts["Channels of the circuit, of 48"] == ["–"]  # noqa: RUF001
    assert found.nothing_to_explain
    assert not shown_circuit(run, "background").nothing_to_explain
