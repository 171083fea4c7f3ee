"""Optuna's journal after a crash: a line that was cut short, and the lock of a process that is gone."""

import json
import logging
from pathlib import Path

from trainables.json_file import BrokenFileError, write_text

logger = logging.getLogger(__name__)

START = b'{"op_code":'
"""How Optuna starts each line."""


def repair_journal(path: Path) -> None:
    """Make the journal readable and writable again after its writer was killed or its disk was full.

    The caller holds the sweep, so a lock of the journal belongs to a process that is gone. A line that was cut short
    goes to `study.journal.torn`: Optuna would append its next line to it, and could then read neither.

    Raises:
        BrokenFileError: A line was changed in another way; the message names it.
    """
    for lock in path.parent.glob(f"{path.name}.lock*"):
        lock.unlink()
    if not path.exists():
        return
    whole, torn = _split(path)
    if torn:
        aside = path.with_name(f"{path.name}.torn")
        with aside.open("ab") as file:
            file.writelines(piece + b"\n" for piece in torn)
        write_text(path, b"".join(whole).decode("ascii"))
        logger.warning("%s: a crash or a full disk cut a line short; what is left of it is in %s", path, aside)


def _split(path: Path) -> tuple[list[bytes], list[bytes]]:
    """Return the whole lines of the journal, and what was cut short: its end, or the start of a line."""
    *lines, tail = path.read_bytes().split(b"\n")
    whole, torn = [], []
    for number, line in enumerate(lines, 1):
        start = 0 if _is_json(line) else line.rfind(START)
        if start < 0 or not _is_json(line[start:]):
            raise BrokenFileError(
                f"{path}, line {number}: expected one of Optuna's operations, found {line[:60]!r}; bring the file "
                "back, or start another sweep under another --name"
            )
        whole.append(line[start:] + b"\n")
        torn.append(line[:start])
    return whole, [piece for piece in (*torn, tail) if piece]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
