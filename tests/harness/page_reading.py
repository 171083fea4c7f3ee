"""A page as a browser finds it."""

import json
from functools import cached_property
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in {"script", "style"} else self._inside

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif not self._inside:
            self.pieces.append(data)

    @cached_property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())

    @property
    def figures(self) -> list[dict[str, Any]]:
        return [json.loads(script) for script in self.scripts if script.startswith('{"data"')]

    def attributes(self, tag: str, name: str) -> list[str]:
        return [value for found, attributes in self.tags if found == tag and (value := attributes.get(name))]

    @property
    def cells(self) -> list[str]:
        """The text of the page, piece by piece."""
        return [piece.strip() for piece in self.pieces if piece.strip()]
