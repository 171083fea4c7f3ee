"""The state that training changes: weights, their moving average, optimiser and schedule."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainables.config import ExperimentConfig, Training
from trainables.data import Batch
from trainables.losses import differentiable_twice
from trainables.models import Classifier, check_batch_norms, recompute_stages, stages_of, with_sync_batchnorm
from trainables.training.context import RunContext
from trainables.training.freezing import FrozenStages
from trainables.training.optim import build_optimizer, build_schedule
from trainables.training.stage_rules import check_stages
from trainables.training.task import Task

Tensors = tuple[Tensor, ...] | list[Tensor]


class Learner:
    """One network being trained; `step` is one optimiser step on this worker's share of a batch."""

    def __init__(
        self,
        config: ExperimentConfig,
        model: Classifier,
        task: Task,
        context: RunContext,
        *,
        steps_per_epoch: int,
    ) -> None:
        self.task = task
        self._training = config.training
        self._has_second_gradient = getattr(config.objective, "rrr", None) is not None
        self._context = context
        self._memory_format = memory_format_of(config.training)
        network = task.trained_network(model)
        if config.training.sync_batchnorm:
            check_batch_norms(network, config)
            network = with_sync_batchnorm(network)
        self._model = network.to(context.device).to(memory_format=self._memory_format)
        self._head = model.head
        classifier = task.classifier(self._model)
        check_stages(config, classifier)
        stages = stages_of(classifier)
        self._average = _moving_average(self._model, config.training.ema_decay)
        if config.training.compile:
            self._model.compile()
        self._frozen = FrozenStages(config.training.freeze, stages)
        self._frozen.begin(1)
        if config.training.gradient_checkpointing:
            recompute_stages(stages)
        self._network = context.wrap(self._model)
        self._optimizer = build_optimizer(config.optim, self._model, stages)
        self._peak_rate = config.optim.learning_rate
        self._schedule = build_schedule(
            config.optim, self._optimizer, epochs=config.training.epochs, steps_per_epoch=steps_per_epoch
        )

    @property
    def evaluated(self) -> Classifier:
        """The classifier within the trained network, or within its moving average where there is one."""
        return self.task.classifier(self._networks()[-1])

    @property
    def learning_rate(self) -> float:
        """That of the schedule, without the factors of stages and head."""
        return self._peak_rate * self._schedule.lr_lambdas[0](self._schedule.last_epoch)

    def begin(self, epoch: int) -> None:
        """Switch to train mode for `epoch`, but for the stages that are frozen in it; all workers call it together."""
        self.task.begin(epoch)
        if self._frozen.begin(epoch):
            # DistributedDataParallel averages the gradients of those parameters that take one when it is made. The
            # old one goes first, with its hooks on the parameters.
            self._network = self._model
            self._network = self._context.wrap(self._model)
        self._network.train()
        self._frozen.eval_mode()

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the weights once; return the task's sums over this worker's images, on the device."""
        self._optimizer.zero_grad(set_to_none=True)
        micro_batches = batch.split(self._training.accumulate)
        sums = []
        for number, micro_batch in enumerate(micro_batches, start=1):
            with self._without_sync(last=number == len(micro_batches)):
                sums.append(self._backward(micro_batch.to(self._context.device)))
        if self._training.clip_norm is not None:
            clip_grad_norm_(self._model.parameters(), self._training.clip_norm)
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.update_parameters(self._model)
        return {name: torch.stack([each[name] for each in sums]).sum() for name in sums[0]}

    def align_workers(self) -> None:
        """Give every worker the buffers of rank 0; batch statistics otherwise follow each worker's own images."""
        if self._context.world_size > 1:
            self.load_buffers(self._context.gather(self.buffers())[0])

    def buffers(self) -> list[dict[str, Tensor]]:
        """Return the buffers of the network and of its moving average, if there is one."""
        return [{name: buffer.cpu() for name, buffer in network.named_buffers()} for network in self._networks()]

    def load_buffers(self, buffers: list[dict[str, Tensor]]) -> None:
        """Load what `buffers` returned, here or on another worker."""
        for network, values in zip(self._networks(), buffers, strict=True):
            network.load_state_dict(values, strict=False)

    def _networks(self) -> list[nn.Module]:
        """Return the trained network and its moving average, if there is one."""
        return [self._model] if self._average is None else [self._model, self._average.module]

    def _backward(self, batch: Batch) -> dict[str, Tensor]:
        with differentiable_twice() if self._has_second_gradient else nullcontext():
            loss = self.task.loss(batch, self._forward, self._head, self._context)
            (loss.mean * loss.scale).backward()  # type: ignore[no-untyped-call]
        return loss.sums

    def _forward(self, images_BCHW: Tensor) -> Any:
        bf16 = self._training.precision == "bf16"
        with torch.autocast(self._context.device.type, dtype=torch.bfloat16, enabled=bf16):
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
            **self.task.training_state(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Load the state of a checkpoint."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.task.load_training_state(state)


def memory_format_of(training: Training) -> torch.memory_format:
    """Return how a network's weights lie in memory, in training and in evaluations after it."""
    return torch.channels_last if training.channels_last else torch.contiguous_format


def _moving_average(model: nn.Module, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=partial(_follow, average), use_buffers=True)


def _follow(average: Callable[..., None], averages: Tensors, values: Tensors, num_averaged: Tensor | int) -> None:
    """Move averages towards values of the same dtype; counts and indices, which have no mean, become the values."""
    if averages[0].is_floating_point():
        average(averages, values, num_averaged)
        return
    for own, value in zip(averages, values, strict=True):
        own.copy_(value)
