"""NICO++ with contexts held out."""

from pathlib import Path
from typing import Any

import pytest

from tests.trainables.data.sets.conftest import Read, groups, rows
from tests.trainables.set_trees import write_nico_pp
from trainables.config import ConfigError


def test_held_out_contexts_are_the_test_set(tmp_path: Path, read: Read) -> None:
    data = read(**write_nico_pp(tmp_path), validation={"share": 0.25})
    assert data.class_names == ("cat", "hot air balloon")
    assert rows(data.test) == [(f"dim__{name}__dim_{number}", name) for name in data.class_names for number in range(2)]
    assert groups(data.test) == ["context=dim"] * 4
    assert sorted(groups(data.train) + groups(data.val)) == ["context=autumn"] * 4 + ["context=rock"] * 4
    assert len(data.val) == 2


def test_a_context_has_images_of_several_classes_so_that_none_is_uncommon(tmp_path: Path, read: Read) -> None:
    train: Any = read(**write_nico_pp(tmp_path)).train
    assert train.group_names == ("context=autumn", "context=dim", "context=rock")
    assert train.group_uncommon == ()


@pytest.mark.parametrize("held_out", [["dimm"], ["dim", "autumn", "rock"]])
def test_contexts_that_cannot_be_held_out(tmp_path: Path, read: Read, held_out: list[str]) -> None:
    settings = write_nico_pp(tmp_path)
    with pytest.raises(ConfigError) as error:
        read(**{**settings, "held_out": held_out})
    assert str(error.value) == (
        f"data.held_out = {', '.join(held_out)}: expected some, and not all, of autumn, dim, rock, which "
        f"{tmp_path}/public_dg_0416/train holds"
    )
