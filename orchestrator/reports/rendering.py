"""Pages: one HTML file each, which needs no other file and no network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly import graph_objects as go
from plotly.offline import get_plotlyjs

from orchestrator.files.text import plural
from orchestrator.reports.plot_style import DARK, FONT, LIGHT

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot in a page, with a description for those who cannot see it."""

    figure: go.Figure
    description: str

    @property
    def json(self) -> Markup:
        return in_script(self.figure.to_json())


def render(template: str, **values: Any) -> str:
    """Return the page that the template, one that extends `page.html.j2`, makes of `values`."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["plural"] = plural
    environment.filters["breakable"] = breakable
    environment.filters["with_code"] = with_code
    return environment.get_template(template).render(
        light=LIGHT,
        dark=DARK,
        font=Markup(FONT),
        exchanged=in_script(json.dumps({LIGHT[name]: DARK[name] for name in LIGHT})),
        plotly_js=Markup(get_plotlyjs()),
        **values,
    )


def in_script(text: str) -> Markup:
    """Return JSON that cannot end the script element it stands in."""
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def breakable(name: str) -> Markup:
    """Return a name that may be broken after a slash or an underscore."""
    text = str(escape(name))
    for character in "/_":
        text = text.replace(character, f"{character}<wbr>")
    return Markup(text)


def with_code(sentence: str) -> Markup:
    """Return a sentence whose names between backticks, as Markdown has them, are set as code."""
    text = "".join(
        f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(str(escape(sentence)).split("`"))
    )
    return Markup(text)
