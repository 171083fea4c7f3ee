"""How a sweep was made: its base config, seeds, data and provenance, read from its files."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from orchestrator.files.sweep_config import SweepConfig
from orchestrator.files.sweep_folder import SweepFolder
from orchestrator.results.trial_rows import TrialRow
from trainables.json_file import read_json

TAG_PREFIX = "campaign."


def base_yaml(config: SweepConfig) -> str:
    return yaml.safe_dump(config.base, sort_keys=False, allow_unicode=True)


def facts(sweep: SweepFolder, config: SweepConfig, rows: Sequence[TrialRow]) -> dict[str, str]:
    """Return name -> what a reader needs to make the sweep again or to find it in MLflow."""
    seeds = sorted({int(row["config"]["seed"]) for row in rows if "seed" in row["config"]})
    found = {
        "MLflow experiment": config.campaign,
        "MLflow parent run": config.name,
        "sampler seed": str(config.seed),
        "training seeds" if len(seeds) > 1 else "training seed": ", ".join(map(str, seeds)),
        **data_facts([read_json(sweep.trial(row["trial_id"]).data_path) for row in rows]),
        "scale": config.scale or "",
        "promoted from runs": ", ".join(config.promoted_from.values()),
    }
    return {name: value for name, value in found.items() if value}


def data_facts(descriptions: Sequence[Mapping[str, Any] | None]) -> dict[str, str]:
    """Return name -> what is known of the data, from the contents of `data.json` files."""
    known = [description for description in descriptions if description]
    if not known:
        return {}
    return {
        "data set": _distinct(known, "name"),
        "training images": _distinct(known, "num_train"),
        "validation images": _distinct(known, "num_val"),
        "test images": _distinct(known, "num_test"),
        "digest of the training data": _distinct(known, "digest"),
        "digest of the validation data": _distinct(known, "val_digest"),
        "digest of the test data": _distinct(known, "test_digest"),
    }


def _distinct(descriptions: Sequence[Mapping[str, Any]], key: str) -> str:
    return ", ".join(dict.fromkeys(str(found[key]) for found in descriptions if key in found))


def provenance(sweep: SweepFolder) -> dict[str, str]:
    """Return the flat `provenance.json` of the sweep, without the project's prefix; empty if there is none."""
    found = read_json(sweep.path / "provenance.json") or {}
    return {str(name).removeprefix(TAG_PREFIX): str(value) for name, value in found.items()}
