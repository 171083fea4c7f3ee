"""What becomes of timm's networks: one of each family, and the table that docs/models.md has of all."""

from pathlib import Path

import pytest
import timm

from benchmarks.models import BEGIN_TIMM, END_TIMM
from benchmarks.timm_networks import VERDICTS, Judgement, judge, judge_all, rows

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
TABLE = TEXT.partition(BEGIN_TIMM)[2].partition(END_TIMM)[0].strip().splitlines()
COUNTS = {family: counts for family, *counts in ([cell.strip() for cell in row.split("|")[1:6]] for row in TABLE[2:])}


def one_of_each_family() -> dict[str, str]:
    """Return a network, of those that timm made for tests where there is one, by the file that defines it."""
    names = sorted(timm.list_models(), key=lambda name: not name.startswith("test_"))
    return {timm.model_entrypoint(name).__module__.rpartition(".")[2]: name for name in reversed(names)}


def test_the_table_counts_every_registered_network() -> None:
    assert COUNTS.keys() == one_of_each_family().keys()
    assert sum(int(count or 0) for counts in COUNTS.values() for count in counts) == len(timm.list_models())


@pytest.mark.slow
def test_one_network_of_each_family_is_judged_as_in_the_table() -> None:
    for family, name in one_of_each_family().items():
        judgement = judge(name)
        assert judgement.family == family
        assert int(COUNTS[family][VERDICTS.index(judgement.verdict)]) >= 1, name


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
