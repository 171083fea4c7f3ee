"""What arms of a study are given, and what their steps cost."""

import torch

from benchmarks.arm_cost import cost_table, step_ratios
from benchmarks.study_section import section
from tests.benchmarks.test_study_section import result
from trainables.config import experiment_from_tree


def test_each_arm_has_what_it_is_given_and_its_cost() -> None:
    facts = {
        "uses_masks": {"plain": False, "dfr": False, "both": True},
        "uses_groups": {"plain": False, "dfr": True, "both": True},
        "step_ratios": {"plain": 1.0, "dfr": 1.004, "both": 4.126},
    }
    table = (
        "| arm | is given | a step takes, times that of plain |\n"
        "| --- | --- | ---: |\n"
        "| plain | nothing | 1.00 |\n"
        "| dfr | groups | 1.00 |\n"
        "| both | masks and groups | 4.13 |"
    )
    found = {**result("test", 0.6), **facts, "num_images": {"test/accuracy": 20}}
    assert cost_table(found, "plain") == table
    assert section(found).endswith(table)
    assert cost_table({}, "plain") == ""
    found["study"]["arms"][1]["changes"] = {"objective.dfr.fit_on": ["validation", None]}
    assert cost_table(found, "plain") == f"{table}\n\nA step leaves out the fits of DFR."


def test_the_reference_arm_costs_what_it_costs() -> None:
    num_threads = torch.get_num_threads()
    data = {"num_train": 64, "num_test": 20, "image_size": 32}
    model, training = {"width": 4}, {"batch_size": 8}
    configs = {
        "two views": experiment_from_tree(
            {"data": data, "model": model, "training": training, "objective": {"kind": "supcon"}}
        ),
        "plain": experiment_from_tree({"data": data, "model": model, "training": training}),
    }
    ratios = step_ratios(configs, "plain", threads=num_threads)
    assert list(ratios) == ["two views", "plain"]
    assert ratios["plain"] == 1
    assert 0 < ratios["two views"] < float("inf")
