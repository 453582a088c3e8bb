"""The gradient checker through its API: what it accepts, what it reports, and that it changes nothing."""

import copy
import math

import numpy as np
import pytest

from handgrad import (
    FC,
    MSE,
    BinaryCE,
    Dropout,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCE,
    Tanh,
    assert_gradients,
    gradcheck,
    sweep,
)
from handgrad.checking.contract import ITEMS
from handgrad.checking.report import Report
from handgrad.checking.targets import checks

SIZES = {"N": 4, "D": 5, "M": 3}


class Affine:
    """A plain class; `wrong` replaces the formula of one gradient."""

    def __init__(self, sizes, rng, **wrong):
        self.params = {"W": rng.standard_normal((sizes["M"], sizes["D"])), "b": np.zeros(sizes["M"])}
        self.wrong = wrong

    def forward(self, x):
        self.x = x
        return x @ self.params["W"].T + self.params["b"]

    def backward(self, upstream):
        formulas = {
            "dx": lambda s, u: u @ s.params["W"],
            "dW": lambda s, u: u.T @ s.x,
            "db": lambda s, u: u.sum(axis=0),
            **self.wrong,
        }
        dx, dW, db = (formulas[name](self, upstream) for name in ("dx", "dW", "db"))
        return dx, {"W": dW, "b": db}


class Elementwise:
    """y = f(x) with dx = upstream * slope(x, y)."""

    def __init__(self, f, slope):
        self.f, self.slope = f, slope

    def forward(self, x):
        self.x, self.y = x, self.f(x)
        return self.y.copy()

    def backward(self, upstream):
        return upstream * self.slope(self.x, self.y)


def affine(**wrong):
    return sweep(lambda sizes, rng: Affine(sizes, rng, **wrong), {"x": "N D"}, SIZES)


def elementwise(f, slope, **options):
    return sweep(lambda sizes, rng: Elementwise(f, slope), {"x": "N D"}, {"N": 4, "D": 5}, **options)


def found(report):
    return {(finding.array, finding.kind, finding.cause) for finding in report.findings}


# What passes.


@pytest.mark.parametrize("check", checks(None, None), ids=lambda check: check.name)
@pytest.mark.parametrize("seed", range(5))
def test_every_layer_and_loss_of_the_package_passes(check, seed):
    report = check.run(seed=seed, skip=(), at_kink=None)
    assert report.ok, f"seed {seed}\n{report}"
    assert report.points > 15


def test_a_layer_at_the_users_own_point(rng):
    report = gradcheck(FC(4, 3, rng=rng), rng.standard_normal((6, 4)))
    assert report.ok and list(report.rows) == ["dx", "dW", "db"]


def test_containers_with_a_layer_twice(rng):
    twice = FC(5, 5, rng=rng)
    model = Sequential(FC(4, 5, rng=rng), Tanh(), twice, Sequential(Sigmoid(), twice), FC(5, 3, rng=rng))
    assert_gradients(model, rng.standard_normal((3, 4)))


def test_losses_with_labels(rng):
    scores = rng.standard_normal((4, 5))
    assert_gradients(SoftmaxCE(), scores, extra=(np.array([0, 4, 2, 2]),))
    assert_gradients(BinaryCE(), scores, extra=(rng.integers(0, 2, (4, 5)),))
    assert_gradients(MSE(), scores, extra=(rng.standard_normal((4, 5)),))


def test_several_inputs_whose_gradients_come_as_a_tuple(rng):
    class Product:
        def forward(self, a, b):
            self.a, self.b = a, b
            return a * b

        def backward(self, upstream):
            return upstream * self.b, upstream * self.a

    report = gradcheck(Product(), rng.standard_normal((3, 2)), rng.standard_normal((3, 2)))
    assert report.ok and list(report.rows) == ["da", "db"]


def test_a_layer_that_draws_random_numbers(rng):
    assert_gradients(Dropout(0.4, rng=3), rng.standard_normal((5, 6)))


def test_a_dropout_that_draws_a_new_mask_in_backward_is_found(rng):
    class NewMask(Dropout):
        def backward(self, upstream):
            mask = (self.rng.random(upstream.shape) >= self.p) / (1 - self.p)
            return upstream * mask, {}

    assert ("dx", "value") in {(a, k) for a, k, _ in found(gradcheck(NewMask(0.4, rng=3), rng.standard_normal((5, 6))))}


def test_a_pytest_of_a_sweep():
    assert_gradients(lambda sizes, rng: FC(sizes["D"], sizes["M"], rng=rng), {"x": "N D"}, SIZES)
    with pytest.raises(AssertionError, match="dW must have the shape of W"):
        assert_gradients(lambda s, rng: Affine(s, rng, dW=lambda a, u: a.x.T @ u), {"x": "N D"}, SIZES)


def test_an_interval_that_an_input_must_stay_in(rng):
    log = Elementwise(np.log, lambda x, y: 1 / x)
    assert_gradients(log, rng.uniform(0.1, 5, (3, 4)), domain={"x": (0, None)})
    assert elementwise(np.log, lambda x, y: 1 / x, domain={"x": (0, np.inf)}).ok
    unknown = elementwise(np.log, lambda x, y: 1 / x)
    assert not unknown.ok and not unknown.findings and "domain=" in unknown.unresolved[0].message


def test_true_overflow_is_no_fault():
    assert elementwise(np.exp, lambda x, y: y).ok


