"""The layer contract, point by point, for every layer; and each layer's own values."""

import copy
import pickle

import numpy as np
import pytest
import scipy.special

from handgrad import (
    FC,
    Dropout,
    Flatten,
    Graph,
    Input,
    Layer,
    LeakyReLU,
    Param,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    concatenate,
    exp,
    log,
    maximum,
)
from handgrad.layers import Exp, Neg, Power, Sum, Transpose

# name: (make(rng), shape of one instance)
LAYERS = {
    "FC": (lambda rng: biased(FC(4, 3, rng=rng), rng), (4,)),
    "FC without bias": (lambda rng: FC(4, 3, bias=False, rng=rng), (4,)),
    "ReLU": (lambda rng: ReLU(), (4,)),
    "LeakyReLU": (lambda rng: LeakyReLU(0.2), (4,)),
    "Sigmoid": (lambda rng: Sigmoid(), (4,)),
    "Tanh": (lambda rng: Tanh(), (4,)),
    "Softmax": (lambda rng: Softmax(), (4,)),
    "Flatten": (lambda rng: Flatten(), (2, 3, 2)),
    "Dropout": (lambda rng: Dropout(0.4, rng=7), (4,)),
    "Sequential": (lambda rng: Sequential(FC(4, 5, rng=rng), Tanh(), FC(5, 3, rng=rng)), (4,)),
    "nested, one layer twice": (lambda rng: nested(rng), (4,)),
    "Neg": (lambda rng: Neg(), (4,)),
    "Exp": (lambda rng: Exp(), (4,)),
    "Power": (lambda rng: Power(3), (4,)),
    "Sum": (lambda rng: Sum(-1, keepdims=True), (4,)),
    "Transpose": (lambda rng: Transpose(), (4,)),
    "Graph": (lambda rng: graph(rng), (4,)),
}
ELEMENTWISE = ["ReLU", "LeakyReLU", "Sigmoid", "Tanh"]
each_layer = pytest.mark.parametrize("name", LAYERS)


def biased(fc, rng):
    fc.b = rng.standard_normal(fc.out_features)
    return fc


def nested(rng):
    twice = biased(FC(5, 5, rng=rng), rng)
    return Sequential(FC(4, 5, rng=rng), Sequential(twice, Sigmoid(), twice), Tanh(), twice, FC(5, 3, rng=rng))


def graph(rng):
    """All operations of two operands and more; x, h and fc have several uses."""
    x, fc = Input("x"), biased(FC(4, 5, rng=rng), rng)
    h = Tanh()(fc(x))
    ratio = (h - 1) / (h * h + 2)
    products = (x @ fc.W.T.copy()) * log(x.sum(1, keepdims=True) ** 2 + 1)
    return Graph(x, biased(FC(10, 3, rng=rng), rng)(concatenate([maximum(ratio, -h), exp(fc(x) / 10) + products])))


def make(name, rng, dtype=np.float64, batch=3):
    """A layer, an input for it, and a mixed-sign upstream for its output."""
    maker, shape = LAYERS[name]
    layer = maker(rng).astype(dtype)
    x = rng.standard_normal((batch, *shape)).astype(dtype)
    y = copy.deepcopy(layer).forward(x)
    return layer, x, rng.standard_normal(y.shape).astype(dtype)


def replay(layer):
    """The layer's forward as a pure function: a Dropout draws the same mask each time."""
    frozen = copy.deepcopy(layer)
    return lambda x: copy.deepcopy(frozen).forward(x)


@each_layer
@pytest.mark.parametrize("batch", [1, 3])
def test_backward_is_the_numeric_gradient(name, batch, rng, numeric_gradient):
    layer, x, upstream = make(name, rng, batch=batch)
    f = replay(layer)
    layer.forward(x)
    dx, grads = layer.backward(upstream)
    np.testing.assert_allclose(dx, numeric_gradient(lambda: np.sum(f(x) * upstream), x), atol=1e-8)
    assert set(grads) == set(layer.params)
    for key, parameter in layer.params.items():
        numeric = numeric_gradient(lambda: np.sum(replay(layer)(x) * upstream), parameter)
        np.testing.assert_allclose(grads[key], numeric, atol=1e-8, err_msg=key)


