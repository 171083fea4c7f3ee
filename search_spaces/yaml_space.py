"""A search space in a YAML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from search_spaces.constraint import Constraint, parse_constraint
from search_spaces.space import Goal, SamplerName, Space
from trainables.config import ConfigError, read_tree
from trainables.config.explain import explain
from trainables.config.section import Section

if TYPE_CHECKING:
    import optuna

Value = bool | int | float | str | None
RANGE = ("low", "high", "log", "step")


class Parameter(Section):
    """A config field and the values that it may take, as for Optuna's `suggest_float` and its like."""

    type: Literal["float", "int", "categorical"]
    low: float | None = None
    """The smallest value of a number."""
    high: float | None = None
    """The largest value of a number, which is included."""
    log: bool = False
    """Whether numbers are drawn from the logarithms' range."""
    step: float | None = Field(default=None, gt=0)
    """The distance of neighbouring values; null for any float, and for all integers."""
    choices: tuple[Any, ...] | None = None
    """The values of a categorical parameter."""
    when: dict[str, Any] = Field(default_factory=dict)
    """Parameter above this one -> its value, or a list of values, at which this one is asked for."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        is_number = self.type != "categorical"
        given = [
            name for name in (*RANGE, "choices") if getattr(self, name) is not type(self).model_fields[name].default
        ]
        wrong = [name for name in given if (name == "choices") == is_number]
        needed = ("low", "high") if is_number else ("choices",)
        if wrong or not set(needed) <= set(given):
            raise ValueError(f"type = {self.type} takes {_takes(self.type)}; found {', '.join(given) or 'none'}")
        return self

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low is None or self.high is None:
            return self
        if self.low > self.high or (self.log and self.low <= 0):
            rule = "0 < low <= high" if self.log else "low <= high"
            raise ValueError(f"found low = {self.low:g} and high = {self.high:g}; expected {rule}")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other; keep one of them")
        numbers = (self.low, self.high, self.step or 1.0)
        if self.type == "int" and not all(number.is_integer() for number in numbers):
            raise ValueError(f"type = int takes integers; found low, high, step = {', '.join(map(str, numbers))}")
        return self

    @field_validator("choices")
    @classmethod
    def _choices_are_single_values(cls, choices: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        odd = [choice for choice in choices or () if not isinstance(choice, Value)]
        if odd or choices == ():
            raise ValueError(f"choices takes single values, at least one; found {odd or 'none'}")
        return choices

    def suggest(self, name: str, trial: "optuna.Trial") -> Value:
        """Ask for the parameter's value."""
        if self.type == "categorical":
            assert self.choices is not None
            chosen: Value = trial.suggest_categorical(name, self.choices)
            return chosen
        assert self.low is not None
        assert self.high is not None
        if self.type == "int":
            return trial.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


class SpaceFile(Section):
    """What the file of a space holds."""

    name: str | None = None
    """By default that of the file."""
    summary: str = ""
    base: str
    """A shipped base's name, or a YAML file, whose path is relative to this file."""
    goals: dict[str, Literal["max", "min"]]
    """Metric -> direction, the most important first."""
    constraints: tuple[str, ...] = ()
    """Such as `val/accuracy >= 0.9`."""
    sampler: SamplerName = "tpe"
    num_trials: int = Field(ge=1)
    asha: bool = False
    parameters: dict[str, Parameter]
    """Config field -> its values. A name without a dot sets no field, and decides on others by their `when`."""
    first_points: tuple[dict[str, Any], ...] = ()
    """Values tried before any sampled ones, such as a baseline."""

    @model_validator(mode="after")
    def _conditions_are_on_earlier_choices(self) -> Self:
        earlier: dict[str, Parameter] = {}
        for name, parameter in self.parameters.items():
            for other, wanted in parameter.when.items():
                if other not in earlier:
                    above = ", ".join(earlier) or "none"
                    raise ValueError(f"parameters.{name}.when: {other} is no parameter above it; those are {above}")
                choices = earlier[other].choices
                unknown = [value for value in _values(wanted) if choices is not None and value not in choices]
                if unknown:
                    raise ValueError(
                        f"parameters.{name}.when.{other}: found {unknown[0]!r}, which {other} never is; its choices: "
                        f"{', '.join(map(str, choices or ()))}"
                    )
            earlier[name] = parameter
        return self


@dataclass(frozen=True)
class SuggestParameters:
    """The parameters of a file as the function that Optuna calls; it can be pickled."""

    path: str
    parameters: Mapping[str, Parameter]

    def __call__(self, trial: "optuna.Trial") -> None:
        asked: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            is_there = all(
                other in asked and asked[other] in _values(wanted) for other, wanted in parameter.when.items()
            )
            if is_there:
                asked[name] = parameter.suggest(name, trial)


def read_space(path: Path) -> Space:
    """Return the space in a YAML file; ConfigError names the file and the key that is wrong."""
    try:
        file = SpaceFile.model_validate(read_tree(path))
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, path) for problem in error.errors())) from error
    constraints = tuple(_constraint(text, path, number) for number, text in enumerate(file.constraints))
    try:
        return Space(
            name=file.name or path.stem,
            summary=file.summary,
            base=_base(file.base, path),
            suggest=SuggestParameters(str(path), file.parameters),
            goals=tuple(Goal(metric, direction) for metric, direction in file.goals.items()),
            constraints=constraints,
            sampler=file.sampler,
            num_trials=file.num_trials,
            asha=file.asha,
            first_points=file.first_points,
        )
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _explain(problem: Mapping[str, Any], path: Path) -> str:
    """Say which key is wrong; a rule of a parameter does not know the parameter's name."""
    if problem["type"] == "value_error" and problem["loc"]:
        return f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['ctx']['error']}"
    return explain(problem, SpaceFile, source=str(path))


def _constraint(text: str, path: Path, number: int) -> Constraint:
    return parse_constraint(text, source=f"{path}: constraints[{number}]")


def _base(base: str, path: Path) -> str:
    """Return a base's name, or the path of its file as it is seen from here."""
    return str(path.parent / base) if base.endswith((".yaml", ".yml")) else base


def _values(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


def _takes(kind: str) -> str:
    return "choices" if kind == "categorical" else "low and high, and may take log or step"
