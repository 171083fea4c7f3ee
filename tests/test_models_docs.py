"""docs/models.md holds what its command makes."""

import re
from pathlib import Path

import pytest
from torchvision.models import get_model_weights

from benchmarks.models import BEGIN, END, edit_rows, with_tables
from trainables.models.torchvision_network import ARCHITECTURES

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (\w+) \| (\d+ \| [\d,]+ \| 7, 14, 28, 56 \| [\d., ]+) \|$", TEXT, re.MULTILINE))


def test_every_network_has_its_row() -> None:
    assert tuple(ROWS) == tuple(ARCHITECTURES)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_parameters_and_multiplications_are_those_that_torchvision_publishes(kind: str) -> None:
    _, parameters, _, multiplications = ROWS[kind].split(" | ")
    published = get_model_weights(kind)["IMAGENET1K_V1"].meta
    assert int(parameters.replace(",", "")) == published["num_params"]
    if published["min_size"] and kind.split("_")[0] != "efficientnet":  # Those are published at 300 px and more.
        assert float(multiplications.split(",")[0]) == pytest.approx(published["_ops"], abs=0.06)


def test_the_edits_are_those_of_today() -> None:
    assert "\n".join(edit_rows()) in TEXT


def test_tables_stand_between_their_marks() -> None:
    assert with_tables(f"a\n{BEGIN}old\n{END}b\n", "new\n") == f"a\n{BEGIN}\nnew\n\n{END}b\n"