@each_layer
def test_nothing_passed_in_is_changed(name, rng):
    layer, x, upstream = make(name, rng)
    before = x.copy(), upstream.copy(), [p.copy() for p in layer.params.values()]
    x.flags.writeable = upstream.flags.writeable = False
    layer.forward(x)
    layer.backward(upstream)
    layer.predict(x)
    assert np.array_equal(x, before[0]) and np.array_equal(upstream, before[1])
    assert all(np.array_equal(p, kept) for p, kept in zip(layer.params.values(), before[2], strict=True))


@each_layer
def test_nothing_returned_is_shared_or_changed_later(name, rng):
    layer, x, upstream = make(name, rng)
    y = layer.forward(x)
    dx, grads = layer.backward(upstream)
    arrays = {
        "x": x,
        "upstream": upstream,
        "y": y,
        "dx": dx,
        **grads,
        **{"param " + k: p for k, p in layer.params.items()},
    }
    views = {("x", "y"), ("upstream", "dx")} if name == "Flatten" else set()
    for a in arrays:
        for b in arrays:
            if a < b and not {(a, b), (b, a)} & views:
                assert not np.shares_memory(arrays[a], arrays[b]), (a, b)
    kept = {key: array.copy() for key, array in arrays.items()}
    layer.forward(x[::-1] * 2)
    layer.backward(-3 * upstream)
    layer.predict(x + 1)
    assert all(np.array_equal(arrays[key], kept[key]) for key in arrays)


@each_layer
def test_editing_what_forward_returned_does_not_reach_backward(name, rng):
    layer, x, upstream = make(name, rng)
    if name == "Flatten":
        x = np.asfortranarray(x)
    y = layer.forward(x)
    expected = layer.backward(upstream)
    y[...] = 99
    dx, grads = layer.backward(upstream)
    np.testing.assert_array_equal(dx, expected[0])
    assert all(np.array_equal(grads[key], expected[1][key]) for key in grads)


@each_layer
def test_backward_is_repeatable_linear_and_of_the_last_forward(name, rng):
    layer, x, upstream = make(name, rng)
    other = rng.standard_normal(upstream.shape)
    layer.forward(rng.standard_normal(x.shape))
    if name == "Dropout":
        layer.rng = np.random.default_rng(3)
    fresh = copy.deepcopy(layer)
    layer.forward(x)
    fresh.forward(x)
    a, b = layer.backward(upstream), layer.backward(other)
    both, again = layer.backward(2 * upstream - other), fresh.backward(upstream)
    np.testing.assert_allclose(both[0], 2 * a[0] - b[0], atol=1e-12)
    np.testing.assert_array_equal(a[0], again[0])
    for key in a[1]:
        np.testing.assert_allclose(both[1][key], 2 * a[1][key] - b[1][key], atol=1e-12)
        np.testing.assert_array_equal(a[1][key], again[1][key])
    assert not np.any(layer.backward(0 * upstream)[0])


@each_layer
def test_predict_keeps_no_cache_and_leaves_a_pending_backward_alone(name, rng):
    layer, x, upstream = make(name, rng)
    layer.predict(x)
    assert layer.cache is None
    with pytest.raises(RuntimeError, match="backward found self"):
        layer.backward(upstream)
    layer.forward(x)
    expected = layer.backward(upstream)
    layer.predict(np.concatenate([x, x]) + 1)
    dx, grads = layer.backward(upstream)
    np.testing.assert_array_equal(dx, expected[0])
    assert all(np.array_equal(grads[key], expected[1][key]) for key in grads)


@each_layer
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_hold_the_parameters_but_no_cache(name, copied, rng):
    layer, x, _ = make(name, rng)
    layer.forward(x)
    twin = copied(layer)
    assert twin.cache is None and repr(twin) == repr(layer)
    np.testing.assert_array_equal(twin.forward(x), layer.forward(x))
    for key, parameter in twin.params.items():
        parameter[...] = 5
        assert not np.any(layer.params[key] == 5)


