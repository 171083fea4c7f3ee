"""YAML text to values: one reading of numbers and truth values, and nothing that grows without end."""

import re
from typing import Any

import yaml
from yaml.composer import Composer

MAX_VALUES = 100_000
"""How many values a text may have once its aliases are expanded; a config has hundreds."""
_TAG = "tag:yaml.org,2002:"
_BROKEN = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
"""What PyYAML raises; the third and fourth for a value that its explicit tag does not fit, such as `!!bool 3`."""


class RayLoader(Composer, yaml.CSafeLoader):
    """YAML 1.1, as Ray reads a cluster file, without keys that stand twice: YAML would take the last.

    The text is parsed in C, for leaderboards of thousands of trials. Nodes are composed in Python, where a text that is
    nested too deep is an error; in C it would end the process.
    """

    def __init__(self, stream: str) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value} is there twice", problem_mark=key.start_mark)
            seen.add((key.tag, str(key.value)))
        return node


class ConfigLoader(RayLoader):
    """Numbers and truth values are those on which YAML 1.1 and 1.2 agree, and anything else is text.

    So `on` and `no` are names, and `010` and `1:30` are text, which a field of numbers converts or refuses. What
    `yaml.safe_dump` writes is read as it was.
    """


ConfigLoader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.nan", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    ConfigLoader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def read_yaml(text: str, loader_type: type[RayLoader] = ConfigLoader) -> Any:
    """Return the value of a YAML text; ValueError says in one line what is wrong with it."""
    try:
        loader = loader_type(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_size(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except _BROKEN as error:
        raise ValueError(_reason(error)) from error


def _check_size(root: yaml.Node) -> None:
    """Raise MarkedYAMLError where aliases make the text too large, or endless."""
    sizes: dict[yaml.Node, int] = {}

    def size(node: yaml.Node) -> int:
        if sizes.get(node) == 0:
            raise yaml.MarkedYAMLError(problem="an alias stands within what it names", problem_mark=node.start_mark)
        if node not in sizes:
            sizes[node] = 0
            children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else []
            children += node.value if isinstance(node, yaml.SequenceNode) else []
            sizes[node] = 1 + sum(map(size, children))
        return sizes[node]

    if size(root) > MAX_VALUES:
        raise yaml.MarkedYAMLError(problem=f"it has {size(root)} values with its aliases, and may have {MAX_VALUES}")


def _reason(error: Exception) -> str:
    """Return what is wrong, with its line, on one line."""
    if isinstance(error, LookupError | AttributeError):
        return "a value does not fit its tag"
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
    return f"{place}{error.problem or error.context}"
