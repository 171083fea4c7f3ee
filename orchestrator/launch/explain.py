"""Explain a run's network on images that a user gives."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from trainables.config import ConfigError, DataConfig
from trainables.data import Batch, ImageError, read_image
from trainables.evaluations import panels_of
from trainables.json_file import BrokenFileError, read_object
from trainables.training import LocalContext
from trainables.trial import load_model
from trainables.trial_folder import TrialFolder


@dataclass(frozen=True, slots=True)
class Explanation:
    """The network's prediction for an image, and the path of its panel."""

    image: str
    predicted: str
    probabilities: dict[str, float]
    """Class -> softmax probability, the highest first."""
    panel: str


def explain_images(
    folder: TrialFolder, images: Sequence[Path], *, output: Path, label: str | None, num_rivals: int
) -> list[Explanation]:
    """Draw each image's ContrastiveCAMs: `label`, or the predicted class without one, against its strongest rivals.

    Raises:
        ConfigError: No such class, or an image cannot be read; the message names it.
    """
    config = folder.config()
    context = LocalContext(folder)
    model = load_model(folder, context.device)
    names = class_names(folder)
    if label is not None and label not in names:
        raise ConfigError(f"no class {label!r} in {folder.path}; valid classes: {', '.join(names)}")
    output.mkdir(parents=True, exist_ok=True)
    explanations: list[Explanation] = []
    for path in images:
        batch = _as_batch(path, config.data).to(context.device)
        with torch.inference_mode():
            probabilities_K = model(batch.images_BCHW).logits[0].float().softmax(0).cpu()
        own = names.index(label) if label else int(probabilities_K.argmax())
        batch = _with_label(batch, own)
        (panel,) = panels_of(
            model, batch, names, num_rivals=num_rivals, device=context.device, labelled=label is not None
        )
        target = _unused(output, f"{path.stem}-{names[own]}", [one.panel for one in explanations])
        panel.save(target)
        explanations.append(_explanation(path, names, probabilities_K, target))
    return explanations


def class_names(folder: TrialFolder) -> tuple[str, ...]:
    """Return the classes that the run was trained on, in the order of its logits."""
    names = read_object(folder.data_path).get("class_names")
    if not isinstance(names, list):
        raise BrokenFileError(f"{folder.data_path}: missing, or without `class_names`")
    return tuple(names)


def _unused(folder: Path, stem: str, taken: Sequence[str]) -> Path:
    """Return the first of `stem.png`, `stem-2.png`, ... in the folder that this call has not written."""
    names = (f"{stem}.png" if count == 1 else f"{stem}-{count}.png" for count in itertools.count(1))
    return next(folder / name for name in names if str(folder / name) not in taken)


def _as_batch(path: Path, config: DataConfig) -> Batch:
    try:
        return read_image(path, config)
    except ImageError as error:
        raise ConfigError(str(error)) from error


def _with_label(batch: Batch, label: int) -> Batch:
    return replace(batch, labels_B=torch.full_like(batch.labels_B, label))


def _explanation(path: Path, names: tuple[str, ...], probabilities_K: torch.Tensor, panel: Path) -> Explanation:
    order = [int(k) for k in probabilities_K.argsort(descending=True)]
    return Explanation(
        image=str(path),
        predicted=names[order[0]],
        probabilities={names[k]: float(probabilities_K[k]) for k in order},
        panel=str(panel),
    )
