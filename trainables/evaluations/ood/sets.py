"""The OOD sets of a suite, built and run through the network one after another."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainables.config import ConfigError, DataConfig, FolderSet, OodSet
from trainables.data import Batch, ImageSet, build_ood_set, default_ood_sets
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.ood.encoded import Encoded, encode
from trainables.evaluations.result import NotPossibleError
from trainables.evaluations.seeds import seed_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OodSets:
    """The sets that the suite names, or else those that need no files, and a note on each."""

    context: EvaluationContext
    config: DataConfig
    sections: Mapping[str, OodSet]
    notes: dict[str, Any] = field(default_factory=dict)
    """By name: role, kind, and the number of images or why the set was skipped; filled as the sets are read."""

    @classmethod
    def of(cls, context: EvaluationContext) -> "OodSets":
        """Raise NotPossibleError where there is nothing to measure."""
        config = context.data.config
        if config is None:
            raise NotPossibleError("the data do not name their config, by which OOD sets are built")
        sets = cls(context, config, context.settings.ood.sets or default_ood_sets(config))
        if not sets.num_measured:
            raise NotPossibleError("evaluation.suite.ood.sets has no near and no far set")
        return sets

    @property
    def roles(self) -> dict[str, str]:
        """Near, far or validation by name."""
        return {name: section.role for name, section in self.sections.items()}

    @property
    def num_measured(self) -> int:
        """How many sets are near or far."""
        return sum(role != "validation" for role in self.roles.values())

    @property
    def read(self) -> list[str]:
        """The sets that are read: the near, the far, and the validation sets of image files."""
        sections = self.sections.items()
        return [name for name, section in sections if section.role != "validation" or isinstance(section, FolderSet)]

    def measured(self) -> Iterator[tuple[str, Encoded]]:
        """Yield the near and the far sets that can be read; log and note the others."""
        return self._encoded([name for name, role in self.roles.items() if role != "validation"], None)

    def validation(self, size: int) -> dict[str, Encoded]:
        """Return `size` images of each validation set of image files; log and note the sets left out.

        Drawn images are no validation set: what is best against noise can be worst against all else.
        """
        names = [name for name, role in self.roles.items() if role == "validation"]
        for name in names:
            if name not in self.read:
                section = self.sections[name]
                reason = f"kind {section.kind} is drawn, and hyper-parameters are chosen on an image_folder alone"
                logger.warning("ood: the validation set %s is not used: %s", name, reason)
                self.notes[name] = {"role": section.role, "kind": section.kind, "skipped": reason}
        return dict(self._encoded([name for name in names if name in self.read], size))

    def _encoded(self, names: list[str], size: int | None) -> Iterator[tuple[str, Encoded]]:
        for name in names:
            section = self.sections[name]
            note = self.notes[name] = {"role": section.role, "kind": section.kind}
            try:
                batch, digest = self._sample(name, size)
            except ConfigError as error:
                logger.warning("ood: the set %s is left out: %s", name, error)
                note["skipped"] = str(error)
                continue
            note |= {"num_pictures": len(batch), "digest": digest}
            yield name, encode(self.context, batch.images_BCHW)

    def digest(self, name: str) -> str | None:
        """Return the digest of the set's images, or None where it cannot be read."""
        try:
            return self._build(name).digest()
        except ConfigError:
            return None

    def _build(self, name: str) -> ImageSet:
        settings = self.context.settings
        seed = seed_of(settings.seed, f"outside {name}")
        return build_ood_set(self.config, self.sections[name], name=name, num=settings.sample, seed=seed)

    def _sample(self, name: str, size: int | None) -> tuple[Batch, str]:
        images = self._build(name)
        batch = self.context.sample(images, size)
        if not len(batch):
            raise ConfigError(f"evaluation.suite.ood.sets.{name}: none of its images could be read")
        return batch, images.digest()
