"""Placement groups that CAMpaign's own jobs, or drivers of trials, have left on a cluster when they were killed."""

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


def remove_groups_of_dead_actors() -> int:
    """Remove the placement groups of this job that were made by actors which have died; return how many there were.

    A driver of workers that is killed while they start leaves their group, which Ray keeps until the job ends. Ray's
    table of groups says which actor made one; its state API does not.
    """
    import ray
    from ray._private.state import state
    from ray._raylet import PlacementGroupID
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData
    from ray.util.placement_group import PlacementGroup, remove_placement_group

    own = ray.get_runtime_context().get_job_id()
    groups = map(PlacementGroupTableData.FromString, state._connect_and_get_accessor().get_placement_group_table())
    left = [
        group.placement_group_id
        for group in groups
        if group.creator_job_id.hex() == own
        and group.creator_actor_dead
        and not ray.ActorID(group.creator_actor_id).is_nil()
        and not group.is_detached
        and group.state != PlacementGroupTableData.REMOVED
    ]
    for group_id in left:
        remove_placement_group(PlacementGroup(PlacementGroupID(group_id)))
        logger.info("removed placement group %s, whose driver had died", group_id.hex())
    return len(left)


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
