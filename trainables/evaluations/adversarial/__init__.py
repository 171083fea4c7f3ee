"""Attacks on a network: its accuracy, gradients and maps under them."""

from trainables.evaluations.adversarial.attacked_maps import ATTACKED_MAPS
from trainables.evaluations.adversarial.autoattack import AUTOATTACK
from trainables.evaluations.adversarial.curve import PGD
from trainables.evaluations.adversarial.fgsm import FGSM
from trainables.evaluations.adversarial.masking import MASKING
from trainables.evaluations.adversarial.square import SQUARE

__all__ = ["ATTACKED_MAPS", "AUTOATTACK", "FGSM", "MASKING", "PGD", "SQUARE"]
