"""The state that training changes: weights, their moving average, optimiser and schedule."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables.config import ExperimentConfig
from trainables.data import Batch
from trainables.losses import Objective, reduce_terms
from trainables.models import Classifier
from trainables.training.context import RunContext
from trainables.training.optim import build_optimizer, build_schedule


class Learner:
    """One network being trained; `step` is one optimiser step on this worker's share of a batch."""

    def __init__(
        self,
        config: ExperimentConfig,
        model: Classifier,
        objective: Objective,
        context: RunContext,
        *,
        steps_per_epoch: int,
    ) -> None:
        self._training = config.training
        self._objective = objective
        self._device = context.device
        self._gather = context.gather
        self._world_size = context.world_size
        self._memory_format = torch.channels_last if config.training.channels_last else torch.contiguous_format
        self._model = model.to(context.device).to(memory_format=self._memory_format)
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
        """The network to validate and keep: the moving average where one is kept."""
        if self._average is None:
            return self._model
        averaged = self._average.module
        assert isinstance(averaged, Classifier)
        return averaged

    @property
    def learning_rate(self) -> float:
        return float(self._schedule.get_last_lr()[0])

    def train_mode(self) -> None:
        self._network.train()

    def step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights once; return this share's summed loss and number of hits, on the device."""
        self._optimizer.zero_grad(set_to_none=True)
        parts = batch.split(self._training.accumulate)
        losses, hits = [], []
        for position, part in enumerate(parts):
            with self._without_sync(last=position == len(parts) - 1):
                loss, hit = self._backward(part.to(self._device), share=len(part) / len(batch))
            losses.append(loss * len(part))
            hits.append(hit)
        if self._training.clip_norm is not None:
            clip_grad_norm_(self._model.parameters(), self._training.clip_norm)
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.update_parameters(self._model)
        return torch.stack(losses).sum(), torch.stack(hits).sum()

    def align_workers(self) -> None:
        """Give every worker the buffers of rank 0; batch statistics otherwise follow each worker's own pictures."""
        if self._world_size == 1:
            return
        for network in dict.fromkeys((self._model, self.evaluated)):
            buffers = {name: buffer.cpu() for name, buffer in network.named_buffers()}
            network.load_state_dict(self._gather(buffers)[0], strict=False)

    def _backward(self, batch: Batch, *, share: float) -> tuple[Tensor, Tensor]:
        images_BCHW = batch.images_BCHW.contiguous(memory_format=self._memory_format)
        bf16 = self._training.precision == "bf16"
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=bf16):
            output = self._network(images_BCHW)
        loss = reduce_terms(self._objective(output, self._model.head, batch))
        (loss * share).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), (output.logits.argmax(1) == batch.labels_B).sum()

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


def _moving_average(model: Classifier, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)
