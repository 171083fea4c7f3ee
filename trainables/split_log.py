"""A trial's log of which split was evaluated when, so that one can see when the test images were read."""

import json
from datetime import UTC, datetime
from pathlib import Path

from trainables.metric_names import Split


def split_log(folder: Path) -> Path:
    """Return the log in a trial's folder: one JSON object a line, with `time`, `split` and `by`."""
    return folder / "splits.jsonl"


def log_split(folder: Path, split: Split, by: str) -> None:
    """Note that a split's images are evaluated, and by what: `epoch 3`, `campaign evaluate`, `sweep` or `study`."""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "split": split, "by": by}
    with split_log(folder).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