def test_kinks_take_any_subgradient_unless_told():
    def relu(slope_at_zero, **options):
        return elementwise(
            lambda x: np.maximum(x, 0), lambda x, y: np.where(x == 0, slope_at_zero, x > 0) * 1.0, **options
        )

    assert relu(0).ok and relu(1).ok and relu(0.5).ok
    assert not relu(2).ok and not relu(-0.1).ok
    assert relu(0, at_kink="left").ok and relu(1, at_kink="right").ok and relu(0.5, at_kink="mean").ok
    assert found(relu(1, at_kink="left")) == {("dx", "value", "wrong-at-zero")}


def test_single_precision_inside_is_no_fault_but_in_backward_alone_it_is(rng):
    W = rng.standard_normal((3, 5)).astype(np.float32)

    class Single:
        def forward(self, x):
            return x.astype(np.float32) @ W.T

        def backward(self, upstream):
            return upstream.astype(np.float32) @ W

    assert_gradients(Single(), rng.standard_normal((4, 5)))
    report = affine(dx=lambda s, u: (u @ s.params["W"]).astype(np.float32).astype(np.float64))
    assert found(report) == {("dx", "value", "single-precision")}


# What passes though it is awkward: each of these was once reported as wrong.


class Single(Elementwise):
    """Computes in float32 and hands out float64."""

    def forward(self, x):
        return super().forward(np.float32(x)).astype(np.float64)


class SingleParameter:
    """A float32 parameter, handed out in a dict that is new each time, and a view of it that forward reads."""

    def __init__(self, rng):
        self.W = rng.standard_normal((3, 5)).astype(np.float32)
        self.WT = self.W.T

    @property
    def params(self):
        return {"W": self.W}

    def forward(self, x):
        self.x = x
        return x @ self.WT

    def backward(self, upstream):
        return upstream @ self.W, {"W": (upstream.T @ self.x).astype(np.float32)}


class Picks:
    """Each output is one entry of its row: `places(x)` says which."""

    def __init__(self, places):
        self.places = places

    def forward(self, x):
        self.x = x
        return np.take_along_axis(x, self.places(x), axis=1)

    def backward(self, upstream):
        dx = np.zeros(self.x.shape)
        np.put_along_axis(dx, self.places(self.x), upstream, axis=1)
        return dx


class RandomMask:
    def forward(self, x):
        self.mask = np.random.rand(*x.shape) > 0.3
        return x * self.mask

    def backward(self, upstream):
        return upstream * self.mask


class StochasticDepth:
    """y = x + keep * tanh(x), where the generator decides for the whole batch."""

    def __init__(self, rng):
        self.rng = rng

    def forward(self, x):
        self.keep, self.y = self.rng.random() < 0.7, np.tanh(x)
        return x + self.keep * self.y

    def backward(self, upstream):
        return upstream * (1 + self.keep * (1 - self.y**2))


class Refuses(Elementwise):
    def forward(self, x):
        if np.any(x <= 0.5) or np.any(x >= 2):
            raise ValueError("x must lie between 0.5 and 2")
        return super().forward(x)


class KeepsTargets:
    def __init__(self, targets):
        self.targets = targets

    def forward(self, scores):
        self.d = scores - self.targets
        return float(np.mean(self.d**2))

    def backward(self, upstream=1.0):
        return upstream * 2 * self.d / self.d.size


TIES = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0], [0.0, 0.0, -1.0], [3.0, 1.0, 2.0]])
TINY = 1e-12
AWKWARD = {
    "float32 inside, whole outputs": lambda rng: (
        Single(lambda x: x**3, lambda x, y: 3 * x**2),
        np.arange(1.0, 7.0).reshape(2, 3),
    ),
    "a float32 parameter": lambda rng: (SingleParameter(rng), rng.standard_normal((4, 5))),
    "median of three, ties": lambda rng: (Picks(lambda x: np.argsort(x, axis=1, kind="stable")[:, 1:2]), TIES),
    "sort, ties": lambda rng: (Picks(lambda x: np.argsort(x, axis=1, kind="stable")), TIES),
    "x / max(|x|, 1e-12) at 0": lambda rng: (
        Elementwise(lambda x: x / np.maximum(np.abs(x), TINY), lambda x, y: np.where(np.abs(x) < TINY, 1 / TINY, 0)),
        np.array([[0.0, 1.0, -2.0]]),
    ),
    "time stamps": lambda rng: (
        Elementwise(lambda x: np.tanh(x - 1.7e9), lambda x, y: 1 - y**2),
        1.7e9 + rng.standard_normal((3, 4)),
    ),
    "np.random.rand": lambda rng: (RandomMask(), rng.standard_normal((4, 5))),
    "a Dropout that hardly ever drops": lambda rng: (
        Sequential(FC(4, 5, rng=rng), Dropout(0.02, rng=3), Tanh()),
        rng.standard_normal((3, 4)),
    ),
    "stochastic depth": lambda rng: (StochasticDepth(np.random.default_rng(0)), rng.standard_normal((3, 4))),
    "refuses what is outside its domain": lambda rng: (
        Refuses(np.log, lambda x, y: 1 / x),
        np.array([[0.501, 1.0, 1.999], [1.2, 0.6, 1.9]]),
    ),
    "targets kept in the layer": lambda rng: (KeepsTargets(rng.standard_normal((4, 3))), rng.standard_normal((4, 3))),
    "1e180 times tanh": lambda rng: (
        Elementwise(lambda x: 1e180 * np.tanh(x), lambda x, y: 1e180 * (1 - np.tanh(x) ** 2)),
        rng.standard_normal((3, 4)),
    ),
    "the end of single precision": lambda rng: (
        Elementwise(lambda x: np.exp(x.astype(np.float32)).astype(float), lambda x, y: y),
        rng.standard_normal((3, 4)),
    ),
    "cancelled digits": lambda rng: (
        Elementwise(lambda x: np.sqrt(1e8 + x) - 1e4, lambda x, y: 0.5 / np.sqrt(1e8 + x)),
        rng.standard_normal((3, 4)),
    ),
    "math.exp": lambda rng: (Elementwise(np.vectorize(math.exp), lambda x, y: y), rng.standard_normal((3, 4))),
}


