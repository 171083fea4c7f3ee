"""The typed config of an experiment: sections, loading, identity."""

from trainables.config.data import (
    Augmentation,
    DataConfig,
    DogsVsCats,
    ImageFolder,
    LabelledFolder,
    OxfordPet,
    ShiftSet,
    SpuriousDigits,
)
from trainables.config.experiment import ExperimentConfig
from trainables.config.identity import config_hash, flatten, to_yaml
from trainables.config.loading import (
    ConfigError,
    experiment_from_tree,
    load_experiment,
    override,
    parse_assignments,
    read_tree,
)
from trainables.config.model import ModelConfig, ResNet, SmallCnn
from trainables.config.objective import Contrastive, CrossEntropy, ObjectiveConfig
from trainables.config.optim import AdamW, OptimConfig, Sgd
from trainables.config.training import Evaluation, Resources, Training

__all__ = [
    "AdamW",
    "Augmentation",
    "ConfigError",
    "Contrastive",
    "CrossEntropy",
    "DataConfig",
    "DogsVsCats",
    "Evaluation",
    "ExperimentConfig",
    "ImageFolder",
    "LabelledFolder",
    "ModelConfig",
    "ObjectiveConfig",
    "OptimConfig",
    "OxfordPet",
    "ResNet",
    "Resources",
    "Sgd",
    "ShiftSet",
    "SmallCnn",
    "SpuriousDigits",
    "Training",
    "config_hash",
    "experiment_from_tree",
    "flatten",
    "load_experiment",
    "override",
    "parse_assignments",
    "read_tree",
    "to_yaml",
]
