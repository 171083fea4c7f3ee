"""The evaluation `concepts`: what a network's features are made of, and what each part means for its classes.

N images, J concepts, F features, M cells, K classes, H W map.
"""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from PIL.Image import Image
from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.concepts.cards import draw_card
from trainables.evaluations.concepts.class_table import draw_table
from trainables.evaluations.concepts.crops import Crop, best_crops
from trainables.evaluations.concepts.description import Concepts, describe, importance, name_of
from trainables.evaluations.concepts.dictionary import chance_cosine, find_concepts, matched_cosines, method_of
from trainables.evaluations.concepts.document import document
from trainables.evaluations.concepts.importance import head_of_concepts
from trainables.evaluations.concepts.measures import NUM_RANDOM, by_metric, curves, delete_concepts, means
from trainables.evaluations.concepts.readings import MAX_CELLS, Readings, read_concepts, training_cells
from trainables.evaluations.galleries.class_names import readable_names
from trainables.evaluations.result import EvaluationResult, by_image
from trainables.evaluations.rivals import check_rival
from trainables.evaluations.seeds import seed_of

NUM_SEEDS = 3
"""Factorisations that are compared; the first is the one that is shown."""


def _run(context: EvaluationContext) -> EvaluationResult:
    check_rival(context.model)
    batch, head = context.sampled, context.model.head
    cells_MF = training_cells(context)
    dictionaries = _dictionaries(context, cells_MF)
    readings, dictionaries[0] = _sorted(read_concepts(context, batch, dictionaries[0]), dictionaries[0], head.weight)
    concepts = describe(readings, dictionaries, head.weight, batch)
    deletions = delete_concepts(context, readings, concepts.head_JK)
    samples = by_metric(readings, concepts.head_JK, head.bias, batch, deletions)
    crops = [best_crops(activations_NHW, batch) for activations_NHW in readings.activations_NJHW.unbind(1)]
    images = _images(context, concepts, crops, readings)
    context.tick(NUM_SEEDS + 1, NUM_SEEDS + 1)
    return EvaluationResult(
        metrics={
            "concepts/r2": readings.r2(),
            "concepts/stability": _mean_stability(dictionaries),
            "concepts/stability_at_random": chance_cosine(dictionaries[0], context.generator("concepts/chance")),
            **means(samples),
        },
        curves=curves(deletions),
        images=images,
        documents={"concepts": document(concepts, crops, readings, batch, context.data.class_names)},
        settings=_settings(context, cells_MF, len(concepts.head_JK)),
        samples={name: by_image(batch.ids, values_N) for name, values_N in samples.items()},
    )


def _dictionaries(context: EvaluationContext, cells_MF: Tensor) -> list[Tensor]:
    """Return the dictionary_JF of each seed."""
    found = []
    for number in range(NUM_SEEDS):
        seed = seed_of(context.settings.seed, f"concepts/{number}")
        found.append(find_concepts(cells_MF, context.settings.inside.num_concepts, seed))
        context.tick(number + 1, NUM_SEEDS + 1)
    return found


def _sorted(readings: Readings, dictionary_JF: Tensor, weight_KF: Tensor) -> tuple[Readings, Tensor]:
    """Return readings and dictionary with the most important concept first."""
    importance_J = importance(readings, head_of_concepts(dictionary_JF, weight_KF))
    order_J = importance_J.argsort(descending=True, stable=True)
    return readings.sorted(order_J), dictionary_JF[order_J]


def _mean_stability(dictionaries: Sequence[Tensor]) -> float:
    return fmean(matched_cosines(one_JF, other_JF).mean().item() for one_JF, other_JF in combinations(dictionaries, 2))


def _images(
    context: EvaluationContext, concepts: Concepts, crops: Sequence[Sequence[Crop]], readings: Readings
) -> dict[str, Image]:
    names, maps = readable_names(context.data.class_names), readings.activations_NJHW.unbind(1)
    cards = {
        name_of(number): draw_card(number, concepts, own, activations_NHW, context.sampled, names)
        for number, (own, activations_NHW) in enumerate(zip(crops, maps, strict=True))
    }
    return {"by_class": draw_table(concepts, names), **cards}


def _settings(context: EvaluationContext, cells_MF: Tensor, num_concepts: int) -> dict[str, Any]:
    batch = context.sampled
    return {
        "seed": context.settings.seed,
        "method": method_of(cells_MF),
        "num_concepts": num_concepts,
        "num_cells": len(cells_MF),
        "max_cells": MAX_CELLS,
        "num_seeds": NUM_SEEDS,
        "random_orders": NUM_RANDOM,
        "num_pictures": len(batch),
        "num_without_mask": int((~batch.has_mask_B).sum()),
    }


CONCEPTS = EvalSpec(
    name="concepts",
    category="inside",
    directions={
        "concepts/r2": "max",
        "concepts/accuracy": "max",
        "concepts/agreement": "max",
        "concepts/deletion_auc": None,
        "concepts/deletion_auc_random": None,
        "concepts/stability": "max",
        "concepts/stability_at_random": None,
        "concepts/background_share": "min",
        "concepts/background_excess": "min",
    },
    run=_run,
    definition=2,  # 1 had concepts that were no numbers, neither chance nor excess over the area.
)
