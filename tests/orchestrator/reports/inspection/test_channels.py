"""Pairs of classes to choose among: which there are, in which order, and what each run shows."""

from typing import Any

from orchestrator.reports.inspection.channels import channel_choices

ROW = {"channel": 3, "contribution": -1.5, "share": 0.25, "background_share": 0.5, "crops": []}


def pair(label: str, rival: str, **fields: Any) -> dict[str, Any]:
    known = {
        "num_pictures": 4,
        "num_with_mask": 4,
        "num_rival": 1,
        "margin": 2.0,
        "bias": 0.5,
        "object": 2.5,
        "background": -1.0,
    }
    return {
        "label": label,
        "rival": rival,
        **known,
        "effective_number": 2.0,
        "strongest": [ROW],
        "card": None,
        **fields,
    }


def documents(*pairs: dict[str, Any]) -> dict[str, Any]:
    return {"channels": {"strongest": [{**ROW, "contribution": 1.5}], "card": "strongest"}, "class_pairs": list(pairs)}


def test_choices_are_the_pairs_of_all_runs_the_first_runs_first(make_run: Any) -> None:
    card = {"images": {"strongest": "red"}}
    one = make_run("1", "channels", documents(pair("cat", "dog"), pair("dog", "cat")), **card)
    two = make_run("2", "channels", documents(pair("dog", "cow"), pair("cat", "dog")), **card)
    everything, *pairs = channel_choices([one, two])
    assert [choice.label for choice in pairs] == ["cat against dog", "dog against cat", "dog against cow"]
    assert [shown.card is not None for shown in everything.shown] == [True, True]
    assert [shown.run for shown in pairs[1].shown] == ["first/1", "first/2"]
    has, lacks = pairs[1].shown
    assert list(has.rows) == [("3", "−1.500", "25.0%", "50%")]  # noqa: RUF001
    of_all = [shown.rows[0][:2] for shown in everything.shown]
    assert (everything.shown[0].heads[1], of_all) == ("Mean absolute contribution", [("3", "1.500")] * 2)
    assert (lacks.facts, lacks.rows) == ("No image of this run has this class and this rival.", ())


def test_the_margin_is_taken_apart_as_far_as_masks_allow(make_run: Any) -> None:
    pairs = pair("a", "b"), pair("a", "c", object=None, background=None), pair("b", "a", num_with_mask=1)
    run = make_run("1", "channels", documents(*pairs))
    _, with_masks, without, with_one = (choice.shown[0].facts for choice in channel_choices([run]))
    assert "The margin is 2.000: of the 1 image with a mask, +2.500 on the object" in with_one
    assert "The margin is 2.000: +2.500 on the object, −1.000 on the background and +0.500 from" in with_masks  # noqa: RUF001
    assert "The margin is 2.000: +1.500 from channels and +0.500 from the bias." in without
