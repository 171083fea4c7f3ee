import pytest
import torch

from trainables.config import ConfigError, SpuriousDigits
from trainables.data import Batch, ImageSet, build_data, class_weights
from trainables.data.class_weights import balanced_weights, weigh
from trainables.data.spurious_digits import CLASS_NAMES

LABELS = torch.tensor([0] * 6 + [1] * 3 + [3] * 1)
NAMES = ("cat", "dog", "fox", "owl")


def batch(weights_B: torch.Tensor | None = None) -> Batch:
    return Batch(
        images_BCHW=torch.zeros(3, 3, 2, 2),
        labels_B=torch.tensor([3, 0, 1]),
        background_BHW=torch.zeros(3, 2, 2),
        has_mask_B=torch.zeros(3, dtype=torch.bool),
        ids=("a", "b", "c"),
        weights_B=weights_B,
    )


def test_balanced_weights_are_inverse_to_the_numbers_of_images() -> None:
    # As scikit-learn's `balanced`: 10 images in 3 classes that are there.
    weights_K = balanced_weights(LABELS, 4)
    torch.testing.assert_close(weights_K, torch.tensor([10 / 18, 10 / 9, 0, 10 / 3]))
    assert weights_K[LABELS].mean().item() == pytest.approx(1)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return build_data(SpuriousDigits(num_train=50, num_test=20, image_size=32)).train


def test_balanced_counts_the_training_images(images: ImageSet) -> None:
    weights_K = class_weights("balanced", images, CLASS_NAMES)
    torch.testing.assert_close(weights_K, balanced_weights(images.labels_N, 10))


def test_named_classes_have_their_weights_and_the_others_one(images: ImageSet) -> None:
    weights_K = class_weights({"dog": 2.5, "owl": 0}, images, NAMES)
    assert weights_K is not None
    assert weights_K.tolist() == [1, 2.5, 1, 0]
    assert class_weights(None, images, NAMES) is None


def test_a_name_of_no_class_is_refused(images: ImageSet) -> None:
    with pytest.raises(ConfigError) as caught:
        class_weights({"dog": 2, "cow": 1}, images, NAMES)
    assert str(caught.value) == (
        "objective.class_weights names cow, which no class is called; the classes are cat, dog, fox, owl"
    )


def test_weights_by_which_no_image_counts_are_refused(images: ImageSet) -> None:
    with pytest.raises(ConfigError) as caught:
        class_weights(dict.fromkeys(NAMES, 0), images, NAMES)
    assert str(caught.value) == (
        "objective.class_weights is 0 for every class, so that no image counts; let one be above 0"
    )


def test_a_batch_is_weighed_by_class_on_top_of_its_own_weights() -> None:
    weights_K = torch.tensor([2.0, 3.0, 5.0, 7.0])
    assert weigh(batch(), None).weights_B is None
    assert weigh(batch(), weights_K).weights_B.tolist() == [7, 2, 3]
    own = torch.tensor([0.5, 0.0, 1.0])
    assert weigh(batch(own), weights_K).weights_B.tolist() == [3.5, 0, 3]
