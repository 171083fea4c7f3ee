"""Make docs/performance.md from the rows of the benchmarks that have run; each benchmark does so too at its end."""

import argparse
from pathlib import Path

from benchmarks.harness.page import write_page
from benchmarks.harness.rows import PAGE, RESULTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the rows")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    arguments = parser.parse_args()
    write_page(arguments.results, arguments.page)


if __name__ == "__main__":
    main()