@pytest.mark.parametrize("make", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_awkward_but_correct_layers_pass(make, seed, rng):
    layer, x = make(rng)
    assert_gradients(layer, x, seed=seed)


def test_parameters_of_integers_are_differentiated_as_floats(rng):
    layer = Affine(SIZES, rng)
    layer.params["W"] = rng.integers(-3, 4, (3, 5))
    assert_gradients(layer, rng.standard_normal((4, 5)))
    assert layer.params["W"].dtype.kind == "i"


def test_several_outputs_with_an_upstream_each(rng):
    class Split:
        def forward(self, x):
            return x[:, :2] * 2, x[:, 2:] * 3

        def backward(self, du, dv):
            return np.concatenate([2 * du, 3 * dv], axis=1)

    x, upstream = rng.standard_normal((3, 5)), (rng.standard_normal((3, 2)), rng.standard_normal((3, 3)))
    assert_gradients(Split(), x)
    assert_gradients(Split(), x, upstream=upstream)
    with pytest.raises(ValueError, match=r"upstream must have the output's shape \(3, 2\), \(3, 3\), got \(3, 2\)"):
        gradcheck(Split(), x, upstream=upstream[:1])


def test_half_precision_is_refused_not_guessed(rng):
    report = gradcheck(
        Elementwise(lambda x: np.float16(x) * 2, lambda x, y: np.float16(2)), rng.standard_normal((3, 4))
    )
    assert not report.findings and "half precision" in report.unresolved[0].message


def test_what_was_left_out_is_noted(rng):
    class RefusesOne(Elementwise):
        def forward(self, x):
            if len(x) < 2:
                raise ValueError("a batch of one has no variance")
            return super().forward(x)

    report = gradcheck(RefusesOne(np.tanh, lambda x, y: 1 - y**2), rng.standard_normal((3, 4)))
    assert report.ok
    assert report.notes == ["a batch of one: left out, forward raised ValueError: a batch of one has no variance"]
    assert report.notes[0] in str(report)


# What is found, and how it is called.


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"dW": lambda s, u: s.x.T @ u}, ("dW", "shape", "transposed")),
        ({"dW": lambda s, u: u.T @ s.x / len(u)}, ("dW", "value", "extra-1/N")),
        ({"db": lambda s, u: u.mean(axis=0)}, ("db", "value", "extra-1/N")),
        ({"db": lambda s, u: u.sum(axis=0, keepdims=True)}, ("db", "shape", "wrong-shape")),
        ({"db": lambda s, u: u[0].copy()}, ("db", "value", "only-first-row")),
        ({"dx": lambda s, u: -u @ s.params["W"]}, ("dx", "value", "sign")),
        ({"dx": lambda s, u: np.ones_like(u) @ s.params["W"]}, ("dx", "value", "upstream-ignored")),
        ({"dW": lambda s, u: u.T @ s.x + 0.01 * s.params["W"]}, ("dW", "value", "weight-decay")),
        ({"dx": lambda s, u: np.clip(u, -4, 4) @ s.params["W"]}, ("dx", "contract", "upstream-clipped")),
        ({"dx": lambda s, u: np.zeros_like(s.x)}, ("dx", "value", "zero")),
        ({"dx": lambda s, u: (u @ s.params["W"]).astype(np.float32)}, ("dx", "dtype", "dtype-narrowed")),
        ({"dx": lambda s, u: None}, ("dx", "shape", "wrong-return")),
        ({"dx": lambda s, u: u @ s.params["V"]}, ("dx", "crash", "KeyError")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_of_a_fully_connected_layer(wrong, expected):
    assert expected in found(affine(**wrong))


@pytest.mark.parametrize(
    ("f", "slope", "cause"),
    [
        (np.tanh, lambda x, y: 1 - x**2, "input-for-output"),
        (lambda x: 1 / (1 + np.exp(-x)), lambda x, y: x * (1 - x), "input-for-output"),
        (np.square, lambda x, y: x, "missing-factor-2"),
        (np.tanh, lambda x, y: 1 - y, "wrong-derivative"),
        (lambda x: np.maximum(x, 0), lambda x, y: 1.0, "equals-upstream"),
    ],
)
def test_wrong_derivatives_of_functions(f, slope, cause):
    assert ("dx", "value", cause) in found(elementwise(f, slope))


def test_the_sentence_says_what_the_numbers_are():
    report = elementwise(lambda x: 1 / (1 + np.exp(-x)), lambda x, y: x * (1 - x))
    assert "dx is exactly upstream * x * (1 - x): you used the input where the output belongs" in str(report)
    finding = report.findings[0]
    assert finding.analytic != pytest.approx(finding.numeric) and finding.error < 1e-6
    assert "backward" in finding.corner and "numeric" in finding.corner


class Unscaled:
    """Dropout of a fixed mask, its scale forgotten in backward: 1 / (1 - 0.4) = 5 / 3 is D / N, too."""

    p = 0.4

    def __init__(self, sizes, rng):
        self.mask = (np.arange(sizes["N"] * sizes["D"]).reshape(sizes["N"], sizes["D"]) % 5 > 1) / (1 - self.p)

    def forward(self, x):
        return x * self.mask

    def backward(self, upstream):
        return upstream * (self.mask > 0)


def test_a_number_that_happens_to_be_a_ratio_of_sizes_is_not_blamed_on_them():
    def cause(make):
        (finding,) = sweep(make, {"x": "N D"}, {"N": 3, "D": 5}).findings
        return finding.cause

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    assert cause(Unscaled) == "missing-scale-1/(1-p)"
    assert cause(lambda sizes, rng: Elementwise(sigmoid, lambda x, y: 0.6 * y * (1 - y))) == "constant-factor"


@pytest.mark.parametrize("name", ["weight", "scale", "gamma", "g", "beta", "bias"])
def test_a_weight_matrix_may_go_by_the_name_of_a_scale(name):
    class Square:
        def __init__(self, sizes, rng):
            self.params = {name: rng.standard_normal((sizes["D"], sizes["D"]))}

        def forward(self, x):
            self.x = x
            return x @ self.params[name].T

        def backward(self, upstream):
            return upstream @ self.params[name].T, {name: upstream.T @ self.x}

    report = sweep(Square, {"x": "N D"}, {"N": 3, "D": 4})
    assert found(report) == {("dx", "value", "transposed")}


class MeanOfTriples:
    """y[n, i, j] = mean of x[n, 3i:3i+3, j]; `changed` is done to upstream, `last` is its loop's end over j."""

    def __init__(self, changed=lambda u: u, last=lambda shape: shape[2]):
        self.changed, self.last = changed, last

    def forward(self, x):
        self.shape = x.shape
        return (x[:, 0::3] + x[:, 1::3] + x[:, 2::3]) / 3

    def backward(self, upstream):
        dx = np.zeros(self.shape)
        for j in range(min(self.shape[2], self.last(upstream.shape))):
            dx[:, :, j] = self.changed(upstream)[:, :, j].repeat(3, axis=1) / 3
        return dx


@pytest.mark.parametrize(
    ("layer", "cause"),
    [
        (MeanOfTriples(lambda u: 3 * u), "missing-1/window"),
        (MeanOfTriples(lambda u: u / 3), "extra-1/window"),
        (MeanOfTriples(last=lambda shape: shape[1]), "loop-too-short"),
    ],
)
def test_mistakes_of_layers_with_windows(layer, cause):
    report = sweep(lambda sizes, rng: layer, {"x": "N 6 D"}, {"N": 3, "D": 5})
    assert found(report) == {("dx", "value", cause)}


@pytest.mark.parametrize(("shape", "of_labels"), [("N 1", lambda n: (n,)), ("N", lambda n: (n, 1))])
def test_labels_that_broadcast_against_the_scores(shape, of_labels):
    class SquaredError:
        def __init__(self, sizes, rng):
            self.params = {}

        def forward(self, scores, targets):
            self.difference = scores - targets.reshape(scores.shape)
            return np.mean((scores - targets) ** 2)

        def backward(self, upstream=1.0):
            return upstream * 2 * self.difference / len(self.difference)

    def targets(sizes, rng):
        return (rng.standard_normal(of_labels(sizes["N"])),)

    report = sweep(SquaredError, {"scores": shape}, {"N": 4}, extra=targets)
    assert found(report) == {("dscores", "value", "labels-broadcast")}


def test_small_and_rare_mistakes_are_named(rng):
    clipped = affine(dW=lambda s, u: np.clip(u, -2.5, 2.5).T @ s.x)
    assert {(a, c) for a, _, c in found(clipped)} == {("dW", "upstream-clipped")}
    nearly = elementwise(np.tanh, lambda x, y: (1 + 1e-7) * (1 - y**2))
    assert [finding.array for finding in nearly.findings] == ["dx"]
    assert nearly.findings[0].cause in ("constant-factor", "")


def test_a_sentence_claims_no_more_than_the_numbers_show():
    log_sigmoid = elementwise(lambda x: -np.logaddexp(0, -x), lambda x, y: 1 / (1 + np.exp(-x)))
    assert "log(y)" not in str(log_sigmoid)  # the log of what is negative equals nothing
    shape = affine(db=lambda s, u: u.sum(axis=1)).findings[0].message
    assert "summed over the wrong axis" in shape and "missing" not in shape
    added = affine(dW=lambda s, u: u.T @ s.x + 1e-4 * (np.arange(s.params["W"].size) == 7).reshape(s.params["W"].shape))
    assert "nothing added" in str(added)

    class PicksOther(Elementwise):
        """Forward takes each row's largest entry, backward pays the first."""

        def backward(self, upstream):
            dx = np.zeros(self.x.shape)
            dx[:, 0] = upstream
            return dx

    largest = sweep(
        lambda sizes, rng: PicksOther(lambda x: x.max(axis=1), None), {"x": "N D"}, {"N": 3, "D": 9}, variants=[]
    )
    message = largest.findings[0].message
    assert "in some places " in message and "backward gives 0" not in message


@pytest.mark.parametrize("size", ["of size 1e3", "all equal"])
def test_numbers_that_are_not_finite(size):
    def softmax(x):
        e = np.exp(x)
        return e / e.sum(axis=1, keepdims=True)

    def standardised(x):
        return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)

    f = softmax if size == "of size 1e3" else standardised
    report = elementwise(f, lambda x, y: y)
    assert any(finding.kind == "nonfinite" and size in finding.where for finding in report.findings)


