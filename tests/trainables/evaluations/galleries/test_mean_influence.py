import pytest
import torch

from tests.trainables.evaluations.conftest import Images, context_of, four_images, linear_classifier
from tests.trainables.evaluations.extremes import OBJECT_AREA, SIZE, background_reader, extreme_context, object_reader
from trainables.evaluations import EvaluationContext, EvaluationResult, NotPossibleError
from trainables.evaluations.galleries import MEAN_INFLUENCE
from trainables.evaluations.galleries.mean_influence import GRID, Means, mean_influence
from trainables.evaluations.galleries.object_frame import in_box
from trainables.evaluations.galleries.readings import read_sample
from trainables.models import Classifier

INFLUENCE = torch.tensor([[[1.0, 3.0], [0.0, 0.0]], [[0.0, 0.0], [200.0, 200.0]], [[0.0, 0.0], [0.0, 0.0]]])
NO_OBJECT = torch.zeros(3, 2, 2)
UNKNOWN = torch.zeros(3, dtype=torch.bool)


def test_the_mean_by_hand() -> None:
    """Each image counts the same however large its influence, and the one without any does not count."""
    means = mean_influence(INFLUENCE, NO_OBJECT, UNKNOWN)
    assert means.share_HW.tolist() == [[1 / 8, 3 / 8], [1 / 4, 1 / 4]]
    assert means.share_HW.dtype == torch.float64
    assert means.num_pictures == 2
    assert means.around is None


def test_no_influence_at_all_makes_no_map() -> None:
    with pytest.raises(NotPossibleError, match="none of the maps of 3 images has any influence"):
        mean_influence(torch.zeros(3, 2, 2), NO_OBJECT, UNKNOWN)


def test_objects_and_what_is_around_them_by_hand() -> None:
    """Pixels of a row of four, a map of two cells; the first image's object is pixel 1, the second's pixels 2 and 3.

    The shares are [3/4, 1/4] and [1/4, 3/4], as multiples of the even spread [3/2, 1/2] and [1/2, 3/2]. The boxes lie
    wholly in cells with 3/2. The first frame is pixels 0.5 to 2.5, of which half a pixel on the left has 3/2 and
    half a pixel on the right 1/2; the second is pixels 1 to 5: pixel 1 with 1/2, and one beyond the image.
    Above and below the only row of pixels there is no image.
    """
    influence = torch.tensor([[[3.0, 1.0]], [[1.0, 3.0]], [[5.0, 5.0]]])
    object_ = torch.tensor([[[0.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0, 1.0]], [[1.0, 1.0, 1.0, 1.0]]])
    means = mean_influence(influence, object_, torch.tensor([True, True, False]))
    assert means.num_pictures == 3
    assert means.share_HW.tolist() == [[0.5, 0.5]]
    around = means.around
    assert around is not None
    assert around.num_pictures == 2
    assert around.object_HW.tolist() == [[1 / 4, 1 / 2]]
    box = in_box(GRID)
    assert around.frame.mean_of(box) == pytest.approx(3 / 2)
    # Weights in shares of the box's area: 1/2, 1/2 and 1/2.
    assert around.frame.mean_of(~box) == pytest.approx((3 / 2 + 1 / 2 + 1 / 2) / 3)
    row = around.influence()[GRID // 2]
    assert row[0] == pytest.approx((3 / 2 + 1 / 2) / 2)
    assert row[-1] == pytest.approx(1 / 2)
    assert around.influence()[0].isnan().all()


@pytest.mark.parametrize(("has_mask", "object_share"), [([True] * 3, 0.0), ([False] * 3, 1.0)])
def test_a_mask_without_object_and_an_object_without_mask_do_not_count(
    has_mask: list[bool], object_share: float
) -> None:
    means = mean_influence(INFLUENCE, torch.full((3, 4, 4), object_share), torch.tensor(has_mask))
    assert means.around is None


def means_of(context: EvaluationContext) -> Means:
    batch = context.sampled
    return mean_influence(read_sample(context).influence_NHW, 1 - batch.background_BHW, batch.has_mask_B)


def run(model: Classifier, images: Images) -> EvaluationResult:
    return MEAN_INFLUENCE.run(context_of(model, images))


def test_four_images(red_or_green: Classifier) -> None:
    """Their shares are [[1/2, 0], [0, 1/2]], 1/4 everywhere twice, and [[1, 0], [0, 0]]."""
    context = context_of(red_or_green, four_images())
    assert means_of(context).share_HW.tolist() == [[1 / 2, 1 / 8], [1 / 8, 1 / 4]]
    result = MEAN_INFLUENCE.run(context)
    assert result.metrics == {}
    assert result.settings == {
        "seed": 0,
        "num_pictures": 4,
        "num_without_influence": 0,
        "num_with_object": 3,
        "map_size": [2, 2],
        "frame_grid": 32,
        "frame_surround": 0.5,
        "frame_min_reach": 0.05,
    }


def test_with_masks_there_are_three_maps_and_without_one(red_or_green: Classifier) -> None:
    three = run(red_or_green, four_images()).images["mean_influence"]
    one = run(red_or_green, four_images(has_mask=[False] * 4))
    assert three.width <= 1600
    assert three.width - one.images["mean_influence"].width == 2 * (one.images["mean_influence"].width - 40)
    assert one.settings == {
        "seed": 0,
        "num_pictures": 4,
        "num_without_influence": 0,
        "num_with_object": 0,
        "map_size": [2, 2],
    }


def test_grids_hold_what_is_drawn(red_or_green: Classifier) -> None:
    result = run(red_or_green, four_images())
    assert result.documents["grids"]["influence"] == [[2.0, 0.5], [0.5, 1.0]]
    assert [len(row) for row in result.documents["grids"]["around"]] == [GRID] * GRID
    assert run(red_or_green, four_images(has_mask=[False] * 4)).documents["grids"].keys() == {"influence"}


def test_an_image_without_influence_is_counted(red_or_green: Classifier) -> None:
    images = four_images()
    images._images_NCHW[0] = 0
    settings = run(red_or_green, images).settings
    assert settings["num_pictures"] == 3
    assert settings["num_without_influence"] == 1
    assert settings["num_with_object"] == 2


def test_one_class_has_no_influence() -> None:
    with pytest.raises(NotPossibleError, match="no rival"):
        run(linear_classifier([[1.0, 0.0, 0.0]]), four_images())


def test_a_network_that_reads_the_object_alone_has_all_influence_in_the_box() -> None:
    """The objects fill their boxes, so there it is as many times the even spread as the image is larger."""
    around = means_of(extreme_context(object_reader(), num=60)).around
    assert around is not None
    box = in_box(GRID)
    assert around.influence()[box].tolist() == pytest.approx([SIZE**2 / OBJECT_AREA] * int(box.sum()))
    assert around.frame.mean_of(~box) == pytest.approx(0, abs=1e-12)


def test_a_network_that_reads_the_background_alone_has_none_in_the_box() -> None:
    around = means_of(extreme_context(background_reader(), num=60)).around
    assert around is not None
    box = in_box(GRID)
    assert around.frame.mean_of(box) == pytest.approx(0, abs=1e-12)
    assert around.frame.mean_of(~box) == pytest.approx(SIZE**2 / (SIZE**2 - OBJECT_AREA))


def test_the_same_network_draws_the_same_bytes(red_or_green: Classifier) -> None:
    one, two = (run(red_or_green, four_images()).images["mean_influence"] for _ in range(2))
    assert one.tobytes() == two.tobytes()
