"""What a trial minimises."""

from typing import Annotated, Literal

from pydantic import Field

from trainables.config.section import Section


class CrossEntropy(Section):
    """Plain cross-entropy on the logits."""

    kind: Literal["cross_entropy"] = "cross_entropy"


class Contrastive(Section):
    """Contrastive cross-entropy: the background's ContrastiveCAMs count against every class."""

    kind: Literal["contrastive"] = "contrastive"
    background_weight: float = Field(default=1.0, ge=0)
    """The penalty lambda on the background's absolute contribution; the literature has 1."""


ObjectiveConfig = Annotated[CrossEntropy | Contrastive, Field(discriminator="kind")]
