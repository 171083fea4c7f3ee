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
from trainables.config.suite import ChimeraSet, FolderSet, MapName, NoiseSet, OutsideSet, ScoreName, Suite, TextureSet
from trainables.config.training import Evaluation, Resources, Training

__all__ = [
    "AdamW",
    "Augmentation",
    "ChimeraSet",
    "ConfigError",
    "Contrastive",
    "CrossEntropy",
    "DataConfig",
    "DogsVsCats",
    "Evaluation",
    "ExperimentConfig",
    "FolderSet",
    "ImageFolder",
    "LabelledFolder",
    "MapName",
    "ModelConfig",
    "NoiseSet",
    "ObjectiveConfig",
    "OptimConfig",
    "OutsideSet",
    "OxfordPet",
    "ResNet",
    "Resources",
    "ScoreName",
    "Sgd",
    "ShiftSet",
    "SmallCnn",
    "SpuriousDigits",
    "Suite",
    "TextureSet",
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
