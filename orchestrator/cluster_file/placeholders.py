"""What is left to do before `ray up`: placeholders that are still empty, and the token."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cluster_file.auth import TOKEN_FILE
from orchestrator.cluster_file.cluster_file import ClusterFile

PLACEHOLDER = re.compile(r"[^\s'\"=,]*FILL-IN[^\s'\"=,]*")


def to_do(cluster: ClusterFile) -> Iterator[str]:
    """Yield one line for each placeholder that is still empty, and one for a token that does not exist yet."""
    for field, text in _strings(cluster.tree):
        for word in PLACEHOLDER.findall(text):
            yield f"{field}: fill in {word}"
    for remote, local in cluster.file_mounts.items():
        if remote.endswith(TOKEN_FILE) and not cluster.local_path(local).exists():
            yield f"file_mounts.{remote}: make {local} with: ray get-auth-token --generate"


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the field and the text of every string in a tree."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{path}[{index}]")
