"""How a study chooses each arm's settings: candidates that are trained beforehand and compared on validation images."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from trainables.config.section import Section
from trainables.metric_names import current_metric


class CandidatesFailedError(RuntimeError):
    """An arm of which no candidate has completed; the message names it."""


class ChosenSettings(Section):
    """Which settings an arm takes, and what they were compared by."""

    number: int = Field(ge=1)
    """Which of the arm's settings, counted from 1."""
    values: tuple[float | None, ...]
    """The metric of each of them; null where the training failed."""


class Tuning(Section):
    """Settings from which every arm takes those that are best at one seed; all arms have the same number of them."""

    metric: Annotated[str, AfterValidator(current_metric)]
    """A metric of validation images, such as val/worst_group_accuracy."""
    seed: Annotated[int, Field(ge=0, strict=True)]
    """Sets the study's `seed_fields`, and is none of its seeds."""
    settings: dict[str, tuple[dict[str, Any], ...]]
    """Arm -> its candidates, each config field -> value."""
    chosen: dict[str, ChosenSettings] = Field(default_factory=dict)
    """Arm -> what it takes; empty until the candidates have been trained."""

    @model_validator(mode="after")
    def _arms_have_equal_numbers(self) -> Self:
        numbers = {arm: len(candidates) for arm, candidates in self.settings.items()}
        if len(set(numbers.values())) > 1 or 0 in numbers.values():
            found = ", ".join(f"{arm} has {number}" for arm, number in numbers.items())
            raise ValueError(f"tuning.settings: every arm has the same number of candidates; {found}")
        return self

    @staticmethod
    def best(values: Sequence[float | None], *, direction: str) -> ChosenSettings | None:
        """Return the candidate with the best value, the first of equal ones; None where all failed."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        best = max(known) if direction == "max" else min(known)
        return ChosenSettings(number=values.index(best) + 1, values=tuple(values))

    def of(self, arms: Mapping[str, object]) -> dict[str, Any]:
        """Return the tree of the tuning of some of the arms."""
        tree = self.model_dump(mode="json")
        return {
            **tree,
            **{key: {arm: tree[key][arm] for arm in arms if arm in tree[key]} for key in ("settings", "chosen")},
        }