@each_layer
@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "big-endian"])
def test_any_memory_layout_gives_the_same(name, layout, rng):
    layer, x, upstream = make(name, rng)

    def laid_out(a):
        if layout == "strided":
            wide = np.zeros((2 * a.shape[0], *a.shape[1:-1], 3 * a.shape[-1]))
            wide[::2, ..., ::3] = a
            return wide[::2, ..., ::3]
        if layout == "reversed":
            return a[::-1].copy()[::-1]
        return np.asfortranarray(a) if layout == "fortran" else a.astype(">f8")

    twin = copy.deepcopy(layer)
    np.testing.assert_allclose(twin.forward(laid_out(x)), layer.forward(x), rtol=1e-13)
    (dx, grads), (expected, expected_grads) = twin.backward(laid_out(upstream)), layer.backward(upstream)
    np.testing.assert_allclose(dx, expected, rtol=1e-13)
    assert dx.dtype == np.float64 and dx.dtype.isnative
    for key in grads:
        np.testing.assert_allclose(grads[key], expected_grads[key], rtol=1e-13)


@each_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_parameters_dtype(name, dtype, rng):
    layer, x, upstream = make(name, rng, dtype)
    assert layer.forward(x).dtype == dtype
    dx, grads = layer.backward(upstream)
    assert dx.dtype == dtype and all(g.dtype == dtype for g in grads.values())
    assert all(p.dtype == dtype for p in layer.params.values())
    if layer.params:  # another floating input is converted to the parameters' dtype
        assert layer.forward(x.astype(np.float16)).dtype == dtype
        assert layer.backward(upstream.astype(np.float16))[0].dtype == dtype


@each_layer
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
def test_integer_input_equals_float_input(name, dtype, rng):
    layer, x, upstream = make(name, rng, np.float32)
    twin = copy.deepcopy(layer)
    whole = rng.integers(0, 9, x.shape)
    y = layer.forward(whole.astype(dtype))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, twin.forward(whole.astype(np.float32)))
    np.testing.assert_array_equal(layer.backward(upstream)[0], twin.backward(upstream)[0])


@each_layer
@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        (np.empty((0, 4)), ValueError, "B >= 1"),
        (np.ones((2, 4), complex), TypeError, "real numbers"),
        (np.array([["a", "b"]]), TypeError, "real numbers"),
        ([[1, 2], [3]], ValueError, "rectangular"),
        (None, TypeError, "real numbers"),
    ],
)
def test_bad_input_is_named(name, x, kind, words, rng):
    layer, _, _ = make(name, rng)
    with pytest.raises(kind, match=words):
        layer.forward(x)


@each_layer
def test_bad_upstream_is_named(name, rng):
    layer, x, upstream = make(name, rng)
    layer.forward(x)
    for bad in (upstream[:-1], upstream[..., :-1], upstream[0], 1.0):
        with pytest.raises(ValueError, match="upstream must have the output's shape"):
            layer.backward(bad)


@each_layer
def test_numpy_global_random_state_is_neither_read_nor_written(name, rng):
    before = np.random.get_state()[1].copy()
    layer, x, upstream = make(name, rng)
    layer.forward(x)
    layer.backward(upstream)
    assert np.array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*ELEMENTWISE, "Softmax", "Dropout"])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_extreme_input_gives_finite_output_and_gradient(name, dtype, size, rng):
    layer = LAYERS[name][0](rng)
    x = np.array([[size, -size, 0, 1], [-size, -size, size, size]], dtype)
    y = layer.forward(x)
    dx, _ = layer.backward(np.array([[3, -2, 1, -1], [1, 2, -3, 4]], dtype))
    assert np.isfinite(y).all() and np.isfinite(dx).all()


def test_values_against_scipy(rng):
    x = 20 * rng.standard_normal((5, 6))
    np.testing.assert_allclose(Sigmoid().forward(x), scipy.special.expit(x), rtol=1e-14)
    np.testing.assert_allclose(Softmax().forward(x), scipy.special.softmax(x, axis=-1), rtol=1e-12)
    np.testing.assert_array_equal(LeakyReLU(0.25).forward(x), np.where(x > 0, x, 0.25 * x))
    np.testing.assert_array_equal(Tanh().forward(x), np.tanh(x))


def test_at_exactly_zero():
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    for layer, slope in ((ReLU(), 0), (LeakyReLU(0.3), 0.3)):
        layer.forward(zero)
        np.testing.assert_array_equal(layer.backward(one)[0], slope * one)


