"""Placement groups that CAMpaign's own jobs have left on a cluster when they were killed."""

import logging
import shlex
from pathlib import PurePath

logger = logging.getLogger(__name__)

MAX_LISTED = 10_000
"""The most that Ray's state API lists in one answer."""


def remove_leftovers() -> int:
    """Remove the placement groups of ended `campaign` jobs in which no actor lives; return how many there were.

    A job that is killed while Ray Train starts its workers leaves their placement group, and its CPUs and GPUs stay
    reserved. Groups of other programs are kept, and so are detached ones, which outlive their jobs on purpose. While
    the state API does not answer, nothing is removed.
    """
    from ray._raylet import PlacementGroupID
    from ray.util.placement_group import PlacementGroup, remove_placement_group
    from ray.util.state.exception import RayStateApiException

    try:
        leftovers = _leftovers()
    except RayStateApiException as error:
        logger.debug("placement groups cannot be listed: %s", error)
        return 0
    for group_id in leftovers:
        remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(group_id))))
        logger.info("removed placement group %s, which an ended job had left", group_id)
    return len(leftovers)


def _leftovers() -> list[str]:
    import ray
    from ray.util.state import list_actors, list_jobs, list_placement_groups

    address = ray.get_runtime_context().gcs_address
    options = {"address": address, "limit": MAX_LISTED, "raise_on_missing_output": False}
    jobs = [job for job in list_jobs(**options) if job.status in ("SUCCEEDED", "STOPPED", "FAILED")]
    ended = {job.job_id for job in jobs if _is_campaign(job.entrypoint or "")}
    groups = [
        group.placement_group_id
        for group in list_placement_groups(detail=True, **options)
        if group.creator_job_id in ended and group.state != "REMOVED" and not group.is_detached
    ]
    if not groups:
        return []
    used = {actor.placement_group_id for actor in list_actors(detail=True, **options) if actor.state != "DEAD"}
    return [group for group in groups if group not in used]


def _is_campaign(entrypoint: str) -> bool:
    """Return whether a job's command is `campaign`, called by its name or by Python."""
    try:
        words = shlex.split(entrypoint)
    except ValueError:
        return False
    return any(PurePath(word).name == "campaign" for word in words[:2])