def test_a_tie_that_is_paid_twice_or_not_at_all():
    class Max:
        def __init__(self, first, second):
            self.gates = first, second

        def forward(self, a, b):
            self.ab = a, b
            return np.maximum(a, b)

        def backward(self, upstream):
            first, second = self.gates
            return upstream * first(*self.ab), upstream * second(*self.ab)

    def check(first, second):
        return sweep(lambda sizes, rng: Max(first, second), {"a": "N D", "b": "N D"}, {"N": 3, "D": 4})

    assert check(np.greater_equal, np.less).ok
    assert check(lambda a, b: (a > b) + 0.5 * (a == b), lambda a, b: (a < b) + 0.5 * (a == b)).ok
    assert {c for _, _, c in found(check(np.greater_equal, np.less_equal))} == {"tie"}
    assert {c for _, _, c in found(check(np.greater, np.less))} == {"tie"}


class Contract:
    """y = 2 x, with one promise broken."""

    def __init__(self, broken):
        self.broken, self.buffer, self.total = broken, None, 0.0

    def forward(self, x):
        if self.broken == "unchanged-arguments":
            x += 0.0
            x *= 1.5
            return x * (2 / 1.5)
        self.x = x
        if self.broken == "no-aliasing":
            return 2 * x
        if self.broken == "stable-results":
            if self.buffer is None or self.buffer.shape != x.shape:
                self.buffer = np.empty_like(x)
            return np.multiply(x, 2, out=self.buffer)
        if self.broken == "layouts":
            return (2 * x.ravel(order="K")).reshape(x.shape)
        if self.broken == "integer-input":
            y = np.zeros_like(x)
            y += (2.5 * x - 0.5 * x).astype(x.dtype) if x.dtype.kind == "f" else (1.5 * x).astype(x.dtype)
            return y
        return 2 * x

    def backward(self, upstream):
        if self.broken == "no-aliasing":
            upstream *= 2
            return upstream
        if self.broken == "repeatable":
            self.total = self.total + 2 * upstream
            return self.total
        if self.broken == "linear":
            return 2 * np.clip(upstream, -100, 100)
        return 2 * upstream


