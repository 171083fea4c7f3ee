"""What becomes of timm's networks, and the table that docs/models.md has of all."""

from pathlib import Path

import pytest
import timm

from benchmarks.models import BEGIN_TIMM, END_TIMM
from benchmarks.timm_networks import Judgement, judge_all, rows

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
TABLE = TEXT.partition(BEGIN_TIMM)[2].partition(END_TIMM)[0].strip().splitlines()
COUNTS = {family: counts for family, *counts in ([cell.strip() for cell in row.split("|")[1:6]] for row in TABLE[2:])}


def test_the_table_counts_every_registered_network() -> None:
    families = {timm.model_entrypoint(name).__module__.rpartition(".")[2] for name in timm.list_models()}
    assert COUNTS.keys() == families
    assert sum(int(count or 0) for counts in COUNTS.values() for count in counts) == len(timm.list_models())


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_every_registered_network_is_judged_as_in_the_table() -> None:
    assert [*rows(judge_all().values())] == TABLE


def test_a_row_counts_the_verdicts_of_a_family_and_names_their_layers() -> None:
    judgements = [
        Judgement("convnext", "head on every cell", "head.norm", is_local=True),
        Judgement("convnext", "head on every cell", "head.norm", is_local=True),
        Judgement("convnext", "refused", "shape 2x50x512 is no map of 512", is_local=False),
        Judgement("convnext", "refused", "shape 2x7 is no map of 64", is_local=False),
        Judgement("beit", "as it is", "", is_local=False),
    ]
    _, _, *found = rows(judgements)
    assert found == [
        "| beit | 1 |  |  |  |  | not local |",
        "| convnext |  | 2 |  | 2 | head.norm; shape … is no map of … | local |",
    ]
