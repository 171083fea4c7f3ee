"""What the stopwatch and the turns of an interleaved measurement do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(program: str) -> None:
    """Run `program` where the package of the benchmarks can be imported."""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_sides_take_turns_and_the_warmup_is_left_out() -> None:
    run("""
from benchmarks.harness.timing import interleaved
calls = []
def side(name):
    return lambda: calls.append(name) or float(len(calls))
found = interleaved({"a": side("a"), "b": side("b")}, repetitions=2, warmup=1)
assert "".join(calls) == "abbaab", calls
assert found == {"a": [4.0, 5.0], "b": [3.0, 6.0]}, found
""")


def test_stopwatch_times_calls_and_restores_the_function() -> None:
    run("""
import json
from benchmarks.harness.timing import Stopwatch
before, watch = json.dumps, Stopwatch()
with watch.watching({"dumping": "json:dumps", "decoding": "json:JSONDecoder.decode"}):
    json.dumps(1), json.dumps(2), json.loads("3")
assert json.dumps is before
assert [len(watch.seconds[part]) for part in ("dumping", "decoding")] == [2, 1]
assert all(seconds > 0 for calls in watch.seconds.values() for seconds in calls)
""")


def test_the_paired_ratio_is_the_median_of_ratios_of_a_turn() -> None:
    """Ratios 2, 1 and 3; the ratio of medians would be 3 / 2."""
    run("""
from benchmarks.harness.timing import paired_ratio
assert paired_ratio([2.0, 3.0, 6.0], [1.0, 3.0, 2.0]) == 2.0
""")
