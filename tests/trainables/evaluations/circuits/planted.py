"""A linear network of two stages whose circuits are known, and images for it.

Of 20 channels of stage `one`, 0 is red, 1 is blue and 2 is green; of stage `two`, 0 is red minus blue and 1 is green.
All others are large copies of one of the colours that the head does not see. Class 0 has green 1 on red, and class 1
green 1/2 on blue. So the background's circuit is one.0, one.1 and two.0, and the object's is one.2 and two.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.trainables.evaluations.conftest import Images, linear_classifier
from trainables.models import Classifier

WIDTH = 20
NUM_NODES = 2 * WIDTH
DECOY = 10.0
NUM_PIXELS, OBJECT_PIXELS = 64, 4
BACKGROUND_EFFECT = 2 * (NUM_PIXELS - OBJECT_PIXELS) / NUM_PIXELS
OBJECT_EFFECT = 3 * 0.5 * OBJECT_PIXELS / NUM_PIXELS


def planted_network(sees: Sequence[float] = (1.0, 3.0)) -> Classifier:
    """Return the network; `sees` is how much class 0 scores of the background and of the object."""
    one, two = torch.zeros(WIDTH, 3), torch.zeros(WIDTH, WIDTH)
    one[0, 0] = one[1, 2] = one[2, 1] = 1
    two[0, 0], two[0, 1], two[1, 2] = 1, -1, 1
    for channel in range(3, WIDTH):
        one[channel, channel % 3] = two[channel, channel] = DECOY
    trunk = nn.Sequential()
    trunk.add_module("one", _convolution(one))
    trunk.add_module("two", _convolution(two))
    model = linear_classifier([[*sees, *[0.0] * (WIDTH - 2)], [0.0] * WIDTH], trunk=trunk)
    model.stages = (("one",), ("two",))
    return model


def planted_images(num: int = 16, *, object_shown: bool = True, several_classes: bool = True) -> Images:
    """Return images of 8 x 8 pixels, of the classes by turns."""
    labels = [index % 2 if several_classes else 0 for index in range(num)]
    object_HW = torch.zeros(8, 8)
    object_HW[3:5, 3:5] = 1
    if not object_shown:
        object_HW[:] = 1  # It leaves no background.
    images = torch.stack([_image(label, object_HW) for label in labels])
    return Images(images, labels, (1 - object_HW).expand(num, -1, -1), [True] * num)


def _image(label: int, object_HW: Tensor) -> Tensor:
    image_CHW = torch.zeros(3, 8, 8)
    image_CHW[2 * label] = 1 - object_HW
    image_CHW[1] = (1 - label / 2) * object_HW
    return image_CHW


def _convolution(weight_OI: Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(weight_OI.shape[1], len(weight_OI), 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight_OI[:, :, None, None])
    return layer
