"""Trials whose last layer is fitted anew: what they report, on which images, and that its network is what is kept."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.conftest import CPU, MakeConfig, Train
from trainables.config import ConfigError
from trainables.data import Draw, ImageSubset, build_trial_data, class_and_group
from trainables.json_file import read_json
from trainables.training import LocalContext
from trainables.training.balanced_images import and_on_grey, check_last_layer, places_to_read
from trainables.trial import check_data, evaluate, load_model
from trainables.trial_folder import TrialFolder

FEW: dict[str, Any] = {"training.epochs": 2, "data.correlation": 0.5, "data.num_train": 200, "data.num_test": 400}
DFR = {**FEW, "objective.dfr": {"num_subsets": 2}}
FIT_ON = {
    "validation": "a half of the validation images",
    "training": "training images",
    "object_only": "training images with a grey background",
}


def dfr_on(fit_on: str) -> dict[str, Any]:
    return {**FEW, "objective.dfr": {"fit_on": fit_on, "num_subsets": 2}}


def evaluated(folder: TrialFolder) -> dict[str, float]:
    config = folder.config()
    data = build_trial_data(config)
    return evaluate(config, LocalContext(folder, device=CPU), load_model(folder, CPU), data, ["accuracy", "groups"])


@pytest.mark.parametrize("fit_on", FIT_ON)
def test_what_is_validated_kept_and_loaded_is_the_fitted_network(
    make_config: MakeConfig, train: Train, fit_on: str
) -> None:
    best = {"training.keep": "best", "training.keep_metric": "val/accuracy", "objective.background_noise": 0.25}
    folder = train(make_config({**dfr_on(fit_on), **best}))
    rows, evaluation = folder.rows(), folder.evaluation()
    assert evaluation is not None
    kept = int(evaluation["kept_epoch"])
    assert {"classifier/strength", "classifier/worst_accuracy"} <= set(rows[-1])
    found = evaluated(folder)
    assert found["val/accuracy"] == rows[kept - 1]["val/accuracy"] == evaluation["val/accuracy"]
    assert found["val/worst_group_accuracy"] == rows[kept - 1]["val/worst_group_accuracy"]
    assert evaluation["val/faithfulness/max_logit_error"] < 1e-4
    edits = (read_json(folder.path / "model.json") or {})["edits"]
    assert edits == [f"head: fitted anew, with a bias, to {FIT_ON[fit_on]}"]
    head = load_model(folder, CPU).head
    state = folder.load_state(CPU)
    assert state is not None
    assert "head.bias" not in state["model"]
    assert head.bias is not None
    assert not torch.equal(head.weight, state["model"]["head.weight"])


def test_the_half_that_is_fitted_to_is_recorded_and_its_reading_logged(make_config: MakeConfig, train: Train) -> None:
    folder = train(make_config(DFR))
    described = read_json(folder.data_path) or {}
    data = build_trial_data(folder.config())
    assert data.fit is not None
    assert described["num_val"] + described["num_fit"] == 400
    assert (described["val_digest"], described["fit_digest"]) == (data.val.digest(), data.fit.digest())
    lines = [json.loads(line) for line in (folder.path / "splits.jsonl").read_text().splitlines()]
    assert [line["by"] for line in lines] == ["objective.dfr, epoch 1", "epoch 1", "objective.dfr, epoch 2", "epoch 2"]


def test_training_is_left_as_it_is(make_config: MakeConfig, train: Train) -> None:
    plain, fitted = train(make_config(FEW), "plain"), train(make_config(DFR), "fitted")
    assert [row["train/loss"] for row in plain.rows()] == [row["train/loss"] for row in fitted.rows()]
    first, second = (folder.load_state(CPU) for folder in (plain, fitted))
    assert first is not None
    assert second is not None
    torch.testing.assert_close(first["model"], second["model"], rtol=0, atol=0)


def test_too_few_of_a_group_end_the_trial_before_it_trains(
    make_config: MakeConfig, train: Train, tmp_path: Path
) -> None:
    few = {**dfr_on("training"), "data.correlation": 1.0}
    message = r"fit_on = training balances training images and needs 2 of each .* group another texture: 0"
    with pytest.raises(ConfigError, match=message):
        check_data(make_config(few))
    with pytest.raises(ConfigError, match=message):
        train(make_config(few))
    assert not (tmp_path / "trial" / "checkpoint").exists()


def test_too_few_masks_end_the_trial_before_it_trains(make_config: MakeConfig) -> None:
    message = r"fit_on = object_only .* needs 2 of each class; found class 0: 1; .* raise data.mask_subset.share"
    with pytest.raises(ConfigError, match=message):
        check_data(make_config({**dfr_on("object_only"), "data.mask_subset.share": 0.05}))


def test_only_images_with_a_mask_are_read_for_their_objects(make_config: MakeConfig) -> None:
    config = make_config({**dfr_on("object_only"), "data.mask_subset.share": 0.3})
    images, dfr = build_trial_data(config).train_unaugmented, config.objective.dfr
    places = places_to_read(dfr, images, 0)
    assert 0 < len(places) < len(images) / 2
    assert images.__getitems__([Draw(place, 0) for place in places]).has_mask_B.all()


def test_a_class_of_a_group_that_halving_leaves_to_validate_alone_is_missed(make_config: MakeConfig) -> None:
    """One image alone of a class and group is not fitted to, and balance would not know of it."""
    config = make_config(DFR)
    data = build_trial_data(config)
    assert isinstance(data.fit, ImageSubset)
    check_last_layer(config, data)
    left_N = data.fit.indices_N[class_and_group(data.fit) != 1]
    found = rf"found class {data.class_names[0]} in group another texture: 0; add such images"
    with pytest.raises(ConfigError, match=found):
        check_last_layer(config, replace(data, fit=replace(data.fit, indices_N=left_N)))


def test_only_objects_are_left_of_images_with_masks(make_config: MakeConfig) -> None:
    batch = build_trial_data(make_config(FEW)).val.__getitems__([Draw(index, 0) for index in range(3)])
    batch.has_mask_B[1] = False
    unchanged, found = and_on_grey([batch], 1000)
    assert unchanged.ids == found.ids == (batch.ids[0], batch.ids[2])
    assert unchanged.indices_B is not None
    assert found.indices_B is not None
    assert (unchanged.indices_B.tolist(), found.indices_B.tolist()) == ([0, 2], [1000, 1002])
    assert torch.equal(unchanged.images_BCHW, batch.images_BCHW[[0, 2]])
    for row, place in enumerate((0, 2)):
        is_background = batch.background_BHW[place] == 1
        assert (found.images_BCHW[row][:, is_background] == 0.5).all()
        assert torch.equal(found.images_BCHW[row][:, ~is_background], batch.images_BCHW[place][:, ~is_background])
    batch.has_mask_B[:] = False
    assert list(and_on_grey([batch], 1000)) == []
