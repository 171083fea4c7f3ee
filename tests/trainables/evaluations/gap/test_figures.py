"""What a network makes of images: the margin's parts against sums of ContrastiveCAMs."""

import pytest
import torch

from tests.trainables.evaluations.conftest import RED_OR_GREEN, context_of, four_images, linear_classifier
from trainables.cams import contrastive_cams, hirescam, reduce_background
from trainables.config import SmallCnn, SpuriousDigits
from trainables.data import build_data
from trainables.evaluations import EvaluationContext, NotPossibleError
from trainables.evaluations.gap.figures import margin_parts, observe
from trainables.evaluations.rivals import strongest_rivals
from trainables.models import build_model


def test_the_parts_by_hand() -> None:
    """The table of `four_images` has the maps; image 2 has no mask, so all of it counts as object."""
    model, images = linear_classifier(RED_OR_GREEN), four_images()
    observed = observe(context_of(model, images), images.batch)
    rivals_N = strongest_rivals(observed.logits_NK, observed.batch.labels_B)
    parts = margin_parts(observed, rivals_N, model.head.weight.detach(), None)
    assert rivals_N.tolist() == [1, 1, 0, 0]
    assert parts.object_N.tolist() == [1 / 4, 1 / 4, -1, 1 / 8]
    assert parts.background_N.tolist() == [-1 / 4, 3 / 4, 0, 1 / 8]
    assert parts.bias_N.tolist() == [0] * 4
    assert parts.total_N.tolist() == [0, 1, -1, 1 / 4]


@pytest.mark.parametrize("head_bias", [False, True])
def test_the_parts_are_those_of_the_maps_and_sum_to_the_logits(head_bias: bool) -> None:
    torch.manual_seed(0)
    model = build_model(SmallCnn(width=4, head_bias=head_bias), num_classes=10).model.eval()
    data = build_data(SpuriousDigits(num_train=20, num_test=30, image_size=40))
    context = EvaluationContext(model, data, torch.device("cpu"), batch_size=7)
    batch = context.sampled
    observed = observe(context, batch)
    rivals_N = strongest_rivals(observed.logits_NK, batch.labels_B)
    bias_K = None if model.head.bias is None else model.head.bias.detach()
    parts = margin_parts(observed, rivals_N, model.head.weight.detach(), bias_K)

    with torch.no_grad():
        output = model(batch.images_BCHW)
    cams = hirescam(output.features.double(), model.head.weight.detach().double())
    rows = torch.arange(len(batch))
    maps = contrastive_cams(cams, batch.labels_B)[rows, rivals_N]
    background = reduce_background(batch.background_BHW.double(), maps.shape[1:])
    torch.testing.assert_close(parts.background_N, (maps * background).sum((1, 2)), rtol=0, atol=1e-12)
    torch.testing.assert_close(parts.object_N, (maps * (1 - background)).sum((1, 2)), rtol=0, atol=1e-12)
    logits = output.logits.double()
    margin = logits[rows, batch.labels_B] - logits[rows, rivals_N]
    torch.testing.assert_close(parts.total_N, margin, rtol=0, atol=1e-5)
    assert bool(parts.bias_N.any()) == head_bias


def test_features_that_are_not_finite_cannot_be_measured() -> None:
    images = four_images()
    images._images_NCHW[0] = torch.nan
    with pytest.raises(NotPossibleError, match="not all finite"):
        observe(context_of(linear_classifier(RED_OR_GREEN), images), images.batch)
