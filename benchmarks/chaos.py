"""Inject every fault for real and write the table of docs/reliability.md: `make chaos`.

A test marked `fault("what is injected")` injects one. Its properties `epochs_lost`, `duplicates` and `message` are what
it counted and read. A test that trains no epoch is marked `trains=False`, one that shows no message `says=False`. Where
another one leaves a cell empty, the command says so and fails.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- begin: make chaos -->\n", "<!-- end -->\n"
OPTIONS = ("-n", "2", "--no-loadscope-reorder", "-o", "junit_family=xunit1")
FOLDER = re.compile(r"(file://)?/\S*?/pytest-of-[^/\s]+/pytest-\d+/(popen-gw\d+/)?[^/\s:;,')]+")
ADDRESS = re.compile(r"\b127\.0\.0\.1:\d+")
JOB = re.compile(r"\braysubmit_\w+")
MAX_LETTERS = 200
NONE = "-"
HEAD = ("fault", "survived", "epochs lost", "duplicates", "message", "test")


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault, as its test left it, in all of the test's cases."""

    fault: str
    test: str
    survived: bool
    epochs_lost: str = ""
    duplicates: str = ""
    message: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        message = f"`{self.message}`" if self.message not in ("", NONE) else self.message
        return (
            self.fault,
            "yes" if self.survived else "**no**",
            self.epochs_lost,
            self.duplicates,
            message.replace("|", "\\|"),
            f"`{self.test}`",
        )

    @property
    def is_measured(self) -> bool:
        """Whether no cell is empty."""
        return all(self.cells)


def shown(message: str) -> str:
    """Return the message without what differs from run to run, such as folders of tests, and without backticks.

    >>> shown("no /tmp/pytest-of-me/pytest-7/test_it0/a at 127.0.0.1:4711")
    'no …/a at 127.0.0.1:…'
    """
    message = JOB.sub("…", ADDRESS.sub("127.0.0.1:…", FOLDER.sub("…", message)))
    return message.replace("`", "'")[:MAX_LETTERS]


def joined(first: Injected, other: Injected) -> Injected:
    """Return two cases of a test as one row: the worse of both, with the first one's message."""
    return replace(
        first,
        survived=first.survived and other.survived,
        epochs_lost=_worse(first.epochs_lost, other.epochs_lost),
        duplicates=_worse(first.duplicates, other.duplicates),
        message=first.message or other.message,
    )


def _worse(first: str, other: str) -> str:
    return max(first, other, key=lambda number: int(number) if number.isdecimal() else -1)


def read_report(report: Path) -> list[Injected]:
    """Return the faults of a JUnit report, by file and name of their tests; those that were skipped are left out."""
    found: dict[str, Injected] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        properties = {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        outcomes = {child.tag for child in case}
        if "fault" in properties and "skipped" not in outcomes:
            name, _, _ = case.get("name", "").partition("[")
            test = f"{case.get('classname', '').replace('.', '/')}.py::{name}"
            message = shown(properties.pop("message", ""))
            injected = Injected(test=test, survived=not outcomes & {"failure", "error"}, message=message, **properties)
            found[test] = joined(found[test], injected) if test in found else injected
    return [found[test] for test in sorted(found)]


def table(injected: list[Injected]) -> str:
    """Return the Markdown table of the faults."""
    lines = [HEAD, ("---",) * len(HEAD), *(each.cells for each in injected)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_table(injected: list[Injected], page: Path) -> None:
    """Replace the table between the page's marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}{table(injected)}{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="arguments for pytest, such as -k checkpoint; the page then stays")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-m", "fault or chaos", *OPTIONS, f"--junitxml={report}"]
        code = subprocess.run([*command, *only], cwd=ROOT, check=False).returncode
        injected = read_report(report)
    if only:
        sys.stdout.write(table(injected))
    else:
        write_table(injected, PAGE)
    unmeasured = [each.test for each in injected if each.survived and not each.is_measured]
    for test in unmeasured:
        sys.stderr.write(f"error: {test} leaves a cell empty: count it, or mark it trains=False or says=False\n")
    sys.exit(code or bool(unmeasured))


if __name__ == "__main__":
    main()
