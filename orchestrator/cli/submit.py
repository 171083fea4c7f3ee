"""Run a campaign command as a Ray job on a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.exit_codes import INTERRUPTED
from orchestrator.cli.options import Json
from orchestrator.cli.output import note, print_json, say

if TYPE_CHECKING:
    from orchestrator.cluster.jobs import JobOrder, Jobs, JobState


def register(app: typer.Typer) -> None:
    """Add this file's command to `app`."""
    app.command()(submit)


def submit(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND", help="A campaign command with its options.", show_default=False),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            envvar=["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"],
            help="URL of the cluster's dashboard, such as http://HEAD:8265; by default a cluster on this machine.",
            show_default=False,
        ),
    ] = None,
    working_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder to copy to the cluster and run in; by default, what is installed there.", show_default=False
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Variable for the command; KEY alone takes this environment's value. May be repeated.",
            show_default=False,
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Print the job's id and do not wait for it.")] = False,
    status: Annotated[str | None, typer.Option(metavar="ID", help="Show a job.", show_default=False)] = None,
    logs: Annotated[
        str | None, typer.Option(metavar="ID", help="Follow a job to its end, from its start.", show_default=False)
    ] = None,
    stop: Annotated[
        str | None, typer.Option(metavar="ID", help="Stop a job, as Ctrl-C would.", show_default=False)
    ] = None,
    kuberay: Annotated[bool, typer.Option("--kuberay", help="Print a KubeRay RayJob for the command instead.")] = False,
    image: Annotated[
        str | None, typer.Option(help="With --kuberay: container image with CAMpaign.", show_default=False)
    ] = None,
    claim: Annotated[
        str | None,
        typer.Option(help="With --kuberay: claim of the storage volume; by default campaign.", show_default=False),
    ] = None,
    pods: Annotated[
        int | None, typer.Option(min=1, help="With --kuberay: the most worker pods; by default 2.", show_default=False)
    ] = None,
    pod_gpus: Annotated[
        int | None, typer.Option(min=0, help="With --kuberay: GPUs of a pod; by default 1.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Run a campaign command on a cluster, show its output, and end with its exit code.

    Its --storage, or the cluster's CAMPAIGN_STORAGE, must be a folder that all nodes share. A command that is submitted
    again continues from the files in that folder. The job gets the variables of --env, and the dashboard shows them.
    Ctrl-C does not stop the job.

    Example: campaign submit --address http://HEAD:8265 -- sweep digits-background-weight --storage /shared/campaign
    """
    from orchestrator.cli.job_command import check_command, job_environment
    from orchestrator.cluster.jobs import JobOrder, Jobs
    from trainables.config import ConfigError

    asked = {"--status": status, "--logs": logs, "--stop": stop}
    chosen = [option for option, job_id in asked.items() if job_id]
    if len(chosen) + bool(command) != 1:
        raise ConfigError(
            "campaign submit needs one of -- COMMAND, --status ID, --logs ID and --stop ID; "
            f"found {' and '.join(chosen + ['-- COMMAND'] * bool(command)) or 'none'}"
        )
    if kuberay and detach:
        raise ConfigError("--detach has no effect with --kuberay, which submits nothing")
    if chosen and (working_dir or env or detach or kuberay):
        raise ConfigError(
            f"--working-dir, --env, --detach and --kuberay need a command, and have no effect with {chosen[0]}"
        )
    if not kuberay and (image, claim, pods, pod_gpus) != (None,) * 4:
        raise ConfigError("--image, --claim, --pods and --pod-gpus have no effect without --kuberay")
    if command:
        environment, folder = job_environment(env or []), working_dir and working_dir.expanduser().absolute()
        words, storage = check_command(context.find_root().command, command, environment, folder)
        order = JobOrder(words, environment, folder)
        if kuberay:
            _print_ray_job(order, storage, image, claim=claim, pods=pods, gpus=pod_gpus, json=json)
            return
        jobs = Jobs(address)
        job_id = jobs.submit(order)
        _follow_or_leave(jobs, job_id, detach=detach, json=json)
        return
    jobs = Jobs(address)
    if status:
        _print_state(jobs.state(status), json=json)
    elif stop:
        state = jobs.stop(stop)
        _print_state(state, json=json)
        raise typer.Exit(0 if state.has_ended else 1)
    else:
        assert logs
        _follow(jobs, logs, json=json)


def _print_ray_job(
    order: "JobOrder",
    storage: Path | None,
    image: str | None,
    *,
    claim: str | None,
    pods: int | None,
    gpus: int | None,
    json: bool,
) -> None:
    from importlib.metadata import version
    from pathlib import PurePosixPath

    import yaml

    from orchestrator.cluster.kuberay import KubePods, ray_job
    from trainables.config import ConfigError

    if order.working_dir:
        raise ConfigError("--working-dir has no effect with --kuberay: the code is in the image")
    if not image:
        raise ConfigError("--kuberay needs --image, a container image with CAMpaign and Ray")
    if storage is None:
        raise ConfigError(
            "--kuberay mounts the volume at the storage folder: give the command an absolute --storage, or "
            "--env CAMPAIGN_STORAGE=FOLDER"
        )
    text = ray_job(
        order,
        KubePods(image, claim or "campaign", workers=pods or 2, gpus=1 if gpus is None else gpus),
        storage=PurePosixPath(storage),
        ray_version=version("ray"),
    )
    if json:
        print_json(yaml.safe_load(text))
    else:
        say(text.rstrip("\n"))


def _follow_or_leave(jobs: "Jobs", job_id: str, *, detach: bool, json: bool) -> None:
    where = f"--address {jobs.address}"
    if not detach:
        note(f"job {job_id} on {jobs.address}")
        _follow(jobs, job_id, json=json)
        return
    note(f"its output: campaign submit {where} --logs {job_id}; stop it: campaign submit {where} --stop {job_id}")
    if json:
        print_json({"job_id": job_id, "address": jobs.address})
    else:
        say(job_id)


def _follow(jobs: "Jobs", job_id: str, *, json: bool) -> None:
    """Show the job's output, and end with its exit code; with `json` its output goes to standard error."""
    import sys

    from orchestrator.cluster.jobs import ENTRYPOINT_NOT_FOUND

    output = sys.stderr if json else sys.stdout
    where = f"--address {jobs.address}"
    try:
        state = jobs.follow(job_id, lambda text: print(text, end="", file=output, flush=True))
    except KeyboardInterrupt:
        note(
            f"\njob {job_id} keeps running; its output: campaign submit {where} --logs {job_id}; "
            f"stop it: campaign submit {where} --stop {job_id}"
        )
        raise typer.Exit(INTERRUPTED) from None
    if json:
        print_json(_document(state))
    if state.exit_code == ENTRYPOINT_NOT_FOUND:
        note("campaign is not on the PATH of the cluster's nodes: start Ray there where it is installed")
    if state.status == "SUCCEEDED":
        return
    note(f"job {job_id} {state.status}: {state.message or 'no reason given'}")
    raise typer.Exit(_exit_code(state))


def _exit_code(state: "JobState") -> int:
    """Return the exit code of a job that did not succeed, as a shell would."""
    if state.status == "STOPPED":
        return INTERRUPTED
    code = state.exit_code or 1
    return 128 - code if code < 0 else code


def _print_state(state: "JobState", *, json: bool) -> None:
    if json:
        print_json(_document(state))
        return
    ended = "" if state.exit_code is None else f", exit code {state.exit_code}"
    say(f"{state.job_id}  {state.status}{ended}  {state.entrypoint}")


def _document(state: "JobState") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(state)