def test_fc_parameters_and_errors(rng):
    fc = FC(4, 5, rng=0)
    assert fc.W is fc.params["W"] and fc.W.shape == (5, 4) and fc.W.dtype == np.float32
    np.testing.assert_array_equal(fc.W, FC(4, 5, rng=np.random.default_rng(0)).W)
    W, kept = rng.standard_normal((5, 4)), fc.W
    fc.W = W
    assert fc.W is kept and np.allclose(kept, W)
    with pytest.raises(ValueError, match=r"FC\(4, 5\): parameter W has the shape \(5, 4\), got .* \(4, 5\)"):
        fc.W = W.T
    with pytest.raises(ValueError, match=r"FC\(4, 5\): input must be \[B x 4\], got \(3, 5\)"):
        fc.forward(np.zeros((3, 5)))
    with pytest.raises(AttributeError, match="no parameter b"):
        FC(2, 2, bias=False).b  # noqa: B018
    for size in (0, -1, 2.5, True, "4"):
        with pytest.raises(ValueError, match="in_features must be a whole number"):
            FC(size, 3)
    with pytest.raises(ValueError, match="init must be one of he, glorot, zeros"):
        FC(4, 5, init="xavier")
    with pytest.raises(ValueError, match=r"init must give \[out x in\] = \(5, 4\)"):
        FC(4, 5, init=lambda shape, rng: np.zeros((4, 5)))
    for dtype in (int, "complex64", "no-such"):
        with pytest.raises(TypeError, match="dtype must be a floating type"):
            FC(4, 5, dtype=dtype)
    with pytest.raises(TypeError, match="rng must be"):
        FC(4, 5, rng="seed")


def test_initial_weights_have_the_stated_scale():
    assert np.isclose(FC(500, 400, rng=0).W.var(), 2 / 500, rtol=0.02)
    assert np.isclose(FC(500, 400, init="glorot", rng=0).W.var(), 2 / 900, rtol=0.02)
    assert not FC(5, 4, init="zeros").W.any() and not FC(5, 4).b.any()
    np.testing.assert_array_equal(FC(2, 3, init=lambda shape, rng: np.full(shape, 0.5)).W, np.full((3, 2), 0.5))


def test_dropout_is_inverted_and_reproducible():
    x = np.ones((200, 100))
    y = Dropout(0.3, rng=0).forward(x)
    assert set(np.unique(y)) == {0, 1 / 0.7}
    assert abs((y == 0).mean() - 0.3) < 0.01 and abs(y.mean() - 1) < 0.01
    np.testing.assert_array_equal(y, Dropout(0.3, rng=0).forward(x))
    layer = Dropout(0.3, rng=0)
    assert not np.array_equal(layer.forward(x), layer.forward(x))
    np.testing.assert_array_equal(layer.predict(x), x)
    np.testing.assert_array_equal(Dropout(0).forward(x), x)
    for p in (-0.1, 1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="probability of a zero"):
            Dropout(p)


def test_constructor_and_shape_errors_of_the_small_layers():
    with pytest.raises(ValueError, match="negative_slope must lie in"):
        LeakyReLU(1.5)
    with pytest.raises(ValueError, match="at least 2 axes"):
        Flatten().forward(np.ones(3))
    with pytest.raises(ValueError, match="last axis"):
        Softmax().forward(np.float64(3))


def test_a_layer_of_ones_own_needs_six_lines(rng):
    class Square(Layer):
        def forward(self, x):
            self.cache = x
            return x * x

        def backward(self, upstream):
            return 2 * self.cache * upstream, {}

    class Scale(Layer):
        s = Param("[features]")

        def __init__(self, features):
            self.s = np.ones(features)

        def forward(self, x):
            self.cache = x
            return x * self.s

        def backward(self, upstream):
            return upstream * self.s, {"s": (upstream * self.cache).sum(axis=0)}

    model = Sequential(Scale(3), Square())
    model.params["0.s"] = [1, 2, 3]
    x, upstream = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    s = np.array([1, 2, 3])
    np.testing.assert_allclose(model.forward(x), (x * s) ** 2)
    dx, grads = model.backward(upstream)
    np.testing.assert_allclose(dx, 2 * x * s * s * upstream)
    np.testing.assert_allclose(grads["0.s"], (2 * x * x * s * upstream).sum(axis=0), rtol=1e-6)
