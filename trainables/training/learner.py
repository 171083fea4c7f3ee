"""The state that training changes: weights, their moving average, optimiser and schedule."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables.config import ExperimentConfig
from trainables.data import Batch
from trainables.losses import EmbeddingLoss, Objective, reduce_terms
from trainables.models import Classifier, Embedder
from trainables.training.context import RunContext
from trainables.training.embedding import EmbeddingTask, num_views
from trainables.training.gathering import gather_embeddings
from trainables.training.mixing import build_mixing, join_terms, main_labels
from trainables.training.optim import build_optimizer, build_schedule


class Learner:
    """One network being trained; `step` is one optimiser step on this worker's share of a batch."""

    def __init__(
        self,
        config: ExperimentConfig,
        model: Classifier,
        objective: Objective | EmbeddingTask,
        context: RunContext,
        *,
        steps_per_epoch: int,
    ) -> None:
        self._training = config.training
        self._objective = objective
        self._mixing = build_mixing(config.objective)
        self._device = context.device
        self._gather = context.gather
        self._rank, self._world_size = context.rank, context.world_size
        self._share = config.training.batch_size * num_views(config.objective) // context.world_size
        self._memory_format = torch.channels_last if config.training.channels_last else torch.contiguous_format
        trained = Embedder(model, objective.projection) if isinstance(objective, EmbeddingTask) else model
        self._model = trained.to(context.device).to(memory_format=self._memory_format)
        self._head = model.head
        self._average = _moving_average(self._model, config.training.ema_decay)
        if config.training.compile:
            self._model.compile()
        self._network = context.wrap(self._model)
        self._optimizer = build_optimizer(config.optim, self._model)
        self._schedule = build_schedule(
            config.optim, self._optimizer, epochs=config.training.epochs, steps_per_epoch=steps_per_epoch
        )

    @property
    def evaluated(self) -> Classifier:
        """The network to validate and keep: the moving average where one is kept. An embedding's head is untrained."""
        network = self._model if self._average is None else self._average.module
        classifier = network.classifier if isinstance(network, Embedder) else network
        assert isinstance(classifier, Classifier)
        return classifier

    @property
    def learning_rate(self) -> float:
        return float(self._schedule.get_last_lr()[0])

    def train_mode(self) -> None:
        self._network.train()

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the weights once; return sums over this share's images, on the device.

        They are those of `loss`, of `accuracy`, which counts hits, and of each term where the loss has several.
        """
        self._optimizer.zero_grad(set_to_none=True)
        parts = batch.split(self._training.accumulate)
        sums = []
        for position, part in enumerate(parts):
            with self._without_sync(last=position == len(parts) - 1):
                # Of a full share, also where images were skipped: every image then weighs the same on all workers.
                sums.append(self._backward(part.to(self._device), share=len(part) / self._share))
        if self._training.clip_norm is not None:
            clip_grad_norm_(self._model.parameters(), self._training.clip_norm)
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.update_parameters(self._model)
        return {name: torch.stack([of_part[name] for of_part in sums]).sum() for name in sums[0]}

    def align_workers(self) -> None:
        """Give every worker the buffers of rank 0; batch statistics otherwise follow each worker's own images."""
        if self._world_size > 1:
            self.load_buffers(self._gather(self.buffers())[0])

    def buffers(self) -> list[dict[str, Tensor]]:
        """Return the buffers of the network and of its moving average, if there is one."""
        return [{name: buffer.cpu() for name, buffer in network.named_buffers()} for network in self._networks()]

    def load_buffers(self, buffers: list[dict[str, Tensor]]) -> None:
        """Take up what `buffers` returned, here or on another worker."""
        for network, found in zip(self._networks(), buffers, strict=True):
            network.load_state_dict(found, strict=False)

    def _networks(self) -> list[nn.Module]:
        return [self._model] if self._average is None else [self._model, self._average.module]

    def _backward(self, batch: Batch, *, share: float) -> dict[str, Tensor]:
        if isinstance(self._objective, EmbeddingTask):
            return self._backward_embeddings(batch, self._objective.loss)
        views = self._mixing(batch)
        output = self._forward(views[0].batch.images_BCHW)
        terms = join_terms([self._objective(output, self._head, view.batch) for view in views], views)
        loss = reduce_terms(terms)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        sums = {"loss": loss.detach() * len(batch), "accuracy": (output.logits.argmax(1) == main_labels(views)).sum()}
        return sums | ({name: term_B.detach().sum() for name, term_B in terms.items()} if len(terms) > 1 else {})

    def _backward_embeddings(self, batch: Batch, embedding_loss: EmbeddingLoss) -> dict[str, Tensor]:
        embeddings_AD, labels_A = gather_embeddings(
            self._forward(batch.images_BCHW),
            batch.labels_B,
            size=self._share,
            rank=self._rank,
            world_size=self._world_size,
        )
        loss = embedding_loss(embeddings_AD, labels_A)
        (loss * self._world_size).backward()  # type: ignore[no-untyped-call]
        return {"loss": loss.detach() * len(batch)}

    def _forward(self, images_BCHW: Tensor) -> Any:
        bf16 = self._training.precision == "bf16"
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=bf16):
            return self._network(images_BCHW.contiguous(memory_format=self._memory_format))

    def _without_sync(self, *, last: bool) -> AbstractContextManager[None]:
        if last or not isinstance(self._network, nn.parallel.DistributedDataParallel):
            return nullcontext()
        context: AbstractContextManager[None] = self._network.no_sync()
        return context

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds, besides the epoch's row."""
        return {
            "model": self._model.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "evaluated": None if self._average is None else self._average.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up the state of a checkpoint."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])


def _moving_average(model: nn.Module, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)
