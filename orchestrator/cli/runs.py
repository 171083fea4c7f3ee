"""Commands on one run: train, evaluate, explain, inspect."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.cli.exit_codes import FAILED
from orchestrator.cli.options import (
    DEFAULT_STORAGE,
    Address,
    Campaign,
    Config,
    Json,
    Name,
    Run,
    Runs,
    Set,
    Storage,
    TrackingUri,
)
from orchestrator.cli.output import command_line, continued_with, note, print_json, say

if TYPE_CHECKING:
    from orchestrator.tracking import TrialRun
    from trainables.trial_folder import TrialFolder

Suite = Annotated[
    str, typer.Option(help="quick, full, or categories and evaluations joined by commas, such as ood,pgd.")
]
SplitName = Annotated[
    Literal["val", "test"] | None,
    typer.Option("--split", help="Images to evaluate; by default the test split.", show_default=False),
]
Again = Annotated[bool, typer.Option(help="Run finished evaluations once more.")]
Images = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Images of any size.", show_default=False)]
Output = Annotated[Path, typer.Option(help="Folder for the panels.")]
Other = Annotated[
    str | None, typer.Argument(metavar="[OTHER]", help="Another run, to show next to it.", show_default=False)
]
Page = Annotated[Path, typer.Option(help="The page.")]
Label = Annotated[str | None, typer.Option(help="Class to explain; by default the predicted one.", show_default=False)]
Rivals = Annotated[int, typer.Option(min=1, help="Rival classes to set it against.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    app.command()(train)
    app.command()(evaluate)
    app.command()(explain)
    app.command()(inspect)


def train(
    config: Config,
    name: Name = None,
    campaign: Campaign = None,
    set_: Set = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train one config; the same command again continues it.

    With resources.workers=0 it trains in this process, with n it trains on n Ray Train workers.

    Example: campaign train digits --set objective.kind=contrastive --set resources.workers=2
    """
    from orchestrator.files.sweep_config import check_name
    from orchestrator.tracking import resolve_store
    from search_spaces import find_experiment

    if campaign is not None:
        check_name(campaign, "--campaign")
    experiment, stem = find_experiment(config, set_ or []), Path(config).stem
    store = resolve_store(storage, tracking_uri)
    from orchestrator.launch.train import name_run, train_one  # Heavy: only for a config that is right.

    with continued_with(command_line):
        trial_run, folder = train_one(
            experiment,
            name=name_run(experiment, stem, name),
            campaign=campaign or stem,
            storage=storage,
            store=store,
            address=address,
            on_start=lambda folder: note(f"run {folder.path.name} in {folder.path}, tracked in {store}"),
        )
    _print_run(trial_run, folder, json=json)


def _print_run(trial_run: "TrialRun", folder: "TrialFolder", *, json: bool) -> None:
    """Print the metrics of a run, and say when MLflow lacks some of them."""
    from trainables.outcome import result_row

    metrics = {**result_row(folder.rows()), **(folder.evaluation() or {})}
    if json:
        print_json({"run_id": trial_run.run_id, "folder": str(folder.path), "metrics": metrics})
    else:
        _say_metrics(metrics)
    if trial_run.in_outage:
        note(f"MLflow does not have all of run {folder.path.name}; send it with: campaign sync {folder.path.name}")


def evaluate(
    runs: Runs,
    suite: Suite = "quick",
    split: SplitName = None,
    again: Again = False,
    set_: Set = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Evaluate the checkpoints of runs on the test images, several at a time on Ray.

    Finished evaluations are not repeated. The quick suite holds accuracy, calibration, influence share, the worst group
    and the shifted sets. The full suite adds background reliance, attribution quality, out-of-distribution detection,
    attacks and images; --set evaluation.suite.sample=50 limits the number of images.

    Example: campaign evaluate first/0003 --suite full --set data.root=/data
    """
    from orchestrator.launch.evaluate import evaluate_runs, request_evaluations
    from orchestrator.results.trial_rows import HELD_OUT
    from orchestrator.tracking import resolve_store

    store = resolve_store(storage, tracking_uri)
    requests = request_evaluations(runs, suite, storage, store, assignments=set_ or [], again=again, split=split)
    with continued_with(lambda: command_line().replace(" --again", "")):
        results = evaluate_runs(requests, store, address=address)
    for result in results:
        if requests[result.run].config().data.validation.source == "held_out":
            note(f"{result.run}: {HELD_OUT}")
        if result.error:
            note(f"error: {result.run}: {result.error}")
        if result.metrics is not None and not json:
            say(f"{requests[result.run].results_path}:")
            _say_metrics(result.metrics)
    if json:
        documents = [result.document() for result in results]
        print_json(documents[0] if len(documents) == 1 else documents)
    if any(result.error for result in results):
        raise typer.Exit(FAILED)


def explain(
    run: Run,
    images: Images,
    output: Output = Path("panels"),
    label: Label = None,
    rivals: Rivals = 3,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    json: Json = False,
) -> None:
    """Draw where a run's network sees one class rather than another.

    Example: campaign explain first/0003 image.jpg --label 7
    """
    from dataclasses import asdict

    from orchestrator.launch.explain import explain_images
    from orchestrator.launch.find_run import find_run
    from orchestrator.tracking import resolve_store

    folder = find_run(run, storage, resolve_store(storage, tracking_uri))
    explanations = explain_images(folder, images, output=output, label=label, num_rivals=rivals)
    if json:
        print_json({"run": str(folder.path), "images": [asdict(explanation) for explanation in explanations]})
        return
    for explanation in explanations:
        best = "  ".join(f"{name} {share:.2f}" for name, share in list(explanation.probabilities.items())[: rivals + 1])
        say(f"{explanation.image}: {best}  -> {explanation.panel}")


def inspect(
    run: Run,
    other: Other = None,
    output: Page = Path("inspection.html"),
    split: SplitName = None,
    set_: Set = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    json: Json = False,
) -> None:
    """Write a page on what decides inside one run, or inside two: channels, concepts, circuits and the gap.

    Parts of the suite `inside` that are missing are run first. The page is also among the runs' artifacts in MLflow.

    Example: campaign inspect first/0003 first/0000
    """
    from orchestrator.launch.evaluate import request_evaluations
    from orchestrator.launch.inspection import inspect_runs
    from orchestrator.tracking import resolve_store

    store, runs = resolve_store(storage, tracking_uri), [run, *([other] if other else [])]
    requests = request_evaluations(runs, "inside", storage, store, assignments=set_ or [], again=False, split=split)
    with continued_with(command_line):
        results = inspect_runs(requests, store, command=command_line(), output=output)
    for result in results:
        if result.error:
            note(f"error: {result.run}: {result.error}")
    if json:
        runs_json = [{**result.document(), "skipped": dict(result.skipped)} for result in results]
        print_json({"runs": runs_json, "page": str(output)})
    else:
        say(str(output))
    if any(result.error for result in results):
        raise typer.Exit(FAILED)


def _say_metrics(metrics: dict[str, float]) -> None:
    width = max(map(len, metrics), default=0)
    for name, value in metrics.items():
        say(f"{name:{width}}  {value:.4g}")
