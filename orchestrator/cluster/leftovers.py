"""Placement groups that jobs have left on a cluster when they were killed."""

import logging

logger = logging.getLogger(__name__)

MAX_LISTED = 10_000
"""The most that Ray's state API lists in one answer."""


def remove_leftovers() -> int:
    """Remove the placement groups of ended jobs in which no actor lives, and return how many there were.

    A job that is killed while Ray Train starts its workers leaves their placement group, and its CPUs and GPUs stay
    reserved. Detached groups outlive their jobs on purpose and are kept. While the state API does not answer, nothing
    is removed.
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
    ended = {job.job_id for job in list_jobs(**options) if job.status in ("SUCCEEDED", "STOPPED", "FAILED")}
    groups = [
        group.placement_group_id
        for group in list_placement_groups(detail=True, **options)
        if group.creator_job_id in ended and group.state != "REMOVED" and not group.is_detached
    ]
    if not groups:
        return []
    used = {actor.placement_group_id for actor in list_actors(detail=True, **options) if actor.state != "DEAD"}
    return [group for group in groups if group not in used]
