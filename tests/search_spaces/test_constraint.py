"""A constraint is read from what a user writes, and says how far a value lies beyond it."""

import pytest

from search_spaces import Constraint, Goal, Space, parse_constraint
from trainables.config import ConfigError


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("val/accuracy >= 0.9", Constraint("val/accuracy", ">=", 0.9)),
        ("  val/loss<=1e-3 ", Constraint("val/loss", "<=", 0.001)),
        ("a/b-c_d/e >= -.5", Constraint("a/b-c_d/e", ">=", -0.5)),
    ],
)
def test_constraint_is_read_and_written_again(text: str, constraint: Constraint) -> None:
    assert parse_constraint(text, source="s") == constraint
    assert parse_constraint(str(constraint), source="s") == constraint


@pytest.mark.parametrize("text", ["", "val/accuracy", "val/accuracy > 0.9", "val/accuracy >= nan", ">= 1", "a >= 1 b"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--constraint: found '.*'; expected a metric, >= or <=, and a number"):
        parse_constraint(text, source="--constraint")


def test_excess_is_what_lies_beyond_the_bound() -> None:
    at_least, at_most = Constraint("m", ">=", 0.5), Constraint("m", "<=", 0.5)
    assert [at_least.excess(value) for value in (0.25, 0.5, 1.0)] == [0.25, 0.0, -0.5]
    assert [at_most.excess(value) for value in (0.25, 0.5, 1.0)] == [-0.25, 0.0, 0.5]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"asha": True}, "space s: asha compares trials by the goal alone, but there are constraints: m >= 0.5; leave"),
        ({"sampler": "cmaes"}, "space s: sampler cmaes compares .*: m >= 0.5; take sampler tpe, gp or nsga3"),
    ],
)
def test_what_knows_no_constraints_is_refused_with_them(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Space(
            name="s", summary="-", base="digits", suggest=print, num_trials=1, goals=(Goal("m", "max"),),
            constraints=(Constraint("m", ">=", 0.5),), **fields,  # type: ignore[arg-type]
        )  # fmt: skip
