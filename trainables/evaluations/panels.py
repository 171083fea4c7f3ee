"""CAM panels of a fixed choice of validation images."""

from pathlib import Path

import torch
from PIL.Image import Image

from trainables.cams import contrastive_cams, hirescam
from trainables.data import Batch, Draw, ImageSet
from trainables.drawing import draw_panel
from trainables.models import Classifier, in_eval_mode


def draw_panels(
    model: Classifier, images: ImageSet, *, num_images: int, num_rivals: int, folder: Path, device: torch.device
) -> None:
    """Write a panel for each of `num_images` images, evenly spread over the set, to `folder/<id>.png`."""
    if not num_images:
        return
    positions = torch.linspace(0, len(images) - 1, min(num_images, len(images)))
    batch = images.__getitems__([Draw(int(position), 0) for position in positions])
    folder.mkdir(parents=True, exist_ok=True)
    for image, panel in zip(
        batch.ids, panels_of(model, batch, images.class_names, num_rivals=num_rivals, device=device), strict=True
    ):
        panel.save(folder / f"{image}.png")


def panels_of(
    model: Classifier,
    batch: Batch,
    class_names: tuple[str, ...],
    *,
    num_rivals: int,
    device: torch.device,
    labelled: bool = True,
) -> list[Image]:
    """Draw each image's label class against its `num_rivals` highest-scoring rivals.

    Args:
        labelled: Whether labels are known. If not, a label is only the class to draw, and the title leaves it out.
    """
    with in_eval_mode(model), torch.inference_mode():
        output = model(batch.images_BCHW.to(device))
        cams_BKHW = hirescam(output.features.float(), model.head.weight)
        contrastive_BKHW = contrastive_cams(cams_BKHW, batch.labels_B.to(device)).cpu()
        logits_BK = output.logits.float().cpu()
    return [
        _panel(batch, index, logits_BK[index], contrastive_BKHW[index], class_names, num_rivals, labelled=labelled)
        for index in range(len(batch))
    ]


def _panel(
    batch: Batch,
    index: int,
    logits_K: torch.Tensor,
    contrastive_KHW: torch.Tensor,
    class_names: tuple[str, ...],
    num_rivals: int,
    *,
    labelled: bool,
) -> Image:
    label = int(batch.labels_B[index])
    ranking = [int(k) for k in logits_K.argsort(descending=True)]
    return draw_panel(
        batch.images_BCHW[index],
        batch.background_BHW[index] if batch.has_mask_B[index] else None,
        contrastive_KHW,
        title=panel_title(batch, index, logits_K, class_names, labelled=labelled),
        rivals=[(k, f"{class_names[label]} vs {class_names[k]}") for k in ranking if k != label][:num_rivals],
    )


def panel_title(
    batch: Batch, index: int, logits_K: torch.Tensor, class_names: tuple[str, ...], *, labelled: bool = True
) -> str:
    """Return `cat, predicted dog (57%)`, or `predicted dog (57%)` where no label is known."""
    predicted = f"predicted {_predicted(batch, logits_K, class_names)}"
    return f"{_shown(batch, index, class_names)}, {predicted}" if labelled else predicted


def _shown(batch: Batch, index: int, class_names: tuple[str, ...]) -> str:
    """Return the label, and after it what else an image of several labels shows."""
    label = int(batch.labels_B[index])
    targets = [] if batch.targets_BK is None else batch.targets_BK[index].nonzero().flatten().tolist()
    return " + ".join(class_names[k] for k in [label, *(other for other in targets if other != label)])


def _predicted(batch: Batch, logits_K: torch.Tensor, class_names: tuple[str, ...]) -> str:
    """Return the likeliest class; with several labels an image, all that are likelier there than not."""
    ranking = logits_K.argsort(descending=True).tolist()
    if batch.targets_BK is None:
        predicted, probabilities_K = ranking[:1], logits_K.softmax(0)
    else:
        predicted, probabilities_K = [k for k in ranking if logits_K[k] > 0] or ranking[:1], logits_K.sigmoid()
    return ", ".join(f"{class_names[k]} ({probabilities_K[k]:.0%})" for k in predicted)
