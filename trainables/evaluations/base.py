"""What an evaluation is: a name, what it needs, and a function from a trained network to a result.

N samples, B batch, K classes, C channels, H W image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from trainables.config import Suite
from trainables.data import Batch, DataBundle, Draw, ImageSet, evaluation_batches, sources_of
from trainables.evaluations.predictions import Gather, NoImageError, Predictions, predict
from trainables.evaluations.result import EvaluationResult, NotPossibleError
from trainables.evaluations.seeds import generator
from trainables.metric_names import SHIFTED, Split, of_split
from trainables.models import Classifier

Category = Literal["accuracy", "background", "shift", "attribution", "ood", "adversarial", "inside", "images"]
Direction = Literal["max", "min"]
Need = Literal["masks", "images of several labels", "shifted set"]
Tick = Callable[[int, int], None]
"""Called with how many steps of the running evaluation are done, and with how many there are."""


@dataclass(frozen=True)
class EvaluationContext:
    """A trained network, in eval mode, and the data it is evaluated on: the images of one split.

    With several workers each predicts its share, and `gather` gives every worker all predictions.
    """

    model: Classifier
    data: DataBundle
    device: torch.device
    batch_size: int
    split: Split = "val"
    settings: Suite = field(default_factory=Suite)
    processes: int = 0
    prefetch: int = 2
    rank: int = 0
    world_size: int = 1
    gather: Gather = lambda value: [value]
    tick: Tick = lambda *_: None
    log_use: Callable[[str], None] = lambda _: None
    """Called with what learns from labels of the split, which only a diagnosis may; the trial's folder notes it."""

    @property
    def images(self) -> ImageSet:
        """The images of the split."""
        return self.data.test if self.split == "test" else self.data.val

    @cached_property
    def sources(self) -> Mapping[str, Mapping[str, int]]:
        """By what begins the metrics of a set, the source of each image by its id; the split's own begin with anything.

        Empty for a set whose images are each their own source.
        """
        sets = {**{f"{name}/": images for name, images in self.shifted.items()}, "": self.images}
        return {name: sources_of(images) for name, images in sets.items()}

    @property
    def shifted(self) -> Mapping[str, ImageSet]:
        """The split's shifted sets, by the name that begins their metrics once they have their split.

        Where one held-out set serves both splits, its shifted sets do too.
        """
        test = {f"{SHIFTED}{name}": images for name, images in self.data.shift.items()}
        if self.split == "test":
            return test
        val = {of_split(f"{SHIFTED}{name}", "val"): images for name, images in self.data.val_shift.items()}
        return {**val, **test} if self.data.val is self.data.test else val

    @cached_property
    def evaluated(self) -> Predictions:
        """The predictions on the split's images, made once for all evaluations; NoImageError if none is readable."""
        try:
            return self.predictions(self.images)
        except NoImageError as error:
            name = "test" if self.split == "test" else "validation"
            raise NoImageError(f"data: the {name} set has {error}") from error

    @cached_property
    def sampled(self) -> Batch:
        """The sampled images of the split that most evaluations use, on the CPU."""
        return self.sample_of_split()

    def sample_of_split(self, size: int | None = None) -> Batch:
        """Return `sample` of the split's images; NotPossibleError where none of those drawn can be read."""
        batch = self.sample(self.images, size)
        if not len(batch):
            raise NotPossibleError(
                f"none of the {min(len(self.images), size or self.settings.sample)} sampled images can be read"
            )
        return batch

    def predictions(self, images: ImageSet) -> Predictions:
        """Predict the whole set, this worker its share."""
        batches = evaluation_batches(
            images,
            batch_size=self.batch_size,
            rank=self.rank,
            world_size=self.world_size,
            processes=self.processes,
            prefetch=self.prefetch,
            pin_memory=self.device.type == "cuda",
        )
        return predict(self.model, batches, device=self.device, gather=self.gather)

    def sample(self, images: ImageSet, size: int | None = None) -> Batch:
        """Return `size` images of the set without repetition, by default `settings.sample`; at most all there are.

        The choice depends on the suite's seed and on the number of images alone.
        """
        return images.__getitems__(self.draws(images, size))

    def draws(self, images: ImageSet, size: int | None = None) -> list[Draw]:
        """Return which images `sample` takes; a smaller sample is a subset of a larger one."""
        assert self.world_size == 1, "one process evaluates a sample"
        order_N = torch.randperm(len(images), generator=self.generator("sample"))
        chosen = order_N[: size or self.settings.sample].sort().values
        return [Draw(int(index), 0) for index in chosen]

    def generator(self, purpose: str) -> torch.Generator:
        """Return a new generator on the CPU that depends on the suite's seed and on `purpose` alone."""
        return generator(self.settings.seed, purpose)

    def logits(self, images_NCHW: Tensor) -> Tensor:
        """Return logits_NK on the CPU in float32, a batch at a time and without gradients."""
        with torch.inference_mode():
            chunks = [self.model(chunk.to(self.device)).logits.float().cpu() for chunk in self.chunks(images_NCHW)]
        return torch.cat(chunks)

    def chunks(self, tensor_N: Tensor) -> tuple[Tensor, ...]:
        """Return consecutive chunks of at most `batch_size`."""
        return torch.split(tensor_N, self.batch_size)

    def offers(self, need: Need) -> bool:
        """Return whether the data have what an evaluation may need."""
        match need:
            case "masks":
                return bool(self.evaluated.has_mask_N.any())
            case "images of several labels":
                return self.data.several_labels
            case "shifted set":
                return bool(self.shifted)


@dataclass(frozen=True)
class EvalSpec:
    """One evaluation of the suite."""

    name: str
    category: Category
    directions: Mapping[str, Direction | None]
    """Metric name without its split, or pattern with `*`, to the direction that is better; None where neither is."""
    run: Callable[[EvaluationContext], EvaluationResult]
    """Returns metrics without their split; NotPossibleError where something is missing beyond `needs`."""
    needs: frozenset[Need] = frozenset()
    still_holds: Callable[[EvaluationContext, EvaluationResult], bool] = lambda context, kept: True  # noqa: ARG005
    """Whether a stored result is still of the images there are, other than those of the data sets."""
    definition: int = 1
    """Raised when metrics mean something else than before, or are more, so that stored results are measured again."""
