"""A run whose parts a page shows: its documents, images and curves."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from orchestrator.results.evaluated import EvaluatedRun
from trainables.json_file import read_json

QUALITY = 85
"""Of images within the page, from 0 to 100: as PNG, a card of crops may take megabytes."""


@dataclass(frozen=True, slots=True)
class InspectedRun:
    """A run with the evaluations that a page shows."""

    run: EvaluatedRun
    missing: Mapping[str, str]
    """By evaluation that the run lacks, why."""

    def has(self, part: str) -> bool:
        """Return whether the evaluation of that name is there."""
        return part in self.run.evaluations

    def document(self, part: str, name: str) -> Any:
        """Return a document of an evaluation."""
        files = {file.stem: file for file in self.run.evaluations[part].documents}
        return read_json(files[name])

    def image(self, part: str, name: str) -> str | None:
        """Return an image of an evaluation as a data URI, or None where there is none."""
        file = next((file for file in self.run.evaluations[part].images if file.stem == name), None)
        if file is None:
            return None
        found = io.BytesIO()
        with Image.open(file) as image:
            image.convert("RGB").save(found, "WEBP", quality=QUALITY)
        return f"data:image/webp;base64,{base64.b64encode(found.getvalue()).decode()}"
