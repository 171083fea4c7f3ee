"""What a command checks before it changes any file."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from orchestrator.cluster.capacity import Capacity, Node, capacity
from orchestrator.cluster.nodes import check_nodes
from orchestrator.cluster.session import nodes_to_use
from orchestrator.data.index import file_index_in
from orchestrator.files.study_sweep import prepare_study, study_trials
from orchestrator.files.sweep_config import SweepConfig, check_name
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.launch.ray_start import start_ray
from orchestrator.launch.search import check_optuna_study
from orchestrator.launch.sweep_request import SweepRequest
from orchestrator.tracking import Store, check_store, ensure_experiment
from search_spaces import find_space, planned_points
from trainables.config import ConfigError, ExperimentConfig
from trainables.data import NO_INDEX, FileIndex
from trainables.models import check_model
from trainables.training.epoch_choice import check_epoch_choice
from trainables.training.stage_rules import check_stages
from trainables.trial import check_data

NUM_CHECKED = 8
"""How many points are sampled before a sweep starts, on top of the space's first ones."""


def check_request(request: SweepRequest) -> None:
    """Check all that can be checked before Ray starts; the sweep's folder and its store stay as they are.

    Raises:
        ConfigError: Something cannot work; the message says what.
        StoreError: The MLflow store cannot be used.
    """
    folder, config = request.folder, request.config
    if folder.is_new:
        check_name(config.name)
    else:
        with folder.locked():
            folder.check_trials()
    request.check()
    if config.study is not None:
        folder.check_claim(config)
    trials = request.trials if config.study is None else study_trials(config).values()
    if request.is_left:
        check_sweep(folder, config, request.store, trials=trials, address=request.address)


@contextmanager
def started(request: SweepRequest) -> Iterator[None]:
    """Start Ray where trials are left to run, and only then change the folder and the store.

    So a start that fails adds no trials, forgets no failures, takes no name and makes no experiment.

    Raises:
        ConfigError: A trial does not fit on the cluster, or another process runs the sweep.
        ConnectionError: Ray does not start or does not answer.
        StoreError: The MLflow store cannot be used any more.
    """
    with ExitStack() as stack:
        if request.is_left:
            config, grows = request.config, request.address is not None
            nodes = stack.enter_context(start_ray(request.address))
            capacity(config.experiment().resources, nodes, limit=config.max_concurrent, grows=grows)
            ensure_experiment(request.store, config.campaign)
        request.change()
        if request.config.study is not None:
            prepare_study(request.folder, request.config)
        yield


def check_sweep(
    sweep: SweepFolder,
    config: SweepConfig,
    store: Store,
    *,
    trials: Iterable[ExperimentConfig] = (),
    address: str | None = None,
) -> None:
    """Check that the remaining trials of a sweep can run: their configs, data, weights, resources and store.

    Args:
        config: The sweep's config, which may not be written yet.
        trials: The configs of a sweep without a search, if their folders do not exist yet.

    Raises:
        ConfigError: Something cannot work; the message says what.
        StoreError: The MLflow store cannot be used.
    """
    if config.space is not None:
        check_optuna_study(sweep, config)
        sampled = check_points(config)
        experiments = [config.experiment()]
    else:
        sampled = []
        experiments = list(trials) or [sweep.trial(trial_id).config() for trial_id in sweep.trial_ids()]
        if len(experiments) < config.num_trials:
            raise ConfigError(
                f"sweep {config.name} is a fixed list of {config.num_trials} trials, and {sweep.trials_path} holds "
                f"{len(experiments)}: promote the missing ones again under another --name"
            )
    with nodes_to_use(address) as nodes:
        if address:
            check_nodes(sweep.storage, store, nodes)
        file_index = file_index_in(sweep.storage, on_ray=address is not None)
        check_fit(experiments, nodes, limit=config.max_concurrent, grows=address is not None, file_index=file_index)
    if not sweep.trial_ids():  # A trial that has started does not read the file of weights again.
        check_models([*experiments, *sampled])
    check_store(store)


def check_fit(
    experiments: Iterable[ExperimentConfig],
    nodes: Sequence[Node],
    *,
    limit: int | None = None,
    grows: bool = False,
    file_index: FileIndex = NO_INDEX,
) -> Capacity:
    """Check data and resources of experiments; return how many run at a time.

    Args:
        experiments: All ask for the same resources.
        nodes: The resources of each node.
        limit: The maximum at a time.
        grows: Whether the cluster may add nodes.
        file_index: Where lists of the data's files are stored, for the trials to read.

    Raises:
        ConfigError: Some data cannot be used, an experiment does not fit, or it chooses an epoch by a wrong metric.
    """
    first, *others = {experiment.model_dump_json(exclude={"seed"}): experiment for experiment in experiments}.values()
    for experiment in (first, *others):
        check_epoch_choice(experiment)
        check_data(experiment, file_index)
    return capacity(first.resources, nodes, limit=limit, grows=grows)


def check_models(experiments: Iterable[ExperimentConfig]) -> None:
    """Check the networks of experiments; ConfigError says what is missing or wrong in one of them."""
    distinct = {repr((each.model, each.data.image_size, each.optim, each.training)): each for each in experiments}
    for experiment in {repr((each.model, each.data.image_size)): each for each in distinct.values()}.values():
        check_model(experiment)
    for experiment in distinct.values():
        check_stages(experiment)


def check_points(config: SweepConfig) -> list[ExperimentConfig]:
    """Return the experiments at the space's first points and at a few sampled ones.

    Raises:
        ConfigError: One of them is no valid config.
    """
    assert config.space is not None
    points = sample_points(config, len(find_space(config.space).first_points) + NUM_CHECKED)
    return [config.experiment(point) for point in points]


def sample_points(config: SweepConfig, num_points: int) -> list[dict[str, Any]]:
    """Sample the space, its first points first, and validate each config.

    Raises:
        ConfigError: A point is no valid config, or the space's function fails.
    """
    assert config.space is not None
    points = planned_points(config.searched_space, num_points, seed=config.seed)
    try:
        for point in points:
            check_epoch_choice(config.experiment(point))
    except ConfigError as error:
        raise ConfigError(f"space {config.space}: {error}") from error
    return points
