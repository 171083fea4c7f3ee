"""Runs of a sweep, read from MLflow's sqlite file itself: MLflow's client takes seconds to import, this milliseconds.

Only the tables `experiments`, `runs` and `tags` are read, in the form they have had since MLflow 1. Where a file has
them in another form, `runs.py` asks MLflow's client.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

Tags = dict[str, str]

EXPERIMENT = "SELECT experiment_id FROM experiments WHERE name = ?"
TAGS = """
SELECT run_uuid, key, value FROM tags JOIN runs USING (run_uuid)
WHERE experiment_id = ? AND lifecycle_stage = 'active'
AND key IN ('campaign.sweep', 'campaign.created', 'campaign.kind', 'campaign.trial_id')
ORDER BY start_time, run_uuid
"""


def read_runs(file: Path, experiment: str, wanted: Tags) -> tuple[str | None, list[tuple[str, Tags]]]:
    """Return the experiment's id, and id and tags of its runs that have the tags `wanted`, the oldest first.

    Raises:
        sqlite3.OperationalError: The file is locked, or has other tables.
    """
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute(EXPERIMENT, [experiment]).fetchone()
        if found is None:
            return None, []
        runs: dict[str, Tags] = {}
        for run_id, key, value in connection.execute(TAGS, found):
            runs.setdefault(run_id, {})[key] = value
    return str(found[0]), [(run_id, tags) for run_id, tags in runs.items() if wanted.items() <= tags.items()]
