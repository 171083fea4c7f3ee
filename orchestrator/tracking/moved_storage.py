"""The artifacts of a storage folder that was moved: MLflow knows them by the path at which they were made."""

import logging
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlsplit

logger = logging.getLogger(__name__)

LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's database that hold addresses of artifacts. MLflow has no command that changes them."""
NUM_CHECKED = 100
"""How many runs are looked for at the new place; that a run lies there shows that the folder was moved or copied."""


def follow_artifacts(database: sqlite3.Connection, artifacts: str) -> None:
    """Let experiments, runs and models of a storage's own database point to the artifacts next to it.

    Otherwise MLflow would not find them after the storage was moved, and would make the old folder anew.

    Args:
        database: In a transaction.
        artifacts: The `file:` address of the artifacts next to the database.
    """
    for old in _other_places(database, artifacts):
        if _were_moved(database, old, artifacts):
            logger.warning("the artifacts of %s are now looked for in %s", _path(old), _path(artifacts))
            for table, column in LOCATIONS:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {_below(column)}",
                    (artifacts, len(old) + 1, old, f"{old}/", f"{old}/"),
                )


def _other_places(database: sqlite3.Connection, artifacts: str) -> list[str]:
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'model_versions'").fetchone():
        return []  # A database that MLflow has not made ready yet.
    found = database.execute("SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE 'file:%'")
    here = _path(artifacts).resolve()
    return [place for (place,) in found if place.endswith("/artifacts") and _path(place).resolve() != here]


def _were_moved(database: sqlite3.Connection, old: str, artifacts: str) -> bool:
    """Return whether artifacts made at `old` lie in `artifacts`; without a run, whether `old` is gone."""
    query = f"SELECT run_uuid FROM runs WHERE {_below('artifact_uri')} LIMIT {NUM_CHECKED}"
    runs = database.execute(query, (old, f"{old}/", f"{old}/")).fetchall()
    return any((_path(artifacts) / run).is_dir() for (run,) in runs) if runs else not _path(old).exists()


def _below(column: str) -> str:
    return f"({column} = ? OR substr({column}, 1, length(?)) = ?)"


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))
