"""The command that runs a study."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.launching import run_and_print, run_candidates
from orchestrator.cli.options import (
    DEFAULT_STORAGE,
    Address,
    Campaign,
    Concurrent,
    Json,
    Name,
    Set,
    Storage,
    TrackingUri,
    TrialTimeout,
)

if TYPE_CHECKING:
    from orchestrator.files.sweep_config import SweepConfig

Study = Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, or a YAML file.", show_default=False)]
Arms = Annotated[
    str | None, typer.Option(help="Some of the arms, joined by commas, the reference arm too.", show_default=False)
]
Reference = Annotated[
    str | None,
    typer.Option(help="The arm that the others are compared with, instead of the study's.", show_default=False),
]
Seeds = Annotated[str | None, typer.Option(help="Other seeds than the study's, joined by commas.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add this file's command to `app`."""
    app.command()(study)


def study(
    study: Study,
    name: Name = None,
    campaign: Campaign = None,
    arms: Arms = None,
    seeds: Seeds = None,
    reference: Reference = None,
    set_: Set = None,
    concurrent: Concurrent = None,
    trial_timeout: TrialTimeout = None,
    storage: Storage = DEFAULT_STORAGE,
    tracking_uri: TrackingUri = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train arms on the same seeds, evaluate them, and compare each with the reference arm in one table.

    A study is a sweep with a fixed list of trials: the same command again continues it, and so does campaign resume.

    Example: campaign study digits-shortcut --seeds 0,1,2,3,4 --name five
    """
    from orchestrator.files.study import candidates_of, read_study
    from orchestrator.files.study_sweep import sweep_of_study
    from orchestrator.files.sweep_folder import SweepFolder
    from orchestrator.launch.sweep_request import SweepRequest
    from orchestrator.tracking import resolve_store

    chosen = read_study(study).only(arms=_names(arms), seeds=_numbers(seeds), reference=reference)
    shared = campaign or chosen.name
    sweep_of = partial(sweep_of_study, campaign=shared, assignments=set_ or [], max_concurrent=concurrent)
    store = resolve_store(storage, tracking_uri)

    def request(config: "SweepConfig") -> SweepRequest:
        return SweepRequest(folder=SweepFolder.of(storage, config.name), config=config, store=store, address=address)

    if chosen.tuning is not None:
        sweep_of(chosen, name=name)  # Checks the study before anything is trained for it.
        candidates = request(sweep_of(candidates_of(chosen), name=name and f"{name}-tuning"))
        chosen = run_candidates(candidates, chosen, trial_timeout)
    run_and_print(request(sweep_of(chosen, name=name)), json=json, trial_timeout=trial_timeout)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _numbers(text: str | None) -> list[int] | None:
    from trainables.config import ConfigError

    try:
        return None if text is None else [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--seeds: found {text!r}; expected whole numbers joined by commas, such as 0,1,2") from error
