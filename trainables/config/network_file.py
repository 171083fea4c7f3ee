"""A file of networks of the user, and the overrides that name one."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainables.config.error import ConfigError
from trainables.config.regular_file import check_regular


def read_network_file(name: str) -> dict[str, str]:
    """Return a file of networks as fields of `Own`: its path, made absolute, as `file`, and its text as `source`.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        path = Path(name).expanduser().absolute()
        check_regular(path)
        return {"file": str(path), "source": path.read_text(encoding="utf-8")}
    except (OSError, ValueError, RuntimeError) as error:  # The last where ~ is no user's.
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"model.file = {name} cannot be read: {reason}") from error


def with_own_kind(model: dict[str, Any]) -> dict[str, Any]:
    """Return a model's section in which `kind: FILE.py:CLASS` is written out.

    Raises:
        ConfigError: It has another `file` or `name` too.
    """
    file, colon, name = str(model.get("kind")).rpartition(".py:")
    if not colon:
        return model
    own = {"file": f"{file}.py", "name": name}
    for field, value in own.items():
        if model.get(field, value) != value:
            raise ConfigError(
                f"model.kind = {model['kind']} says model.{field} = {value}, and model.{field} = {model[field]} is "
                "given too; remove one of them"
            )
    return {**model, "kind": "own", **own}


def network_files(overrides: Collection[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return by name what `read_network_file` does of each file that overrides name, but for those it cannot read."""
    sections = [with_own_kind({"kind": each.get("model.kind")}) for each in overrides]
    named = [*(section.get("file") for section in sections), *(each.get("model.file") for each in overrides)]
    files: dict[str, dict[str, str]] = {}
    for name in named:
        with suppress(ConfigError):  # Whatever needs the file says so.
            if isinstance(name, str):
                files[name] = read_network_file(name)
    return files
