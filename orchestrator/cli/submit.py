"""Run a campaign command as a Ray job on a cluster."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exit_codes import FAILED, INTERRUPTED
from orchestrator.cli.options import Json
from orchestrator.cli.output import note, print_json, say

if TYPE_CHECKING:
    from orchestrator.cluster.jobs import JobOrder, Jobs, JobState

Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- COMMAND", help="A campaign command with its options.", show_default=False),
]
Dashboard = Annotated[
    str | None,
    typer.Option(
        envvar=["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"],
        help="URL of the cluster's dashboard, such as http://HEAD:8265; by default a cluster on this machine.",
        show_default=False,
    ),
]
WorkingDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder to copy to the cluster and run in; by default, what is installed there.", show_default=False
    ),
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Variable for the command; KEY alone takes this environment's value. May be repeated.",
        show_default=False,
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="Print the job's id and do not wait for it.")]
Status = Annotated[str | None, typer.Option(metavar="ID", help="Show a job.", show_default=False)]
Logs = Annotated[
    str | None, typer.Option(metavar="ID", help="Follow a job to its end, from its start.", show_default=False)
]
Stop = Annotated[str | None, typer.Option(metavar="ID", help="Stop a job, as Ctrl-C would.", show_default=False)]
KubeRay = Annotated[bool, typer.Option("--kuberay", help="Print a KubeRay RayJob for the command instead.")]
Image = Annotated[str | None, typer.Option(help="With --kuberay: container image with CAMpaign.", show_default=False)]
Claim = Annotated[
    str | None,
    typer.Option(help="With --kuberay: claim of the storage volume; by default campaign.", show_default=False),
]
Pods = Annotated[
    int | None, typer.Option(min=1, help="With --kuberay: the most worker pods; by default 2.", show_default=False)
]
PodGpus = Annotated[
    int | None, typer.Option(min=0, help="With --kuberay: GPUs of a pod; by default 1.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add this file's command to `app`."""
    app.command()(submit)


def submit(
    context: typer.Context,
    command: Command = None,
    address: Dashboard = None,
    working_dir: WorkingDir = None,
    env: Env = None,
    detach: Detach = False,
    status: Status = None,
    logs: Logs = None,
    stop: Stop = None,
    kuberay: KubeRay = False,
    image: Image = None,
    claim: Claim = None,
    pods: Pods = None,
    pod_gpus: PodGpus = None,
    json: Json = False,
) -> None:
    """Run a campaign command on a cluster, show its output, and end with its exit code.

    Its --storage, or the cluster's CAMPAIGN_STORAGE, must be a folder that all nodes share. A command that is submitted
    again continues from the files in that folder. The job gets the variables of --env, and the dashboard shows them.
    Ctrl-C does not stop the job.

    Example: campaign submit --address http://HEAD:8265 -- sweep digits-background-weight --storage /shared/campaign
    """
    from orchestrator.cluster.jobs import Jobs
    from orchestrator.launch.submit import PodOptions, check_options, job_of

    options = PodOptions(image, claim, pods, pod_gpus)
    job_ids = {"--status": status, "--logs": logs, "--stop": stop}
    given = {"--working-dir": bool(working_dir), "--env": bool(env), "--detach": detach, "--kuberay": kuberay}
    check_options(command or [], job_ids, options, given)
    if not command:
        return _show_or_stop(Jobs(address), status, logs, stop, json=json)
    order, folder = job_of(context.find_root().command, command, env or [], working_dir)
    if kuberay:
        return _print_ray_job(options.ray_job(order, folder), json=json)
    return _follow_or_leave(Jobs(address), order, detach=detach, json=json)


def _show_or_stop(jobs: "Jobs", status: str | None, logs: str | None, stop: str | None, *, json: bool) -> None:
    if status:
        _print_state(jobs.state(status), json=json)
    elif stop:
        state = jobs.stop(stop)
        _print_state(state, json=json)
        raise typer.Exit(0 if state.has_ended else FAILED)
    else:
        assert logs
        _follow(jobs, logs, json=json)


def _print_ray_job(text: str, *, json: bool) -> None:
    import yaml

    if json:
        print_json(yaml.safe_load(text))
    else:
        say(text.rstrip("\n"))


def _follow_or_leave(jobs: "Jobs", order: "JobOrder", *, detach: bool, json: bool) -> None:
    job_id = jobs.submit(order)
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
        print_json(asdict(state))
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
        print_json(asdict(state))
        return
    ended = "" if state.exit_code is None else f", exit code {state.exit_code}"
    say(f"{state.job_id}  {state.status}{ended}  {state.entrypoint}")
