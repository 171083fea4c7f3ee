import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn, tensor

from tests.trainables.evaluations.conftest import linear_classifier
from tests.trainables.evaluations.ood.conftest import seen, trained_on
from trainables.config import ScoreName
from trainables.evaluations import NotPossibleError
from trainables.evaluations.ood.scores import SCORES, Setting, Trained, class_means_and_precision
from trainables.models import Classifier


def score(name: ScoreName, trained: Trained, features_NF: Tensor, **setting: float) -> Tensor:
    return SCORES[name].fit(trained, setting)(seen(features_NF))


def random_features(num: int, num_features: int, seed: int = 0) -> Tensor:
    mixing_FF = torch.randn(num_features, num_features, generator=torch.Generator().manual_seed(99))
    return torch.randn(num, num_features, generator=torch.Generator().manual_seed(seed)) @ mixing_FF + 1


def test_every_score_of_the_config_is_there() -> None:
    assert tuple(SCORES) == get_args(ScoreName)


def test_only_k_can_be_chosen() -> None:
    """Published: T = 1 (Liu et al. 2020), T = 1000 and eps = 0.0014 (Liang et al. 2018), k = 50 (Sun et al. 2022).

    The last three are those of OpenOOD's configs: the papers' own.
    """
    candidates = {name: method.candidates(trained_on(torch.eye(120))) for name, method in SCORES.items()}
    assert candidates == {
        "softmax": [{}],
        "energy": [{"temperature": 1}],
        "odin": [{"temperature": 1000, "eps": 0.0014}],
        "knn": [{"k": 50}, {"k": 100}],
        "mahalanobis": [{}],
        "vim": [{"d": 60}],
        "gen": [{"gamma": 0.1, "M": 100}],
        "react": [{"percentile": 90}],
        "scale": [{"percentile": 85}],
    }


SETTINGS: dict[ScoreName, Setting] = {
    "softmax": {},
    "energy": {"temperature": 1},
    "odin": {"temperature": 1000, "eps": 0.0014},
    "knn": {"k": 3},
    "mahalanobis": {},
    "vim": {"d": 2},
    "gen": {"gamma": 0.1, "M": 100},
    "react": {"percentile": 90},
    "scale": {"percentile": 50},
}


@pytest.mark.parametrize("name", get_args(ScoreName))
def test_the_higher_the_more_at_home(name: ScoreName) -> None:
    """Training shows pure red and pure green; blue with a little of both is foreign to every score."""
    generator = torch.Generator().manual_seed(0)
    model = linear_classifier([[10.0, 0, 0], [0, 10.0, 0]])

    def around(colour: list[float]) -> Tensor:
        return (tensor(colour) + 0.02 * torch.rand(20, 3, generator=generator)).clamp(0, 1)

    home_NF = torch.cat([around([1, 0, 0]), around([0, 1, 0])])
    foreign_NF = around([0.3, 0.3, 1])
    trained = trained_on(home_NF, [0] * 20 + [1] * 20, model=model)
    method = SCORES[name].fit(trained, SETTINGS[name])
    home_N, foreign_N = (
        method(seen(features_NF, logits_NK=10 * features_NF[:, :2])) for features_NF in (home_NF, foreign_NF)
    )
    assert home_N.dtype == torch.float64
    assert home_N.shape == (40,)
    assert home_N.min() > foreign_N.max()


class TestSoftmax:
    def test_by_hand(self) -> None:
        logits_NK = tensor([[math.log(3), 0], [0, 0]], dtype=torch.float64)
        method = SCORES["softmax"].fit(trained_on(torch.eye(2)), {})
        assert method(seen(torch.eye(2), logits_NK=logits_NK)).tolist() == pytest.approx([0.75, 0.5])

    def test_agrees_with_pytorch_ood(self) -> None:
        from pytorch_ood.detector import MaxSoftmax

        features_NF = random_features(9, 2)
        expected = -MaxSoftmax(None).predict_logits(features_NF)
        assert torch.allclose(score("softmax", trained_on(features_NF), features_NF).float(), expected)

    def test_tells_sure_from_surer_where_float32_cannot(self) -> None:
        logits_NK = tensor([[20.0, 0], [25.0, 0]])
        method = SCORES["softmax"].fit(trained_on(torch.eye(2)), {})
        first, second = method(seen(torch.eye(2), logits_NK=logits_NK)).tolist()
        assert first < second < 1
        assert logits_NK.softmax(1).max(1).values.tolist() == [1, 1]


