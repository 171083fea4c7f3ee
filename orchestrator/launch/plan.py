"""A dry run of a sweep: sampled configs, how many trials fit, and how long it would take."""

from typing import Any

from orchestrator.cluster.session import nodes_to_use
from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.text import format_seconds, plural
from orchestrator.launch.preflight import check_fit, sample_points
from orchestrator.launch.progress import fill
from trainables.config import flatten

NUM_SHOWN = 5


def make_plan(config: SweepConfig, *, address: str | None, measure: bool) -> dict[str, Any]:
    """Sample and check the sweep's configs and its resources; launch no trial.

    Raises:
        ConfigError: The space samples an invalid config, its data cannot be used, or a trial does not fit.
    """
    assert config.space is not None
    experiment = config.experiment()
    samples = sample_points(config, config.num_trials)
    with nodes_to_use(address) as nodes:
        room = check_fit([experiment], nodes, limit=config.max_concurrent, grows=address is not None)
    epoch_s = None
    if measure:
        from trainables.training.step_time import time_epoch

        epoch_s = time_epoch(experiment)
    rounds = -(-config.num_trials // room.concurrent)
    jtt = experiment.training.jtt
    epochs = experiment.training.epochs + (0 if jtt is None else jtt.epochs)
    return {
        "space": config.space,
        "goals": [goal.model_dump() for goal in config.goals],
        "constraints": list(map(str, config.constraints)),
        "sampler": config.sampler,
        "num_trials": config.num_trials,
        "epochs": experiment.training.epochs,
        "base": flatten(experiment),
        "points": samples,
        "concurrent": room.concurrent,
        "resources": room.describe(),
        "epoch_s": epoch_s,
        "estimated_s": None if epoch_s is None else epoch_s * epochs * rounds,
    }


def plan_lines(plan: dict[str, Any]) -> list[str]:
    """Return the plan for people."""
    goals = ", ".join(f"{goal['metric']} ({goal['direction']})" for goal in plan["goals"])
    lines = [
        f"space      {plan['space']}: {plural(plan['num_trials'], 'trial')} of {plural(plan['epochs'], 'epoch')}",
        f"goals      {goals}",
        *(f"constraint {constraint}" for constraint in plan["constraints"]),
        f"resources  {plan['resources']}",
        *([f"sampler    {plan['sampler']}"] if plan["sampler"] != "tpe" else []),
    ]
    if plan["estimated_s"] is not None:
        lines.append(
            f"time       about {format_seconds(plan['estimated_s'])} of training, without evaluations "
            f"({plan['epoch_s']:.1f} s an epoch here)"
        )
    lines.append(f"points     the first {min(NUM_SHOWN, len(plan['points']))} of {len(plan['points'])}, all valid:")
    for point in plan["points"][:NUM_SHOWN]:
        first, *rest = (f"{field}={_short(value)}" for field, value in point.items())
        lines += fill([f"  {first}", *rest]).splitlines()
    return lines


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
