"""What each channel adds to the margin of an image's class over its rival.

N images, F channels.
"""

from typing import Any

from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.channels.contributions import (
    MARGIN_GAP,
    background_share,
    effective_number,
    num_needed,
    strongest,
)
from trainables.evaluations.channels.documents import channel_document, image_documents, pair_documents
from trainables.evaluations.channels.keeping import NUM_RANDOM, Kept, keep_channels, kept_curves, removal_curves
from trainables.evaluations.channels.pooled import NUM_STRONGEST
from trainables.evaluations.channels.sample import Sample, read_sample
from trainables.evaluations.result import EvaluationResult, by_image


def _run(context: EvaluationContext) -> EvaluationResult:
    sample = read_sample(context)
    kept = keep_channels(sample, context.generator("orders of channels"))
    values = _values(sample, kept)
    channels, card = channel_document(sample)
    pairs, cards = pair_documents(sample)
    return EvaluationResult(
        {
            **{f"channels/{name}": value_N.nanmean().item() for name, value_N in values.items()},
            "channels/keep_area_by_activation": kept.by_activation_NM.mean().item(),
            "channels/keep_area_at_random": kept.at_random_NM.mean().item(),
            "channels/additivity_error": sample.additivity_error,
            "channels/ablation_error": sample.pooled.ablation_error_N.max().item(),
        },
        curves=(*kept_curves(kept), *removal_curves(sample)),
        images={channels["card"]: card, **cards},
        documents={"channels": channels, "class_pairs": pairs, "images": image_documents(sample, values)},
        settings=_settings(context, sample),
        samples={f"channels/{name}": by_image(sample.batch.ids, value_N) for name, value_N in values.items()},
    )


def _values(sample: Sample, kept: Kept) -> dict[str, Tensor]:
    """Return each image's values by name; without a mask, there are none of the background."""
    contribution_NF, object_NF, background_NF = sample.contribution_NF, sample.object_NF, sample.background_NF
    top, share_N = strongest(contribution_NF, NUM_STRONGEST), background_share(object_NF, background_NF, 1)
    values = {
        "effective_number": effective_number(contribution_NF),
        "num_for_90_percent": num_needed(contribution_NF),
        "background_share": share_N,
        "background_excess": share_N - sample.pooled.background_area_N,
        "top_background_share": background_share(object_NF.gather(1, top), background_NF.gather(1, top), 1),
        "keep_area": kept.by_contribution_NM.mean(1),
    }
    return {name: value_N for name, value_N in values.items() if not value_N.isnan().all()}


def _settings(context: EvaluationContext, sample: Sample) -> dict[str, Any]:
    return {
        "seed": context.settings.seed,
        "num_pictures": len(sample.batch),
        "num_without_mask": int((~sample.batch.has_mask_B).sum()),
        "margin": "label against the class of the highest other logit",
        "num_channels": sample.contribution_NF.shape[1],
        "map_size": list(sample.pooled.map_size),
        "background_area": sample.pooled.background_area_N.nanmean().item(),
        "strongest": NUM_STRONGEST,
        "margin_gap": MARGIN_GAP,
        "random_orders": NUM_RANDOM,
    }


CHANNELS = EvalSpec(
    name="channels",
    category="inside",
    directions={
        "channels/effective_number": None,
        "channels/num_for_90_percent": None,
        "channels/background_share": "min",
        "channels/background_excess": "min",
        "channels/top_background_share": "min",
        "channels/keep_area": None,
        "channels/keep_area_by_activation": None,
        "channels/keep_area_at_random": None,
        "channels/additivity_error": "min",
        "channels/ablation_error": "min",
    },
    run=_run,
    definition=2,  # 1 had no excess over the area.
)