class TestEnergy:
    def test_by_hand(self) -> None:
        """`T log(sum exp(s / T))`: log(3 + 1) at T = 1, and 2 log(3 + 1) of twice the logits at T = 2."""
        features_NF = tensor([[math.log(3), 0], [0, 0]])
        trained = trained_on(features_NF)
        expected = pytest.approx([math.log(4), math.log(2)])
        assert score("energy", trained, features_NF, temperature=1).tolist() == expected
        assert (score("energy", trained, 2 * features_NF, temperature=2) / 2).tolist() == expected

    def test_agrees_with_pytorch_ood(self) -> None:
        from pytorch_ood.detector import EnergyBased

        features_NF = random_features(9, 2)
        expected = -EnergyBased(None, t=10).predict_logits(features_NF)
        assert torch.allclose(score("energy", trained_on(features_NF), features_NF, temperature=10).float(), expected)


@pytest.fixture
def convolutional() -> Classifier:
    """A network with the usual normalisation inside."""
    torch.manual_seed(0)
    model = Classifier(nn.Sequential(nn.Conv2d(3, 6, 3), nn.Tanh()), nn.Linear(6, 4))
    return model.eval()


class TestOdin:
    def test_by_hand(self) -> None:
        """Of red 0.6 and green 0.5 eps raises red and lowers green, so the margin is 0.1 + 2 eps; blue has no say."""
        model = linear_classifier([[1.0, 0, 0], [0, 1.0, 0]])
        features_NF = tensor([[0.6, 0.5, 0.9], [0.5, 0.6, 0.1]])
        result = score("odin", trained_on(features_NF, model=model), features_NF, temperature=2, eps=0.05)
        assert result.tolist() == pytest.approx([1 / (1 + math.exp(-0.2 / 2))] * 2, rel=1e-6)

    def test_agrees_with_pytorch_ood_on_normalised_images(self, convolutional: Classifier) -> None:
        """A step eps of pixels in [0, 1] is the paper's step eps / std of normalised ones."""
        from pytorch_ood.detector import ODIN

        class AfterNormalisation(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.trunk, self.head = convolutional.trunk, convolutional.head

            def forward(self, normalised_NCHW: Tensor) -> Tensor:
                logits_NK: Tensor = self.head(self.trunk(normalised_NCHW).mean((2, 3)))
                return logits_NK.double()

        images_NCHW = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
        std = convolutional.std.flatten().tolist()
        theirs = ODIN(AfterNormalisation(), eps=0.02, temperature=10, norm_std=std)
        expected = -theirs.predict((images_NCHW - convolutional.mean) / convolutional.std)
        encoded = seen(torch.zeros(5, 6))
        encoded = type(encoded)(images_NCHW, encoded.features_NF, encoded.logits_NK)
        trained = trained_on(torch.zeros(5, 6), model=convolutional)
        result = SCORES["odin"].fit(trained, {"eps": 0.02, "temperature": 10})(encoded)
        assert torch.allclose(result, expected, rtol=1e-6)
        unmoved = SCORES["odin"].fit(trained, {"eps": 0.0, "temperature": 10})(encoded)
        assert (result - unmoved).abs().min() > 1e-4

    def test_leaves_the_network_as_it_was(self, convolutional: Classifier) -> None:
        images_NCHW = torch.rand(5, 3, 8, 8)
        encoded = seen(torch.zeros(5, 6))
        encoded = type(encoded)(images_NCHW, encoded.features_NF, encoded.logits_NK)
        trained = trained_on(torch.zeros(5, 6), model=convolutional)
        SCORES["odin"].fit(trained, {"eps": 0.02, "temperature": 10})(encoded)
        assert all(weight.grad is None and weight.requires_grad for weight in convolutional.parameters())
        assert not any(module.training for module in convolutional.modules())
        assert not images_NCHW.requires_grad


class TestKnn:
    def test_by_hand(self) -> None:
        """At angles 0, 90 and 180 degrees, whatever the length; the chord of an angle is twice the sine of its half."""
        trained = trained_on(tensor([[2.0, 0], [0, 0.1], [-5.0, 0]]))
        at_0 = tensor([[3.0, 0]])
        assert score("knn", trained, at_0, k=1).item() == pytest.approx(0)
        assert score("knn", trained, at_0, k=2).item() == pytest.approx(-math.sqrt(2))
        assert score("knn", trained, at_0, k=3).item() == pytest.approx(-2)

    def test_agrees_with_scikit_learn_and_a_loop(self) -> None:
        from sklearn.neighbors import NearestNeighbors

        train_NF, test_NF = (nn.functional.normalize(random_features(num, 20, num)) for num in (60, 7))
        result = score("knn", trained_on(10 * train_NF), 3 * test_NF, k=5)
        distances, _ = NearestNeighbors(n_neighbors=5).fit(train_NF.numpy()).kneighbors(test_NF.numpy())
        assert result.tolist() == pytest.approx((-distances[:, -1]).tolist(), abs=1e-5)
        loop = [-sorted((row - other).norm().item() for other in train_NF)[4] for row in test_NF]
        assert result.tolist() == pytest.approx(loop, abs=1e-5)

    @pytest.mark.parametrize(
        ("num", "expected"), [(1, [1]), (49, [49]), (50, [50]), (120, [50, 100]), (1000, [50, 100, 200, 500, 1000])]
    )
    def test_k_is_no_more_than_there_are_training_images(self, num: int, expected: list[int]) -> None:
        assert SCORES["knn"].candidates(trained_on(torch.ones(num, 2))) == [{"k": k} for k in expected]


class TestMahalanobis:
    def test_by_hand(self) -> None:
        """Means 0 and 10 with variance 1 along the first axis; nothing is known along the second."""
        trained = trained_on(tensor([[-1.0, 0], [1, 0], [9, 0], [11, 0]]), [3, 3, 8, 8])
        assert score("mahalanobis", trained, tensor([[3.0, 7], [10, 0]])).tolist() == pytest.approx([-4.5, 0])

    def test_agrees_with_scikit_learn(self) -> None:
        from sklearn.covariance import EmpiricalCovariance

        features_NF, labels = random_features(200, 5), [0, 1, 1, 2] * 50
        means_KF = torch.stack([features_NF[tensor(labels) == label].mean(0) for label in range(3)])
        covariance = EmpiricalCovariance(assume_centered=True).fit((features_NF - means_KF[labels]).double().numpy())
        test_NF = random_features(11, 5, 1)
        squares_KN = [covariance.mahalanobis((test_NF - mean_F).double().numpy()) for mean_F in means_KF]
        result = score("mahalanobis", trained_on(features_NF, labels), test_NF)
        assert result.tolist() == pytest.approx((-np.min(squares_KN, axis=0) / 2).tolist(), rel=1e-5)

    def test_is_pytorch_oods_times_the_number_of_images_where_its_own_fit_holds(self) -> None:
        from pytorch_ood.detector import Mahalanobis

        features_NF, labels = random_features(200, 5), tensor([0, 1, 1, 2] * 50)
        test_NF = random_features(11, 5, 1)
        expected = -200 * Mahalanobis(None).fit_features(features_NF, labels).predict_features(test_NF)
        result = score("mahalanobis", trained_on(features_NF, labels.tolist()), test_NF)
        assert torch.allclose(result.float(), expected, rtol=1e-3)

    def test_fewer_images_than_features_give_distances_that_are_none_below_zero(self) -> None:
        """pytorch-ood's own fit fails here: with these features some of its squared distances are negative."""
        from pytorch_ood.detector import Mahalanobis

        features_NF, labels = 10 * random_features(30, 100), tensor([0, 1] * 15)
        test_NF = 10 * random_features(50, 100, 1)
        assert (Mahalanobis(None).fit_features(features_NF, labels).predict_features(test_NF) < 0).any()
        assert (score("mahalanobis", trained_on(features_NF, labels.tolist()), test_NF) <= 0).all()

    def test_classes_without_an_image_are_left_out(self) -> None:
        means_KF, _ = class_means_and_precision(tensor([[1.0], [3.0], [8.0]]), tensor([5, 5, 2]))
        assert means_KF.tolist() == [[8], [2]]


class TestVim:
    @staticmethod
    def expected(train_NF: Tensor, test_NF: Tensor, weight_KF: Tensor, bias_K: Tensor, d: int) -> Tensor:
        """Return equations 7 to 9 in float64, by singular values."""
        train_NF, test_NF, weight_KF, bias_K = (tensor_.double() for tensor_ in (train_NF, test_NF, weight_KF, bias_K))
        origin_F = -torch.linalg.pinv(weight_KF) @ bias_K
        directions_FF = torch.linalg.svd(train_NF - origin_F, full_matrices=True).Vh
        train_N, test_N = (
            ((features_NF - origin_F) @ directions_FF[d:].T).norm(dim=1) for features_NF in (train_NF, test_NF)
        )
        alpha = (train_NF @ weight_KF.T + bias_K).amax(1).mean() / train_N.mean()
        return (test_NF @ weight_KF.T + bias_K).logsumexp(1) - alpha * test_N

    @pytest.mark.parametrize("d", [0, 2, 4])
    @pytest.mark.parametrize("has_bias", [True, False])
    def test_agrees_with_the_equations_and_with_pytorch_ood(self, d: int, has_bias: bool) -> None:
        from pytorch_ood.detector import ViM

        weight_KF, bias_K = random_features(3, 5, 4), random_features(1, 3, 5)[0] * has_bias
        model = linear_classifier(weight_KF.tolist())
        if has_bias:
            model.head.bias = nn.Parameter(bias_K)
        train_NF, test_NF = random_features(40, 5), random_features(9, 5, 1)
        result = score("vim", trained_on(train_NF, model=model), test_NF, d=d)
        assert result.tolist() == pytest.approx(
            self.expected(train_NF, test_NF, weight_KF, bias_K, d).tolist(), rel=1e-3
        )
        theirs = ViM(None, d=d, w=weight_KF, b=bias_K).fit_features(train_NF, torch.zeros(40))
        assert result.tolist() == (-theirs.predict_features(test_NF).double()).tolist()

    def test_by_hand(self) -> None:
        """The first axis is principal, the second is left: it is 1 long in training, where the largest logit is 6."""
        trained = trained_on(tensor([[6.0, 1], [6, -1]]), model=linear_classifier([[1.0, 0], [0, 0]]))
        result = score("vim", trained, tensor([[2.0, 0], [0, 1]]), d=1)
        assert result.tolist() == pytest.approx([math.log(math.exp(2) + 1), math.log(2) - 6], rel=1e-5)

    @pytest.mark.parametrize(
        ("num_features", "rank", "expected"),
        [
            (3, 3, 1),
            (3, 1, 0),
            (64, 64, 32),
            (64, 20, 19),
            (767, 600, 383),
            (768, 600, 512),
            (2047, 1200, 512),
            (2048, 1200, 1000),
            (2048, 900, 899),
        ],
    )
    def test_d_is_the_authors_and_leaves_a_residual(self, num_features: int, rank: int, expected: int) -> None:
        features_NF = torch.eye(num_features)[:rank]
        assert SCORES["vim"].candidates(trained_on(features_NF)) == [{"d": expected}]

    def test_a_dead_network_has_no_virtual_logit(self) -> None:
        trained = trained_on(torch.zeros(4, 3))
        (candidate,) = SCORES["vim"].candidates(trained)
        with pytest.raises(NotPossibleError, match="no residual"):
            SCORES["vim"].fit(trained, candidate)


class TestGen:
    def test_by_hand(self) -> None:
        """Of probabilities 3/4 and 1/4 both terms are (3/16)^gamma, and of 1/2 and 1/2 they are (1/4)^gamma."""
        logits_NK = tensor([[math.log(3), 0], [0, 0]])
        for gamma in (0.1, 1):
            method = SCORES["gen"].fit(trained_on(torch.eye(2)), {"gamma": gamma, "M": 100})
            expected = [-2 * (3 / 16) ** gamma, -2 * (1 / 4) ** gamma]
            assert method(seen(torch.eye(2), logits_NK=logits_NK)).tolist() == pytest.approx(expected, rel=1e-6)

    def test_only_the_largest_probabilities_count(self) -> None:
        """Of 1/2, 1/4, 1/8 and 1/8 the first two have 1/4 and 3/16."""
        logits_NK = tensor([[1 / 2, 1 / 4, 1 / 8, 1 / 8]]).log()
        method = SCORES["gen"].fit(trained_on(torch.eye(4)), {"gamma": 1, "M": 2})
        assert method(seen(torch.eye(1, 4), logits_NK=logits_NK)).item() == pytest.approx(-7 / 16)

    def test_is_pytorch_oods_times_the_number_of_terms_where_its_bounds_do_not_matter(self) -> None:
        from pytorch_ood.detector import GEN

        logits_NK = random_features(9, 5).double()
        method = SCORES["gen"].fit(trained_on(torch.eye(5)), {"gamma": 0.1, "M": 3})
        expected = -3 * GEN.score(logits_NK, gamma=0.1, M=3)
        torch.testing.assert_close(method(seen(torch.eye(9, 5), logits_NK=logits_NK)), expected)

    def test_tells_sure_from_surer_where_pytorch_ood_cannot(self) -> None:
        from pytorch_ood.detector import GEN

        logits_NK = tensor([[20.0, 0], [25.0, 0]]).double()
        method = SCORES["gen"].fit(trained_on(torch.eye(2)), {"gamma": 0.1, "M": 100})
        first, second = method(seen(torch.eye(2), logits_NK=logits_NK)).tolist()
        assert first < second < 0
        assert len(GEN.score(logits_NK).unique()) == 1


class TestReact:
    def test_by_hand(self) -> None:
        """Of the features 0 to 10 the 90th percentile is 9, so that 12 becomes 9; the bias of class 0 is 1."""
        model = linear_classifier([[1.0, 0], [0, 1.0]])
        model.head.bias = nn.Parameter(tensor([1.0, 0.0]))
        trained = trained_on(torch.arange(11.0).unsqueeze(1).expand(-1, 2), model=model)
        result = score("react", trained, tensor([[12.0, 3.0], [2.0, 3.0]]), percentile=90)
        expected = [math.log(math.exp(10) + math.exp(3)), math.log(2 * math.exp(3))]
        assert result.tolist() == pytest.approx(expected)

    def test_is_the_energy_where_nothing_is_cut_off(self) -> None:
        features_NF = random_features(9, 2).abs()
        trained = trained_on(features_NF)
        found = score("react", trained, features_NF, percentile=100)
        torch.testing.assert_close(found, score("energy", trained, features_NF, temperature=1))


class TestScale:
    def test_by_hand(self) -> None:
        """Of 1, 2, 3, 4 half are 3 and 4, so the factor is exp(10 / 7); of four equal ones it is exp(2)."""
        trained = trained_on(torch.ones(1, 4))
        result = score("scale", trained, tensor([[4.0, 3, 2, 1], [1, 1, 1, 1]]), percentile=50)
        one, two = math.exp(10 / 7), math.exp(2)
        assert result.tolist() == pytest.approx([math.log(math.exp(4 * one) + math.exp(3 * one)), math.log(2) + two])

    def test_an_image_without_features_has_the_energy_of_the_bias(self) -> None:
        model = linear_classifier([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
        model.head.bias = nn.Parameter(tensor([math.log(3), 0.0]))
        trained = trained_on(torch.ones(1, 4), model=model)
        assert score("scale", trained, torch.zeros(1, 4), percentile=85).item() == pytest.approx(math.log(4))

    def test_few_features_leave_none_above_the_percentile(self) -> None:
        """Of three features 2.55 are cut off, which is rounded to all; of four 3.4, and one is left."""
        with pytest.raises(NotPossibleError, match="of 3 features none lies above the percentile 85"):
            SCORES["scale"].fit(trained_on(torch.ones(1, 3)), {"percentile": 85})
        one = math.exp(10 / 4)
        result = score("scale", trained_on(torch.ones(1, 4)), tensor([[4.0, 3, 2, 1]]), percentile=85)
        assert result.item() == pytest.approx(math.log(math.exp(4 * one) + math.exp(3 * one)))

    def test_a_network_with_features_below_zero_has_no_sums_to_compare(self) -> None:
        with pytest.raises(NotPossibleError, match="features below 0"):
            SCORES["scale"].fit(trained_on(tensor([[1.0, -0.1]])), {"percentile": 85})
