"""The log of a trial: its warnings, and the traceback of the error that ended it."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
WARNING = re.compile(r"^[\d-]+ [\d:,]+ WARNING \S+: (.*)$", re.MULTILINE)


@contextmanager
def trial_log(path: Path) -> Iterator[None]:
    """Append to `path` what is logged as a warning or worse, and the traceback of an exception that leaves the context.

    Several workers of a trial may append to the same file.
    """
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter(LINE))
    logging.getLogger().addHandler(handler)
    try:
        yield
    except Exception as error:
        with suppress(OSError):  # A folder that is gone or full must not hide the error itself.
            handler.emit(logging.LogRecord(__name__, logging.ERROR, __file__, 0, str(error), None, sys.exc_info()))
        raise
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def warnings_in(path: Path, start: int = 0) -> tuple[list[str], int]:
    """Return the first lines of the warnings from byte `start` on, and where the file ends."""
    if not path.exists():
        return [], start
    with path.open("rb") as file:
        file.seek(start)
        text = file.read()
    return WARNING.findall(text.decode(errors="replace")), start + len(text)
