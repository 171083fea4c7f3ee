"""A page among the artifacts of a run."""

import logging
from pathlib import Path

from orchestrator.tracking.store import Store, StoreError, connect, store_errors
from trainables.json_file import read_text

logger = logging.getLogger(__name__)


def send_page(store: Store, run_id: str, page: Path, name: str) -> bool:
    """Send a page to a run's artifacts under a name, over an earlier one; False, with a warning, if MLflow is away."""
    try:
        with store_errors(store):
            connect(store).log_text(run_id, read_text(page), name)
    except StoreError as error:
        logger.warning("%s is not in MLflow (the same command sends it): %s", page, error)
        return False
    return True
