"""Pydantic's findings in the words of a config's user."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

Problem = Mapping[str, Any]
NEAR = 0.2
"""Difference of two names' similarities to a third below which either may be meant."""
MAX_NAMED = 6
"""Kinds that a suggestion lists."""


def explain(problem: Problem, root: type[BaseModel], *, source: str) -> str:
    """Say in one line which field is wrong, what was found and what would be right."""
    path, owner, variants = _locate(problem["loc"], root)
    field = ".".join(path)
    where = f"{source}: {field}" if field else source
    found = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            return f"{where}: unknown field (found {found!r}); {_suggest(path, owner, variants)}"
        case "union_tag_invalid" | "union_tag_not_found":
            choices = problem["ctx"].get("expected_tags") or _tags(owner, path)
            tag = problem["ctx"].get("tag")
            return f"{where}.kind: found {tag!r}; valid kinds: {str(choices).replace(chr(39), '')}"
        case "misread":
            field, found = problem["ctx"]["field"], problem["ctx"]["found"]
            return f"{source}: {'.'.join((*path, field))}: found {found!r}; {problem['ctx']['should']}"
        case "missing":
            return f"{where}: required, but not given"
        case "value_error":
            return f"{source}: {problem['ctx']['error']}"
        case _:
            return f"{where}: found {found!r}; {problem['msg'][:1].lower()}{problem['msg'][1:]}"


Variants = dict[str, type[BaseModel]]
"""The sections that may stand in one place, by kind."""


def _locate(location: tuple[str | int, ...], root: type[BaseModel]) -> tuple[list[str], type[BaseModel], Variants]:
    """Follow a pydantic location without its union tags; return the last section on the way and its variants."""
    path: list[str] = []
    owner, of_owner = root, Variants()
    variants = Variants()
    for step in map(str, location):
        if step in variants:
            owner, of_owner, variants = variants[step], variants, {}
            continue
        if step == "[key]":  # Pydantic's word for the key itself, which is the step before.
            continue
        path.append(step)
        if step not in owner.model_fields:
            continue
        annotation = owner.model_fields[step].annotation
        sections = list(_sections(annotation))
        variants = {tag: section for section in sections for tag in _kinds(section)}
        if len(sections) == 1 and not variants:
            owner, of_owner = sections[0], {}
    return path, owner, of_owner


def _sections(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections(argument)


def _kinds(section: type[BaseModel]) -> tuple[str, ...]:
    field = section.model_fields.get("kind")
    return get_args(field.annotation) if field else ()


def _tags(owner: type[BaseModel], path: list[str]) -> str:
    annotation = owner.model_fields[path[-1]].annotation if path and path[-1] in owner.model_fields else None
    return ", ".join(tag for section in _sections(annotation) for tag in _kinds(section))


def _suggest(path: list[str], owner: type[BaseModel], variants: Variants) -> str:
    """Return the field that may be meant, of any variant of the section, and the valid fields of this one."""
    *section, name = path
    fields = {field for variant in (owner, *variants.values()) for field in variant.model_fields}
    close = [name] if name in fields else _alike(name, fields)
    hint = f"did you mean {_either(close)}? " if close and name not in fields else ""
    for other in close:
        if other not in owner.model_fields:
            kinds = [kind for kind, variant in variants.items() if other in variant.model_fields]
            hint += f"{'.'.join((*section, other))} needs {'.'.join((*section, 'kind'))} = {_either(kinds)}; "
    return f"{hint}valid fields: {', '.join(sorted(owner.model_fields))}"


def _alike(name: str, fields: Iterable[str]) -> list[str]:
    """Return the fields whose names are the most like `name`; several where one is hardly more so than another."""
    close = difflib.get_close_matches(name, sorted(fields), n=3)
    ratios = {field: difflib.SequenceMatcher(None, field, name).ratio() for field in close}
    return [field for field, ratio in ratios.items() if ratio > max(ratios.values()) - NEAR]


def _either(kinds: list[str]) -> str:
    """Return the kinds as alternatives, of many the first few."""
    more = len(kinds) - MAX_NAMED
    return " or ".join(kinds) if more <= 0 else f"{', '.join(kinds[:MAX_NAMED])} or one of {more} more"
