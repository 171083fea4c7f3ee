"""Panels of an image and its map, each above the same image under attack and its map.

N samples, C channels, K classes, H W image or map.
"""

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from trainables.cams import contrastive_cams, hirescam
from trainables.data import Batch
from trainables.drawing import draw_panel
from trainables.evaluations.adversarial.attacks import Attacked
from trainables.evaluations.base import EvaluationContext

NUM_PANELS = 3


@dataclass(frozen=True, eq=False)
class ClassPair:
    """Two classes of each image: the one that the network predicts without an attack, and the runner-up."""

    predicted_N: Tensor
    rivals_N: Tensor


def attacked_panels(
    context: EvaluationContext, batch: Batch, attacked: Attacked, pair: ClassPair
) -> dict[str, Image.Image]:
    """Draw some of the images that the attack fools, or of all where it fools none."""
    fooled_N = attacked.fooled_B & (pair.predicted_N == batch.labels_B)
    candidates = fooled_N.nonzero().squeeze(1) if fooled_N.any() else torch.arange(len(batch))
    positions = torch.linspace(0, len(candidates) - 1, min(NUM_PANELS, len(candidates))).long()
    return {
        batch.ids[index]: _panel(context, batch, attacked.images_BCHW[index], pair, index)
        for index in candidates[positions].tolist()
    }


def _panel(context: EvaluationContext, batch: Batch, attacked_CHW: Tensor, pair: ClassPair, index: int) -> Image.Image:
    names = context.data.class_names
    predicted, rival = int(pair.predicted_N[index]), int(pair.rivals_N[index])
    images_2CHW = torch.stack([batch.images_BCHW[index], attacked_CHW]).to(context.device)
    with torch.inference_mode():
        output = context.model(images_2CHW)
        cams_2KHW = hirescam(output.features.float(), context.model.head.weight)
        contrastive_2KHW = contrastive_cams(cams_2KHW, torch.full((2,), predicted, device=context.device))
        chances_2K = output.logits.float().softmax(1)
    rows = [
        draw_panel(
            image_CHW,
            batch.background_BHW[index] if batch.has_mask_B[index] else None,
            contrastive_KHW,
            title=f"{when}: predicted {names[int(chances_K.argmax())]} ({chances_K.max():.0%})",
            rivals=[(rival, f"{names[predicted]} vs {names[rival]}")],
        )
        for when, image_CHW, contrastive_KHW, chances_K in zip(
            (names[int(batch.labels_B[index])], "attacked"), images_2CHW, contrastive_2KHW, chances_2K, strict=True
        )
    ]
    return _stack(rows)


def _stack(rows: list[Image.Image]) -> Image.Image:
    stacked = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "#ffffff")
    top = 0
    for row in rows:
        stacked.paste(row, (0, top))
        top += row.height
    return stacked
