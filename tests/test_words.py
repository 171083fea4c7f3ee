"""Replaced words stay out of code, messages and pages: the new ones are those that users of our libraries know."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("orchestrator", "trainables", "search_spaces", "benchmarks", "tests", "docs", "README.md", "CHANGELOG.md")
SUFFIXES = {".j2", ".js", ".md", ".py", ".yaml"}

# A regular expression for what is no longer written, what is written instead, and a text that holds it.
# `num_pictures` stays: it is a key of stored JSON, which is compared with that of new evaluations.
REPLACED = [
    (r"(?i)\bcrown", "set_champion_alias or champion", "crown(winner)"),
    (r"(?i)heed(?!less)", "restore, handle or follow", "def _heed_ctrl_c():"),
    (r"(?i)\bbeside\b", "next to or with", "the rows beside a figure"),
    (r"(?i)\bholds? this\b", "enforces this", "a test holds this"),
    (r"(?i)\btold\b", "given, known or informed", "unless told otherwise"),
    (r"\bspared", "clipped", "spared_BKP = maps_BKP"),
    (r"(?i)(?<!num_)pictures?\b", "image", "the picture of a trial"),
    (r"(?i)\bbeaten\b", "dominated", "Small marks are beaten."),
    (r"(?i)photo", "image", "the photos of a data set"),
    (r"(?i)\bwant of\b", "without", "left out for want of a value"),
    (r"OutsideSet|outside_sets", "OodSet or ood_sets", "class OutsideSet(Section):"),
    (r"masked_repeats", "oversample_masked", "masked_repeats: 2"),
    (r"FolderOfPoint", "TrialSampler", "class FolderOfPoint:"),
    (r"RecordEnds", "TrialOutcomeCallback", "callbacks=[RecordEnds()]"),
    (r"TrialSetting", "SweepContext", "setting: TrialSetting"),
    (r"\b_settle\b", "close_interrupted_trials", "def _settle(folder):"),
    (r"\bKeeper\b", "EvaluationStore", "class Keeper:"),
    (r"kept_provenance", "read_provenance", "from files import kept_provenance"),
    (r"NONE_KEPT", "NO_INDEX", "index = NONE_KEPT"),
    (r"\bWatch(er)?\b", "ProgressListener", "def run(watcher: Watcher)"),
    (r"\bleaving\.", "preemption_notice", "if leaving.ask():"),
    (r"(?i)\bt(ake|akes|aken|aking|ook)[ _]up\b", "restore or resume", "def take_up(folder):"),
    (r"EpochSoFar", "PartialEpoch", "so_far = EpochSoFar()"),
    (r"RunView", "RunWriter", "class RunView(Protocol):"),
    (r"\bfirst_use\b", "migration_lock", "with first_use(uri):"),
    (r"figures_of_merit", "metric_catalogue", "import figures_of_merit"),
    (r"\bwording\b", "formatting", "from results import wording"),
    (r"\bSubject\b", "EvaluationContext", "def run(subject: Subject)"),
    (r"\bPatient\b", "DoctorOptions", "class Patient:"),
    (r"\bLOOKS\b", "CHECKS", "for look in LOOKS:"),
    (r"average_with_batch", "ema_decay_with_batch", "average_with_batch: true"),
    (r"children_but", "without_children", "def children_but(module):"),
    (r"\b(MOST|LEAST|LONGEST|FEWEST)_", "MAX_ or MIN_", "MOST_TRIALS = 8"),
]

# Where a replaced word is right: a file, a text in its line, and why.
OLD_KEY = "a key of earlier versions, which is still read"
EXCEPTIONS = [
    ("CHANGELOG.md", "average_with_batch", OLD_KEY),
    ("CHANGELOG.md", "data.masked_repeats", OLD_KEY),
    ("orchestrator/results/study_document.py", "pictures", OLD_KEY),
    ("tests/orchestrator/files/test_sweep_config.py", "pictures", OLD_KEY),
    ("tests/orchestrator/launch/test_promote.py", "pictures", OLD_KEY),
    ("tests/orchestrator/results/test_study_result.py", "pictures", OLD_KEY),
    ("tests/trainables/config/test_renamed.py", "pictures", OLD_KEY),
    ("trainables/config/renamed.py", "pictures", OLD_KEY),
    ("tests/orchestrator/files/test_study.py", "masked_repeats", OLD_KEY),
    ("tests/orchestrator/files/test_sweep_config.py", "masked_repeats", OLD_KEY),
    ("tests/orchestrator/launch/test_promote.py", "average_with_batch", OLD_KEY),
    ("tests/orchestrator/launch/test_search.py", "masked_repeats", OLD_KEY),
    ("tests/trainables/config/test_renamed.py", "masked_repeats", OLD_KEY),
    ("trainables/config/renamed.py", "average_with_batch", OLD_KEY),
    ("trainables/config/renamed.py", "masked_repeats", OLD_KEY),
]


def texts() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every file that people write."""
    for place in PLACES:
        paths = [ROOT / place] if (ROOT / place).is_file() else sorted((ROOT / place).rglob("*"))
        for path in paths:
            if path.suffix in SUFFIXES and path != Path(__file__):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def uses(pattern: str, path: str, text: str) -> list[str]:
    """Return the place and the text of each use of a replaced word."""
    excepted = [right for file, right, _ in EXCEPTIONS if file == path]
    return [
        f"{path}:{number}: {found[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        if (found := re.search(pattern, line)) and not any(right in line for right in excepted)
    ]


@pytest.fixture(scope="module")
def written() -> list[tuple[str, str]]:
    return list(texts())


@pytest.mark.parametrize(("pattern", "instead"), [(pattern, instead) for pattern, instead, _ in REPLACED])
def test_replaced_word_is_not_used(pattern: str, instead: str, written: list[tuple[str, str]]) -> None:
    assert [use for path, text in written for use in uses(pattern, path, text)] == [], f"write {instead}"


@pytest.mark.parametrize(("pattern", "example"), [(pattern, example) for pattern, _, example in REPLACED])
def test_planted_word_is_found(pattern: str, example: str) -> None:
    (use,) = uses(pattern, "some.py", f"x = 1\n{example}\n")
    assert use.startswith("some.py:2: ")


def test_every_place_is_read(written: list[tuple[str, str]]) -> None:
    assert {path.split("/")[0] for path, _ in written} == set(PLACES)
    assert {Path(path).suffix for path, _ in written} == SUFFIXES


def test_every_exception_is_still_needed(written: list[tuple[str, str]]) -> None:
    patterns = [pattern for pattern, _, _ in REPLACED]
    for file, right, _ in EXCEPTIONS:
        lines = [line for line in dict(written)[file].splitlines() if right in line]
        assert any(re.search(pattern, line) for pattern in patterns for line in lines), (file, right)
