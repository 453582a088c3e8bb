"""The gradient checker through its API: what it accepts, what it reports, and that it changes nothing."""

import copy

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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: gradcheck(object(), x), "a layer needs forward and backward, object has no forward"),
        (lambda x: gradcheck(ReLU()), "expected the inputs at which to check, got none"),
        (lambda x: gradcheck(ReLU(), ["a"]), "input x must be real numbers, got dtype <U1"),
        (lambda x: gradcheck(ReLU(), x, skip=["alias"]), "there is no item 'alias'; there are unchanged-arguments"),
        (lambda x: gradcheck(ReLU(), x, at_kink="up"), "at_kink must be 'left', 'right', 'mean' or None, got 'up'"),
        (lambda x: gradcheck(ReLU(), x, domain={"x": (1, 0)}), "domain of x must be an interval"),
        (
            lambda x: gradcheck(ReLU(), x, upstream=np.ones(3)),
            r"upstream must have the output's shape \(3, 4\), got \(3,\)",
        ),
        (lambda x: sweep(lambda s, r: ReLU(), {"x": "N K"}, {"N": 2}), "the shape 'N K' of x has 'K', sizes has N"),
        (lambda x: sweep(lambda s, r: ReLU(), {}, {"N": 2}), "inputs must name each input"),
        (lambda x: sweep(lambda s, r: ReLU(), {"x": "N"}, {"N": 2}, variants=[{"M": 1}]), "there is no size 'M'"),
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


def test_a_layer_that_cannot_be_copied_is_refused_in_a_sentence():
    layer = Elementwise(np.square, lambda x, y: 2 * x)
    layer.held = (i for i in range(3))
    with pytest.raises(TypeError, match=r"cannot be copied .* define __deepcopy__"):
        gradcheck(layer, np.ones(3))
