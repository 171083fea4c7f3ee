"""Promotion of a pets sweep to a data set of ImageNet-S's layout, on real images."""

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from orchestrator.tracking import connect
from tests.integration.conftest import Ran, Shell
from trainables.config import flatten

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.data, pytest.mark.timeout(1200)]
LEAN = (
    "--set=model.kind=small_cnn",
    "--set=model.width=8",
    "--set=evaluation.shift_every_epoch=false",
    "--set=training.epochs=2",
)


@dataclass(frozen=True)
class Promoted:
    """A sweep of two trials over the pets, and its front at the scale `imagenet-s-mini`."""

    shell: Shell
    source: dict[str, Any]
    dry: Ran
    ran: Ran
    replayed: Ran

    @property
    def trial(self) -> dict[str, Any]:
        return dict(self.ran.document["trials"][0])

    def tags(self, run_id: str) -> dict[str, str]:
        return dict(connect(self.shell.store).get_run(run_id).data.tags)


@pytest.fixture(scope="module")
def promoted(real_images_root: str, tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    shell = Shell(tmp_path_factory.mktemp("scales"))
    root = f"--set=data.root={real_images_root}"
    source = shell.run("sweep", "pets-species", "--name=pets", "--trials=2", "--json", root, *LEAN)
    assert source.code == 0, source.err
    promote = ("promote", "pets", "--scale=imagenet-s-mini", "--trial=0001", root, "--json")
    dry = shell.run(*promote, "--dry-run")
    ran = shell.run(*promote)
    assert ran.code == 0, ran.err
    config = shell.sweep("pets-imagenet-s-mini").trial("0001").config_path
    replayed = shell.run("train", str(config), "--name=replayed", "--json")
    return Promoted(shell, source.document, dry, ran, replayed)


def test_what_was_printed_is_what_ran(promoted: Promoted) -> None:
    (source,) = [trial for trial in promoted.source["trials"] if trial["trial_id"] == "0001"]
    before, after = source["config"], promoted.trial["config"]
    changed = [
        f"0001  {field}: {before.get(field)} -> {after.get(field)}"
        for field in dict.fromkeys([*before, *after])
        if before.get(field) != after.get(field)
    ]
    assert promoted.dry.code == 0
    assert promoted.dry.document["differences"] == changed
    assert [line for line in promoted.ran.err.splitlines() if line in changed] == changed
    assert (after["data.kind"], after["resources.workers"], after["training.epochs"]) == ("imagenet_s", 2, 4)
    assert after["objective.kind"] == "contrastive"
    assert after["objective.background_weight"] == before["objective.background_weight"]
    params = connect(promoted.shell.store).get_run(promoted.trial["run_id"]).data.params
    assert {field: params[field] for field in ("data.kind", "resources.workers", "optim.learning_rate")} == {
        "data.kind": "imagenet_s",
        "resources.workers": "2",
        "optim.learning_rate": str(after["optim.learning_rate"]),
    }


def test_it_trains_on_masks_and_validates_with_them(promoted: Promoted) -> None:
    assert (promoted.trial["status"], promoted.trial["epoch"]) == ("completed", 4)
    metrics = promoted.trial["metrics"]
    assert 0 < metrics["val/background/influence_share"] < 1
    assert 0 < metrics["val/accuracy"] <= 1


def test_runs_are_linked_both_ways(promoted: Promoted) -> None:
    (source,) = [trial for trial in promoted.source["trials"] if trial["trial_id"] == "0001"]
    tags = promoted.tags(promoted.trial["run_id"])
    assert tags["campaign.promoted_from"] == source["run_id"]
    assert tags["campaign.scale"] == "imagenet-s-mini"
    assert promoted.tags(source["run_id"])["campaign.promoted_to.pets-imagenet-s-mini"] == promoted.trial["run_id"]


def test_its_config_alone_replays_it(promoted: Promoted) -> None:
    assert promoted.replayed.code == 0, promoted.replayed.err
    folder = promoted.shell.storage / "runs" / "replayed"
    written = promoted.shell.sweep("pets-imagenet-s-mini").trial("0001").config()
    assert flatten(written) == promoted.trial["config"]
    replayed = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert replayed == written.model_dump(mode="json")
    for metric in ("train/loss", "val/accuracy", "val/background/influence_share"):
        assert promoted.replayed.document["metrics"][metric] == pytest.approx(promoted.trial["metrics"][metric])
