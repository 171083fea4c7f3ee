"""Addresses of MLflow's pages."""

from orchestrator.tracking.store import Store, connect, store_errors

LOCAL_SERVER = "http://127.0.0.1:5000"
"""Where `campaign ui` serves the pages by default."""


def runs_page(server: str, experiment_id: str) -> str:
    """Return the address of an experiment's runs: the experiment's own page is an empty one on traces."""
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs"


def runs_pages(store: Store, server: str) -> dict[str, str]:
    """Return experiment -> address of its runs, the newest first.

    Raises:
        StoreError: The store cannot be read.
    """
    with store_errors(store):
        found = connect(store).search_experiments(filter_string="name != 'Default'", order_by=["last_update_time DESC"])
        return {experiment.name: runs_page(server, experiment.experiment_id) for experiment in found}


def where_runs_are(store: Store, experiment_id: str) -> str:
    """Return the line that says how to see the runs in a browser."""
    if store.is_database:
        return f"runs in MLflow: campaign ui, then {runs_page(LOCAL_SERVER, experiment_id)}"
    return f"runs in MLflow: {runs_page(str(store), experiment_id)}"
