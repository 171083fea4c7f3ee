"""Which MLflow runs a sweep has."""

from orchestrator.tracking.parent import SweepIdentity
from orchestrator.tracking.store import Store, connect

PAGE = 1000


def find_runs(store: Store, identity: SweepIdentity) -> dict[str, str]:
    """Return trial id -> run id of the sweep's trials.

    Raises:
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    client = connect(store)
    found: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs(
            [identity.experiment_id],
            filter_string=f"tags.`campaign.sweep` = '{identity.sweep}' and tags.`campaign.kind` = 'trial'",
            max_results=PAGE,
            page_token=token,
        )
        found |= {run.data.tags["campaign.trial_id"]: run.info.run_id for run in page}
        token = page.token
        if not token:
            return found