@pytest.mark.parametrize(
    "item", ["unchanged-arguments", "no-aliasing", "repeatable", "stable-results", "linear", "layouts", "integer-input"]
)
def test_every_item_of_the_contract_is_found_and_can_be_switched_off(item):
    def check(skip):
        return sweep(lambda sizes, rng: Contract(item), {"x": "N D"}, {"N": 4, "D": 5}, skip=skip)

    assert item in {finding.item for finding in check(()).findings}
    assert item not in {finding.item for finding in check((item,)).findings}


def test_caches_and_parameters_that_are_kept_too_long(rng):
    class StaleCache(Affine):
        def forward(self, x):
            y = super().forward(x)
            self.first = getattr(self, "first", x)
            return y

        def backward(self, upstream):
            if self.first.shape == self.x.shape:
                self.x = self.first
            return super().backward(upstream)

    class StaleParameters(Affine):
        def backward(self, upstream):
            self.kept = getattr(self, "kept", self.params["W"].copy())
            dx, grads = super().backward(upstream)
            return upstream @ self.kept, grads

    for cls, item in ((StaleCache, "fresh-cache"), (StaleParameters, "fresh-parameters")):
        assert item in {f.item for f in sweep(lambda s, r, cls=cls: cls(s, r), {"x": "N D"}, SIZES).findings}
        skipped = sweep(lambda s, r, cls=cls: cls(s, r), {"x": "N D"}, SIZES, skip=(item,))
        assert item not in {f.item for f in skipped.findings}


def test_sizes_at_which_only_some_layers_are_wrong():
    squeezed = affine(db=lambda s, u: u.squeeze().sum(axis=0))
    assert any("N=1" in finding.where for finding in squeezed.findings)
    square = affine(
        dx=lambda s, u: u @ (s.params["W"].T if s.params["W"].shape[0] == s.params["W"].shape[1] else s.params["W"])
    )
    assert ("dx", "value", "transposed") in found(square)


def test_one_entry_among_150000(rng):
    class OneWrong(FC):
        def backward(self, upstream):
            dx, grads = super().backward(upstream)
            grads["W"][77, 400] += 1e-4
            return dx, grads

    report = gradcheck(OneWrong(784, 128, rng=rng), rng.standard_normal((64, 784)), skip=ITEMS)
    (finding,) = [finding for finding in report.findings if finding.kind == "value"]
    assert finding.array == "dW" and finding.index == (77, 400)
    assert finding.analytic - finding.numeric == pytest.approx(1e-4, rel=1e-3)


def test_a_gradient_that_cannot_be_resolved_is_no_pass():
    noise = np.random.default_rng(0)

    class Unsteady(Elementwise):
        def forward(self, x):
            return super().forward(x) + 1e-3 * noise.standard_normal(x.shape)

        def __deepcopy__(self, memo):
            return self

    report = gradcheck(Unsteady(np.square, lambda x, y: 2 * x), np.ones((2, 3)))
    assert not report.ok and report.unresolved and not report.findings


# The report and the arguments.


class FarSum:
    """A sum beside which a large constant stands: the differences of single entries drown in its rounding."""

    def __init__(self, constant, factor=1.0):
        self.constant, self.factor = constant, factor

    def forward(self, x):
        self.x = x
        return self.constant + np.sum(np.sin(x))

    def backward(self, upstream):
        slope = np.cos(self.x)
        slope[0, 0] *= self.factor
        return upstream * slope


