"""Pydantic's findings in the words of a config's user."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

Problem = Mapping[str, Any]


def explain(problem: Problem, root: type[BaseModel], *, source: str) -> str:
    """Say in one line which field is wrong, what was found and what would be right."""
    path, owner = _locate(problem["loc"], root)
    field = ".".join(path)
    where = f"{source}: {field}" if field else source
    found = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            return f"{where}: unknown field (found {found!r}); {_suggest(path[-1], sorted(owner.model_fields))}"
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


def _locate(location: tuple[str | int, ...], root: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """Follow a pydantic location; drop the union tags it contains and find the last section on the way."""
    path: list[str] = []
    owner = root
    variants: dict[str, type[BaseModel]] = {}
    for step in map(str, location):
        if step in variants:
            owner, variants = variants[step], {}
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
            owner = sections[0]
    return path, owner


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


def _suggest(name: str, valid: list[str]) -> str:
    close = difflib.get_close_matches(name, valid, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}valid fields: {', '.join(valid)}"
