"""One reading of YAML: what stays text, what is refused, and what earlier versions wrote."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainables.config import (
    ConfigError,
    experiment_from_tree,
    load_experiment,
    override,
    parse_assignments,
    read_tree,
)


def write(folder: Path, text: str) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(text, encoding="utf-8")
    return path


LISTS = "".join(
    f"{name}: &{name} [{', '.join([f'*{of}'] * 10)}]\n" for of, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{of}'] * 10)}]}}\n" for of, name in zip("abcde", "bcdef", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a: &a [1]\n{LISTS}", "values with its aliases, and may have 100000"),
        (f"a: &a {{k: 1}}\n{MERGES}", "values with its aliases, and may have 100000"),
        ("[" * 100_000, "recursion"),
        ("a: &a [*a]\n", "line 1: an alias stands within what it names"),
        ("seed: !!bool 3\n", "a value does not fit its tag"),
        ("seed: !!int x\n", "invalid literal for int"),
        ("seed: !!python/name:os.system\n", "line 1: could not determine a constructor for the tag"),
        (f"seed: {'9' * 5000}\n", "Exceeds the limit"),
    ],
)
def test_file_that_would_grow_or_fail_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    for as_ray in (False, True):
        with pytest.raises(ConfigError) as caught:
            read_tree(write(tmp_path, text), as_ray=as_ray)
        assert str(caught.value).startswith(f"{tmp_path / 'experiment.yaml'}: not valid YAML: ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_file_that_never_ends_or_is_nowhere_is_refused(tmp_path: Path) -> None:
    pipe, loop = tmp_path / "pipe.yaml", tmp_path / "loop.yaml"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path, reason in ((pipe, "it is a named pipe, not a file"), (loop, "Too many levels of symbolic links")):
        with pytest.raises(ConfigError, match=rf"{path}: cannot be read: {reason}"):
            read_tree(path)


@pytest.mark.parametrize(
    ("text", "config", "ray"),
    [
        ("true", True, True),
        ("False", False, False),
        ("on", "on", True),
        ("No", "No", False),
        ("010", "010", 8),
        ("0008", "0008", "0008"),
        ("1:30", "1:30", 90),
        ("1_000", "1_000", 1000),
        ("0x10", 16, 16),
        ("1e3", "1e3", "1e3"),
        ("1.0e+3", 1000.0, 1000.0),
        ("-.5", "-.5", "-.5"),
        ("2020-01-31", "2020-01-31", None),
        ("~", None, None),
    ],
)
def test_numbers_and_truth_values_are_those_of_every_yaml(
    tmp_path: Path, text: str, config: object, ray: object
) -> None:
    path = write(tmp_path, f"a: {text}\n")
    assert read_tree(path) == {"a": config}
    assert ray is None or read_tree(path, as_ray=True) == {"a": ray}
    assert ray is None or type(read_tree(path, as_ray=True)["a"]) is type(ray)


@pytest.mark.parametrize(("text", "seed"), [("010", 10), ("0", 0), ("1_000", 1000)])
def test_seed_is_the_number_that_is_written(tmp_path: Path, text: str, seed: int) -> None:
    assert load_experiment(write(tmp_path, f"seed: {text}\n")).seed == seed
    assert experiment_from_tree(override({}, parse_assignments([f"seed={text}"]))).seed == seed


@pytest.mark.parametrize("text", ["1:30", "0b11", "on", "1e3"])
def test_what_is_no_whole_number_is_no_seed(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"experiment\.yaml: seed: found '{text}'; input should be a valid integer"):
        load_experiment(write(tmp_path, f"seed: {text}\n"))


def test_truth_value_of_yaml_1_1_is_refused_with_what_is_right(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.head_bias: found 'yes'; input should be true or false"):
        load_experiment(write(tmp_path, "model: {head_bias: yes}\n"))


def test_what_earlier_versions_wrote_is_read_as_it_was(tmp_path: Path) -> None:
    texts = [
        "on",
        "yes",
        "NO",
        "010",
        "0008",
        "0o17",
        "1:30",
        "1e3",
        "1_0",
        "0x10",
        "0b1",
        "2020-01-31",
        "=",
        "<<",
        "~",
    ]
    texts += ["", "null", "true", "1.5", ".5", "-.5", ".inf", ".nan", "12", "+1", "-0", "1e400", "é", "a: b", "# c"]
    tree: dict[str, Any] = {text: text for text in texts}
    tree |= {"numbers": [0, -3, 8, 1e-05, 1e16, 1e300, -0.5, float("inf")], "switches": [True, False, None]}
    path = write(tmp_path, yaml.safe_dump(tree, sort_keys=False))
    assert repr(read_tree(path)) == repr(tree)