def test_the_complex_step_bears_out_what_differences_cannot_resolve(rng):
    x = rng.standard_normal((10, 20))
    assert gradcheck(FarSum(3e9), x).ok
    assert not gradcheck(FarSum(3e9, factor=1.01), x).ok
    for factor in (1.0, 1.01):  # nothing bears out the complex step itself
        report = gradcheck(FarSum(1e11, factor), x)
        assert report.unresolved and not report.ok

    class FarNorm(FarSum):  # whose complex step lacks the path through the norm, as backward does
        def forward(self, x):
            self.x = x
            return self.constant + np.sum(x / np.linalg.norm(x))

        def backward(self, upstream):
            return np.full(self.x.shape, upstream / np.linalg.norm(self.x))

    assert not gradcheck(FarNorm(0.0), x).ok


def test_saturated_units_are_no_large_output():
    rng = np.random.default_rng(3)
    layers = FC(5, 6, rng=rng, dtype=np.float64), Tanh(), FC(6, 4, rng=rng, dtype=np.float64), Tanh()
    model = Sequential(*layers)
    model.params.flat *= 24  # gradients of 1e-10 beside outputs of 1
    report = gradcheck(model, rng.standard_normal((4, 5)))
    assert report.ok, str(report)


def test_the_same_seed_gives_the_same_report():
    def report(seed):
        return sweep(
            lambda s, rng: Affine(s, rng, dW=lambda a, u: 2 * u.T @ a.x), {"x": "N D"}, SIZES, seed=seed
        ).to_dict()

    assert report(3) == report(3) != report(4)


def test_a_report_survives_json():
    import json

    report = elementwise(np.tanh, lambda x, y: 1 / (x - x))
    back = Report.from_dict(json.loads(json.dumps(report.to_dict())))
    assert str(back) == str(report) and back.ok == report.ok


def test_nothing_of_the_users_is_changed(rng):
    layer, x = FC(4, 3, rng=rng), rng.standard_normal((5, 4))
    layer.forward(x)
    before = copy.deepcopy((layer.params["W"], layer.params["b"], x, layer.cache))
    state = np.random.get_state()[1].copy()
    gradcheck(layer, x)
    for was, now in zip(before, (layer.params["W"], layer.params["b"], x, layer.cache), strict=True):
        np.testing.assert_array_equal(was, now)
    np.testing.assert_array_equal(state, np.random.get_state()[1])


def test_a_reference_is_held_against_forward_first(rng):
    class Wrong(ReLU):
        def forward(self, x):
            return -super().forward(-np.asarray(x))

        def backward(self, upstream):
            dx, grads = super().backward(-np.asarray(upstream))
            return -dx, grads

    assert gradcheck(Wrong(), rng.standard_normal((3, 4))).ok
    report = gradcheck(Wrong(), rng.standard_normal((3, 4)), reference=lambda layer, x: np.maximum(x, 0))
    assert report.findings[0].cause == "wrong-forward"


class Bare:
    """A layer with whatever parameters."""

    def __init__(self, params=None):
        self.params = params

    def forward(self, x):
        return 2 * x

    def backward(self, upstream):
        return 2 * upstream


