"""A study: arms that are trained on the same seeds and compared with one of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from orchestrator.files.tuning import ChosenSettings, Tuning
from search_spaces import find_study
from trainables.config import ConfigError, with_current_names
from trainables.config.explain import explain
from trainables.config.section import Section
from trainables.json_file import finite
from trainables.metric_names import current_metric

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""What a sweep, a run, a study or an arm may be called: its folder has that name, or a name that contains it."""
Arm = Annotated[str, Field(pattern=NAME, max_length=60)]
Seed = Annotated[int, Field(ge=0, strict=True)]
TRAINED = ("train/loss", "train/accuracy")
"""Metrics that training reports and no evaluation."""


class Study(Section):
    """Every arm is trained once a seed; a trial is called `<arm>-s<seed>`."""

    name: str = Field(pattern=NAME, max_length=100)
    """Names the sweep, and by default its MLflow experiment."""
    summary: str = Field(min_length=1)
    """What the study asks, for its readers."""
    base: str
    """The experiment of which every arm is an override: a shipped base's name, or a YAML file."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Config field -> value, dotted, in all arms."""
    arms: dict[Arm, dict[str, Any]]
    """Name -> config field -> value, dotted: what the arm changes."""
    reference: str | None = None
    """The arm that the others are compared with; left out, the first."""
    seeds: tuple[Seed, ...] = (0, 1, 2, 3, 4)
    """Each sets the `seed_fields` of one trial of every arm."""
    seed_fields: tuple[str, ...] = ("seed",)
    """Config fields that a seed sets: `seed`, and `data.seed` where the images are to be drawn anew as well."""
    evaluations: tuple[str, ...] = ()
    """What `campaign evaluate --suite` takes, one by one, to be measured on top of the quick suite."""
    tuning: Tuning | None = None
    """How each arm's settings are chosen before the study; null where the arms say them all."""
    reads_test: bool = True
    """Whether trials are measured on the test images at the end; false for a study by which something is chosen."""
    metrics: tuple[Annotated[str, AfterValidator(current_metric)], ...]
    """The table's columns in their order: names, or patterns with `*`. The leaderboard ranks by the first one, as of
    the validation split, without `*` that a trial reports and that has a better direction, else by `val/accuracy`."""

    @field_validator("set", "arms", mode="before")
    @classmethod
    def _renamed(cls, tree: Any, info: ValidationInfo) -> Any:
        if not isinstance(tree, dict):
            return tree
        if info.field_name == "set":
            return with_current_names(tree)
        return {arm: with_current_names(own) if isinstance(own, dict) else own for arm, own in tree.items()}

    @model_validator(mode="after")
    def _there_is_something_to_compare(self) -> Self:
        if len(self.arms) < 2:
            raise ValueError(f"a study compares two arms or more; found arms = {', '.join(self.arms) or 'none'}")
        for name in ("seeds", "seed_fields", "metrics"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty; name at least one")
        return self

    @model_validator(mode="after")
    def _reference_is_an_arm(self) -> Self:
        if self.reference is not None and self.reference not in self.arms:
            raise ValueError(f"reference = {self.reference} is no arm; arms: {', '.join(self.arms)}")
        return self

    @model_validator(mode="after")
    def _every_arm_is_tuned(self) -> Self:
        if self.tuning is None:
            return self
        if set(self.tuning.settings) != set(self.arms):
            raise ValueError(
                f"tuning.settings names {', '.join(self.tuning.settings)}; expected the arms: {', '.join(self.arms)}"
            )
        if self.tuning.seed in self.seeds:
            raise ValueError(
                f"tuning.seed = {self.tuning.seed} is one of seeds = {', '.join(map(str, self.seeds))}, on which the "
                "study reports; take another"
            )
        return self

    @model_validator(mode="after")
    def _no_section_is_reset(self) -> Self:
        for place, overrides in self._places():
            for field, value in overrides.items():
                if "." not in field and isinstance(value, dict):
                    fields = ", ".join(f"{field}.{name}" for name in value) or "its fields one by one"
                    raise ValueError(f"{place}.{field} would reset the whole section; write {fields}")
        return self

    @model_validator(mode="after")
    def _overrides_say_one_thing(self) -> Self:
        for place, overrides in self._places():
            for field, value in overrides.items():
                within = [other for other in overrides if other.startswith(f"{field}.")]
                if within:
                    raise ValueError(f"{place} sets {field} and, within it, {', '.join(within)}; keep one of them")
                if finite(value) != value:
                    raise ValueError(f"{place}.{field}: found {value}; every number of a config is finite")
        return self

    @model_validator(mode="after")
    def _patterns_have_stars_alone(self) -> Self:
        odd = [metric for metric in self.metrics if set(metric) & set("?[]")]
        if odd:
            raise ValueError(f"metrics: found {', '.join(odd)}; a pattern has * for what differs, and not ? or [ ]")
        return self

    @model_validator(mode="after")
    def _nothing_is_there_twice(self) -> Self:
        for name in ("seeds", "seed_fields", "evaluations", "metrics"):
            values = [str(value) for value in getattr(self, name)]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{name} has {', '.join(twice)} twice; found {name} = {', '.join(values)}")
        if len({arm.lower() for arm in self.arms}) < len(self.arms):
            raise ValueError(f"arms = {', '.join(self.arms)} differ in case alone, which not every disk tells apart")
        return self

    @model_validator(mode="after")
    def _seeds_are_not_overwritten(self) -> Self:
        for place, overrides in self._places():
            taken = sorted(set(self.seed_fields) & set(overrides))
            if taken:
                raise ValueError(
                    f"{place} sets {', '.join(taken)}, which each of seeds = {', '.join(map(str, self.seeds))} sets "
                    "too; remove it there or from seed_fields"
                )
        return self

    def _places(self) -> list[tuple[str, dict[str, Any]]]:
        candidates = {} if self.tuning is None else self.tuning.settings
        return [
            ("set", self.set),
            *((f"arms.{arm}", overrides) for arm, overrides in self.arms.items()),
            *((f"tuning.settings.{arm}", overrides) for arm, each in candidates.items() for overrides in each),
        ]

    def overrides(self, arm: str) -> dict[str, Any]:
        """Return what the arm sets, and beneath it what all do, since an arm of another kind starts a section anew."""
        own = self.arms[arm]
        shared = {
            field: value
            for field, value in self.set.items()
            if not any(field == name or field.startswith(f"{name}.") for name in own)
        }
        return {**shared, **own}

    def with_set(self, assignments: Mapping[str, Any]) -> "Study":
        """Return the study with more fields set in all arms; ConfigError where that makes it none."""
        tree = self.model_dump(mode="json")
        return study_from_tree({**tree, "set": {**tree["set"], **assignments}}, source=f"study {self.name}")

    @property
    def compared_with(self) -> str:
        """The reference arm."""
        return self.reference or next(iter(self.arms))

    @property
    def trials(self) -> dict[str, tuple[str, int]]:
        """Trial id -> arm and seed: all arms of the first seed, then all of the next."""
        return {f"{arm}-s{seed}": (arm, seed) for seed in self.seeds for arm in self.arms}

    def tags(self, trial_id: str) -> dict[str, str]:
        """Return the tags that say on a trial's MLflow run which arm and seed it is."""
        arm, seed = self.trials[trial_id]
        return {"campaign.study": self.name, "campaign.arm": arm, "campaign.seed": str(seed)}

    def only(
        self,
        *,
        arms: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
        reference: str | None = None,
    ) -> "Study":
        """Return the study with some of its arms, with other seeds, and with another reference arm.

        Raises:
            ConfigError: No such arm, the reference arm is left out, or what is left is no study.
        """
        if reference is not None:
            whole = {**self.model_dump(mode="json"), "reference": reference}
            return study_from_tree(whole, source=f"study {self.name}").only(arms=arms, seeds=seeds)
        unknown = [arm for arm in arms or () if arm not in self.arms]
        if unknown:
            raise ConfigError(f"study {self.name} has no arm {', '.join(unknown)}; its arms: {', '.join(self.arms)}")
        if arms and self.compared_with not in arms:
            raise ConfigError(
                f"--arms {','.join(arms)} leaves out {self.compared_with}, which the arms of study {self.name} are "
                "compared with; name it too"
            )
        changes: dict[str, Any] = {} if seeds is None else {"seeds": list(seeds)}
        if arms:
            changes["arms"] = {arm: overrides for arm, overrides in self.arms.items() if arm in arms}
            changes["tuning"] = self.tuning and self.tuning.of(changes["arms"])
        return study_from_tree({**self.model_dump(mode="json"), **changes}, source=f"study {self.name}")


def candidate_arm(arm: str, number: int) -> str:
    """Return what the arm of a candidate is called, by its number from 1 on."""
    return f"{arm}.{number}"


def candidates_of(study: Study) -> Study:
    """Return the study whose arms are the candidates of a study's tuning; it reads no test image."""
    tuning = study.tuning
    assert tuning is not None
    arms = {
        candidate_arm(arm, number): {**study.arms[arm], **candidate}
        for arm, candidates in tuning.settings.items()
        for number, candidate in enumerate(candidates, start=1)
    }
    changes = {
        "name": f"{study.name}-tuning",
        "arms": arms,
        "reference": None,
        "seeds": [tuning.seed],
        "evaluations": [],
        "tuning": None,
        "reads_test": False,
        "metrics": [tuning.metric],
    }
    return study_from_tree({**study.model_dump(mode="json"), **changes}, source=f"study {study.name}, tuning")


def with_chosen(study: Study, chosen: Mapping[str, ChosenSettings]) -> Study:
    """Return the study whose arms have the settings that were chosen for them."""
    tuning = study.tuning
    assert tuning is not None
    arms = {arm: {**overrides, **tuning.settings[arm][chosen[arm].number - 1]} for arm, overrides in study.arms.items()}
    tuned = tuning.model_copy(update={"chosen": dict(chosen)})
    tree = {**study.model_dump(mode="json"), "arms": arms, "tuning": tuned.model_dump(mode="json")}
    return study_from_tree(tree, source=f"study {study.name}")


def read_study(name: str) -> Study:
    """Return a shipped study, or that of a YAML file; ConfigError names what is wrong with it."""
    path, tree = find_study(name)
    base = tree.get("base")
    if isinstance(base, str) and (path.parent / base).is_file():
        tree = {**tree, "base": str((path.parent / base).absolute())}
    return study_from_tree(tree, source=str(path) if Path(name) == path else f"study {name}")


def study_from_tree(tree: Mapping[str, Any], *, source: str) -> Study:
    """Validate `tree`; ConfigError has a line for each problem."""
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        lines = [explain(problem, Study, source=source) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error
