"""The images that a trained network reads besides its steps: to fit a classifier to, or to find its mistakes."""

from collections.abc import Sequence

from trainables.config import ExperimentConfig
from trainables.data import Batches, ImageSet, evaluation_batches
from trainables.training.context import RunContext


def frozen_batches(images: ImageSet, indices: Sequence[int], config: ExperimentConfig, context: RunContext) -> Batches:
    """Return this worker's share of some images, in the batches of an evaluation."""
    return evaluation_batches(
        images,
        batch_size=config.evaluation.batch_size,
        rank=context.rank,
        world_size=context.world_size,
        processes=config.loader_processes,
        prefetch=config.data.prefetch_batches,
        pin_memory=context.device.type == "cuda",
        indices=indices,
    )