def swept(**changes):
    arguments = {"make": lambda s, r: ReLU(), "inputs": {"x": "N D"}, "sizes": {"N": 2, "D": 3}, **changes}
    return sweep(**arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # the layer and its inputs
        (lambda x: gradcheck(object(), x), "a layer needs forward and backward, object has no forward"),
        (lambda x: gradcheck(ReLU, x), r"expected a layer, such as ReLU\(...\), got the class ReLU itself"),
        (lambda x: gradcheck(Bare([1]), x), "params must be a mapping of names to arrays, Bare has list"),
        (lambda x: gradcheck(Bare({"W": "a"}), x), "params must be a mapping of names to arrays, Bare has 'W': str"),
        (lambda x: gradcheck(Bare({"x": x}), x), "an input and a parameter have the same name: x"),
        (lambda x: gradcheck(ReLU()), "expected the inputs at which to check, got none"),
        (lambda x: gradcheck(ReLU(), ["a"]), "input x must be real numbers, got dtype <U1"),
        (lambda x: gradcheck(ReLU(), x * 1j), "input x must be real numbers, got dtype complex128"),
        (lambda x: gradcheck(ReLU(), [[1.0], [1.0, 2.0]]), "input x must be a rectangular array, got rows that differ"),
        (lambda x: gradcheck(ReLU(), [[1.0, np.nan]]), r"input x must be finite numbers, got nan at \[0, 1\]"),
        (
            lambda x: gradcheck(MSE(), x, extra=x),
            "extra must be a tuple of what forward takes after the inputs, got nd",
        ),
        # the upstream gradient
        (
            lambda x: gradcheck(ReLU(), x, upstream=np.ones(3)),
            r"upstream must have the output's shape \(3, 4\), got \(3,\)",
        ),
        (lambda x: gradcheck(ReLU(), x, upstream=x * 1j), "upstream must be real numbers, got dtype complex128"),
        (lambda x: gradcheck(ReLU(), x, upstream=x + np.inf), "upstream must be finite numbers, got inf at"),
        # options of both
        (
            lambda x: gradcheck(ReLU(), x, skip=["alias"]),
            "there is no item 'alias'; there are gradients, unchanged-arguments",
        ),
        (lambda x: gradcheck(ReLU(), x, skip=3), r"skip must be a sequence of items such as \('layouts',\), got 3"),
        (lambda x: gradcheck(ReLU(), x, at_kink="up"), "at_kink must be 'left', 'right', 'mean' or None, got 'up'"),
        (lambda x: gradcheck(ReLU(), x, domain={"x": (1, 0)}), "domain of x must be an interval"),
        (lambda x: gradcheck(ReLU(), x, domain={"x": 1}), r"domain of x must be a pair \(low, high\), got 1"),
        (lambda x: gradcheck(ReLU(), x, domain=(0, 1)), r'domain must be a mapping such as {"p": \(0, 1\)}, got'),
        (
            lambda x: gradcheck(ReLU(), x, domain={"y": (0, 1)}),
            "domain: there is no input or parameter 'y'; there are x",
        ),
        (lambda x: gradcheck(ReLU(), 0 * x, domain={"x": (0, 1)}), "x must lie inside .* the given one is from 0 to 0"),
        (lambda x: gradcheck(ReLU(), x, seed=-1), "seed must be a whole number >= 0, got -1"),
        (lambda x: gradcheck(ReLU(), x, seed=True), "seed must be a whole number >= 0, got True"),
        (lambda x: gradcheck(ReLU(), x, seed=1.5), "seed must be a whole number >= 0, got 1.5"),
        (lambda x: gradcheck(ReLU(), x, reference=3), "reference must be a function .* got 3"),
        (lambda x: gradcheck(ReLU(), x, reference=lambda layer, x: 1 / 0), "reference raised ZeroDivisionError"),
        (lambda x: swept(domain={"y": (0, 1)}), "domain: there is no input or parameter 'y'; there are x"),
        (lambda x: swept(seed=-1), "seed must be a whole number >= 0, got -1"),
        # what sweep takes
        (lambda x: swept(make=ReLU()), r"make must be a function of \(sizes, rng\), got"),
        (lambda x: swept(make=lambda s, r: ReLU), "expected a layer, such as ReLU"),
        (lambda x: swept(extra=(1,)), r"extra must be a function of \(sizes, rng\), got \(1,\)"),
        (
            lambda x: swept(extra=lambda s, r: 1),
            "extra must return a tuple of what forward takes after the inputs, got 1",
        ),
        (lambda x: swept(point=x), r"point must be a function of \(sizes, rng\), got"),
        (lambda x: swept(point=lambda s, r: x), r"point must return a tuple of 1 \(x\), got ndarray"),
        (lambda x: swept(point=lambda s, r: (x, x)), r"point must return a tuple of 1 \(x\), got 2"),
        (lambda x: swept(inputs={"x": "N K"}), "the shape 'N K' of x has 'K', sizes has N, D"),
        (lambda x: swept(inputs={}), "inputs must name each input"),
        (lambda x: swept(inputs={"x": (2, 3)}), "inputs must name each input and its shape"),
        (lambda x: swept(sizes={"N": 0, "D": 3}), "sizes must give each symbol a number >= 1"),
        (lambda x: swept(sizes=[2, 3]), "sizes must give each symbol a number >= 1"),
        (lambda x: swept(variants=[{"M": 1}]), "variants: there is no size 'M'; sizes has N, D"),
        (lambda x: swept(variants=[{"N": 0}]), 'variants must be mappings such as {"N": 1}'),
        (lambda x: swept(variants=3), r'variants must be a list of sizes such as \[{"N": 1}\], got 3'),
    ],
)
def test_arguments_that_cannot_be_used(call, message, rng):
    with pytest.raises((ValueError, TypeError), match=message):
        call(rng.standard_normal((3, 4)))


def test_softmax_needs_an_upstream_that_is_not_ones(rng):
    class Zero(Softmax):
        def backward(self, upstream):
            return np.zeros(np.shape(upstream)), {}

    assert not gradcheck(Zero(), rng.standard_normal((3, 4))).ok


def test_slips_of_forward_are_reported():
    class Nothing(Elementwise):
        def forward(self, x):
            super().forward(x)

    class Exits(Elementwise):
        def forward(self, x):
            raise SystemExit(3)

    x = np.ones((2, 3))
    assert "is the return missing?" in str(gradcheck(Nothing(np.square, lambda x, y: 2 * x), x))
    assert ("y", "crash", "SystemExit") in found(gradcheck(Exits(np.square, lambda x, y: 2 * x), x))
    assert gradcheck(Elementwise(np.square, lambda x, y: 2 * x), 2.5).ok


def test_the_contract_is_held_where_the_users_point_is_the_only_finite_one(rng):
    class Log(Elementwise):
        def backward(self, upstream):
            upstream /= self.x
            return upstream

    report = gradcheck(Log(np.log, None), rng.uniform(0.2, 3, (4, 3)))
    assert "changes-upstream" in {cause for _, _, cause in found(report)}


def test_parameters_that_forward_does_not_read(rng):
    class Copies(Affine):
        @property
        def params(self):
            return {name: array.copy() for name, array in self._params.items()}

        @params.setter
        def params(self, value):
            self._params = value

        def forward(self, x):
            self.x = x
            return x @ self._params["W"].T + self._params["b"]

    report = gradcheck(Copies(SIZES, rng), rng.standard_normal((4, 5)))
    assert ("dW", "value", "parameter-unused") in found(report)


class Doubles:
    """y = 2 x, with a parameter beside it; `backward` is to be overridden."""

    def __init__(self, **attributes):
        self.params = {"gamma": np.ones(5)}
        self.kept = self.params["gamma"].copy()
        vars(self).update(attributes)

    def forward(self, x):
        self.x = x
        return x * self.params["gamma"]

    def backward(self, upstream):
        return upstream * self.kept, {"gamma": (upstream * self.x).sum(axis=0)}


