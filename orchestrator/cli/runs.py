"""Commands on one run: train, evaluate, explain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import DEFAULT_STORAGE, Address, Json, Run, Runs, Set, Storage, TrackingUri
from orchestrator.cli.output import note, print_json, say

if TYPE_CHECKING:
    from orchestrator.launch.evaluate import EvaluationRequest
    from trainables.evaluations import EvaluationsFailedError, Metrics, ProgressListener


def register(app: typer.Typer) -> None:
    """Add this file's commands to `app`."""
    app.command()(train)
    app.command()(evaluate)
    app.command()(explain)


def train(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A YAML file, or a shipped base's name.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the run; by default the config's, with its hash.", show_default=False)
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(help="MLflow experiment; by default the config's name.", show_default=False)
    ] = None,
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
    from orchestrator.launch.train import train_one
    from orchestrator.tracking import resolve_store
    from search_spaces import find_base
    from trainables.config import config_hash, experiment_from_tree, override, parse_assignments

    experiment = experiment_from_tree(override(find_base(config), parse_assignments(set_ or [])), source=config)
    stem = Path(config).stem
    store = resolve_store(storage, tracking_uri)
    name = f"{stem}-{config_hash(experiment)}" if name is None else name
    check_name(name)
    note(f"run {name} in {storage / 'runs' / name}, tracked in {store}")
    trial_run, folder = train_one(
        experiment, name=name, campaign=campaign or stem, storage=storage, store=store, address=address
    )
    metrics = {**folder.rows()[-1], **(folder.evaluation() or {})}
    if json:
        print_json({"run_id": trial_run.run_id, "folder": str(folder.path), "metrics": metrics})
    else:
        _say_metrics(metrics)


def evaluate(
    runs: Runs,
    suite: Annotated[
        str, typer.Option(help="quick, full, or categories and evaluations joined by commas, such as ood,pgd.")
    ] = "quick",
    again: Annotated[bool, typer.Option(help="Run finished parts once more.")] = False,
    set_: Set = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Evaluate the checkpoints of runs, several of them at a time on Ray; what is finished is not done again.

    Parts: quick is accuracy, calibration, mean average precision where images have several labels, influence share
    and the shifted test sets; full adds background reliance, attribution quality, out-of-distribution detection,
    attacks and images. --set evaluation.suite.sample=200 says
    on how many images.

    Example: campaign evaluate first/0003 --suite full --set data.root=/data
    """
    from orchestrator.launch.evaluate import EvaluationRequest, evaluate_on_ray, push_evaluation
    from orchestrator.launch.explain import find_run, run_name
    from orchestrator.launch.progress import SuiteProgress
    from orchestrator.tracking import resolve_store
    from trainables.config import ConfigError, parse_assignments
    from trainables.evaluations import EvaluationsFailedError, select

    try:
        parts = select(suite)
    except ValueError as error:
        raise ConfigError(f"--suite: {error}") from error
    store = resolve_store(storage, tracking_uri)
    overrides = parse_assignments(set_ or [])
    folders, place = [find_run(run, storage, store) for run in runs], storage.absolute()
    orders = [EvaluationRequest(folder, overrides, parts, again, place) for folder in folders]
    if len({order.folder.path.resolve() for order in orders}) < len(orders):
        raise ConfigError(f"a run is named twice: {', '.join(runs)}; name each once")
    names = [run_name(order.folder, storage) for order in orders]
    with SuiteProgress() as progress:
        watches = [progress.listener(name, len(parts)) for name in names]
        if len(orders) == 1:
            results: list[Metrics | Exception] = [_evaluate_here(orders[0], watches[0])]
        else:
            results = evaluate_on_ray(orders, watches, address=address)
    documents: list[dict[str, Any]] = []
    for name, order, result in zip(names, orders, results, strict=True):
        metrics = result.metrics if isinstance(result, EvaluationsFailedError) else result
        document: dict[str, Any] = {"run": name, "run_id": None, "metrics": {}}
        if isinstance(result, Exception):
            note(f"error: {name}: {result}")
            document["error"] = str(result)
        if not isinstance(metrics, Exception):
            document |= {"run_id": push_evaluation(order, store), "metrics": metrics}
            if not json:
                say(f"{order.results_path}:")
                _say_metrics(metrics)
        documents.append(document)
    if json:
        print_json(documents[0] if len(orders) == 1 else documents)
    if any(isinstance(result, Exception) for result in results):
        raise typer.Exit(1)


def _evaluate_here(order: "EvaluationRequest", listener: "ProgressListener") -> "Metrics | EvaluationsFailedError":
    from orchestrator.launch.evaluate import evaluate_run
    from trainables.evaluations import EvaluationsFailedError

    try:
        return evaluate_run(order.on_all_cores(), listener)
    except EvaluationsFailedError as error:
        return error


def explain(
    run: Run,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Images of any size.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the panels.")] = Path("panels"),
    label: Annotated[
        str | None, typer.Option(help="Class to explain; by default the predicted one.", show_default=False)
    ] = None,
    rivals: Annotated[int, typer.Option(min=1, help="Rival classes to set it against.")] = 3,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    json: Json = False,
) -> None:
    """Draw where a run's network sees one class rather than another.

    Example: campaign explain first/0003 image.jpg --label 7
    """
    from dataclasses import asdict

    from orchestrator.launch.explain import explain_images, find_run
    from orchestrator.tracking import resolve_store

    folder = find_run(run, storage, resolve_store(storage, tracking_uri))
    explanations = explain_images(folder, images, output=output, label=label, num_rivals=rivals)
    if json:
        print_json({"run": str(folder.path), "images": [asdict(explanation) for explanation in explanations]})
        return
    for explanation in explanations:
        best = "  ".join(f"{name} {share:.2f}" for name, share in list(explanation.probabilities.items())[: rivals + 1])
        say(f"{explanation.image}: {best}  -> {explanation.panel}")


def _say_metrics(metrics: dict[str, float]) -> None:
    width = max(map(len, metrics), default=0)
    for name, value in metrics.items():
        say(f"{name:{width}}  {value:.4g}")
