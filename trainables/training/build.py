"""From a config to the task that a trial learns."""

from functools import partial

from torch import nn

from trainables.config import ExperimentConfig, SupCon, Triplet, objective_at
from trainables.data import ImageSet
from trainables.losses import build_embedding_loss, build_objective
from trainables.models import projection_head
from trainables.training.classification import ClassificationTask
from trainables.training.embedding import EmbeddingTask
from trainables.training.group_dro import GroupDro
from trainables.training.last_layer import LastLayerTask
from trainables.training.mixing import build_mixing
from trainables.training.task import Task


def build_task(config: ExperimentConfig, train: ImageSet | None = None) -> Task:
    """Return what the objective of `config` trains a network for.

    Args:
        config: That of the trial.
        train: The training images; a task without them restores networks, and trains none that needs their groups.

    Raises:
        ConfigError: They do not fit the objective.
    """
    objective = config.objective
    if isinstance(objective, SupCon):
        projection = partial(projection_head, size=objective.projection_size)
        return EmbeddingTask(config, objective, build_embedding_loss(objective), projection, num_views=2)
    if isinstance(objective, Triplet):
        return EmbeddingTask(config, objective, build_embedding_loss(objective), nn.Identity, num_views=1)
    settings = objective.group_dro
    group_dro = None if settings is None or train is None else GroupDro(settings, train)
    task = ClassificationTask(config, build_objective(objective_at(objective, 1)), build_mixing(objective), group_dro)
    return task if objective.dfr is None else LastLayerTask(config, objective.dfr, task)