@pytest.mark.parametrize("p", [np.array([1, 2, 0]), (1, 1), "half", True, None])
def test_a_layers_own_attributes_may_be_anything(p, rng):
    report = gradcheck(Doubles(p=p, rate=p), rng.standard_normal((4, 5)))
    assert found(report) == {("dx", "value", "stale-parameters")}  # a copy of ones is not "just the upstream"


def test_a_backward_that_draws_or_updates_is_told_so_rather_than_not_linear(rng):
    class Noisy(Doubles):
        def backward(self, upstream):
            dx, grads = super().backward(upstream * self.params["gamma"])
            return dx * (1 + 1e-3 * np.random.default_rng().standard_normal(dx.shape)), grads

    class Updates(Doubles):
        def backward(self, upstream):
            self.params["gamma"] -= 0.1 * (upstream * self.x).sum(axis=0)
            return upstream * self.params["gamma"], {"gamma": (upstream * self.x).sum(axis=0)}

    class Rebinds(Doubles):
        def backward(self, upstream):
            dgamma = (upstream * self.x).sum(axis=0)
            dx = upstream * self.params["gamma"]
            self.params["gamma"] = self.params["gamma"] - 0.1 * dgamma
            return dx, {"gamma": dgamma}

    x = rng.standard_normal((4, 5))
    assert gradcheck(Noisy(), x).findings[0].cause == "not-repeatable"
    assert gradcheck(Updates(), x).findings[0].cause == "changes-parameters"
    assert ("dgamma", "contract", "changes-parameters") in found(gradcheck(Rebinds(), x))


def test_a_factor_that_the_labels_make_is_no_constant():
    class Weighted:
        """The mean of squares, weighted by label; backward divides by N rather than by the weights' sum."""

        def __init__(self, sizes, rng):
            self.params = {}

        def forward(self, scores, labels):
            self.scores, self.weights = scores, np.array([1.0, 3.0, 0.5])[labels]
            return np.sum(self.weights * scores**2) / self.weights.sum()

        def backward(self, upstream=1.0):
            return upstream * 2 * self.weights * self.scores / len(self.scores)

    def labels(sizes, rng):
        return (rng.integers(0, 3, sizes["N"]),)

    for seed in range(4):
        report = sweep(Weighted, {"scores": "N"}, {"N": 5}, extra=labels, seed=seed)
        assert {finding.array for finding in report.findings} == {"dscores"}
        assert not any(f.cause in ("constant-factor", "extra-factor", "missing-factor") for f in report.findings)


def test_the_call_that_shows_it_again_shows_it_again():
    class AtLeastZero(Elementwise):
        def __init__(self, sizes, rng):
            super().__init__(lambda x: np.maximum(x, 0), lambda x, y: x >= 0)

    def make(sizes, rng):
        return AtLeastZero(sizes, rng)

    report = sweep(make, {"x": "N D"}, {"N": 4, "D": 5}, at_kink="left", domain={"x": (-50.0, None)})
    call = report.findings[0].reproduce
    assert "at_kink='left'" in call and "domain={'x': (-50.0, None)}" in call
    assert not eval(call, {"sweep": sweep, "make": make}).ok


def test_gradients_of_what_is_no_parameter_are_not_charged_to_the_input(rng):
    class More(Elementwise):
        def backward(self, upstream):
            return upstream * self.slope(self.x, self.y), {"W": upstream.sum(axis=0)}

    report = gradcheck(More(np.tanh, lambda x, y: 1 - y**2), rng.standard_normal((4, 5)))
    assert found(report) == {("dW", "shape", "unknown-gradient")}
    assert report.verdict("dx") == "ok"


def test_a_note_tells_of_parameters_that_are_in_no_params(rng):
    class WithAttributes:
        def __init__(self):
            self.W = np.ones(5)

        def forward(self, x):
            self.x = x
            return x * self.W

        def backward(self, upstream):
            self.dW = (upstream * self.x).sum(axis=0)
            self.dx = upstream * self.W
            return self.dx.copy()

    report = gradcheck(WithAttributes(), rng.standard_normal((4, 5)))
    assert report.ok
    assert [note for note in report.notes if note.startswith("W is an attribute and in no params")]


def test_a_cache_on_the_class_is_found(rng):
    class OnTheClass:
        def forward(self, x):
            type(self).x = x
            return x * x

        def backward(self, upstream):
            return 2 * self.x * upstream

    assert found(gradcheck(OnTheClass(), rng.standard_normal((4, 5)))) == {("dx", "contract", "shared-cache")}


def test_few_forwards_are_spent_on_a_wrong_layer(rng):
    class Counted(Affine):
        calls = 0

        def forward(self, x):
            Counted.calls += 1
            return super().forward(x)

    def forwards(**wrong):
        Counted.calls = 0
        report = gradcheck(Counted({"N": 4, "D": 20, "M": 6}, rng, **wrong), rng.standard_normal((4, 20)))
        return Counted.calls, report.ok

    (right, ok), (wrong, still_ok) = forwards(), forwards(dW=lambda s, u: u.T @ (s.x + 0.1 * s.x**3))
    assert ok and not still_ok
    assert wrong < 15 * right, (right, wrong)


def test_a_layer_that_cannot_be_copied_is_refused_in_a_sentence():
    layer = Elementwise(np.square, lambda x, y: 2 * x)
    layer.held = (i for i in range(3))
    with pytest.raises(TypeError, match=r"cannot be copied .* define __deepcopy__"):
        gradcheck(layer, np.ones(3))
