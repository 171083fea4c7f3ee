"""Training as one writes it by hand: images in memory, a network, cross-entropy and AdamW, and nothing else."""

import time
from collections.abc import Iterator

import torch
from torch.nn import functional

from trainables.config import ExperimentConfig
from trainables.data import build_data
from trainables.models import build_model


def plain_epochs(config: ExperimentConfig) -> Iterator[tuple[float, float]]:
    """Train `config`'s network on its digits; after each epoch yield its seconds and its mean loss."""
    torch.set_num_threads(max(1, int(config.resources.cpus)))
    torch.manual_seed(config.seed)
    data = build_data(config.data)
    images_NCHW, labels_N = data.train.images_NCHW, data.train.labels_N  # type: ignore[attr-defined]
    model = build_model(config.model, num_classes=len(data.class_names), image_size=config.data.image_size).model
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.optim.learning_rate)
    model.train()
    for _ in range(config.training.epochs):
        started = time.perf_counter()
        total = torch.zeros(())
        parts = torch.split(torch.randperm(len(labels_N)), config.training.batch_size)
        whole = [part for part in parts if len(part) == config.training.batch_size]
        for part in whole:
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(model(images_NCHW[part].float() / 255).logits, labels_N[part])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.detach()
        yield time.perf_counter() - started, total.item() / len(whole)
