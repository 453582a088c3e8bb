"""The Jacobian view: against closed forms, and the command as a user runs it."""

import copy
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import handgrad
from handgrad import (
    FC,
    MSE,
    BinaryCE,
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
    SoftmaxCE,
    Tanh,
    jacobian,
)
from handgrad.cli import main
from handgrad.jacobian import chain
from handgrad.jacobians.extent import Extent, in_bytes

DOCS = Path(__file__).parent.parent / "docs"


class Product(Layer):
    """y = a b, two inputs, matrices."""

    def forward(self, a, b):
        self.cache = a, b
        return a @ b

    def backward(self, upstream):
        a, b = self.recall()
        return (upstream @ b.T, a.T @ upstream), {}


class Plain:
    """A layer that is none of handgrad's: a function, its derivative, a parameter by which it multiplies."""

    def __init__(self, f, df, scale=1.0):
        self.f, self.df, self.params = f, df, {"scale": np.array(scale)}

    def forward(self, x):
        self.x = x
        return self.params["scale"] * self.f(x)

    def backward(self, upstream):
        return upstream * self.params["scale"] * self.df(self.x), {"scale": np.sum(upstream * self.f(self.x))}


# The matrix, against closed forms.


def test_fc_by_input_weight_and_bias_are_kronecker_products(rng):
    fc, x, B = FC(4, 3, rng=0), rng.standard_normal((2, 4)), 2
    by_x, by_W, by_b = jacobian(fc, x), jacobian(fc, x, by="W"), jacobian(fc, x, by="b")
    np.testing.assert_allclose(by_x.matrix, np.kron(np.eye(B), fc.W), rtol=1e-12)
    np.testing.assert_allclose(by_W.matrix, np.concatenate([np.kron(np.eye(3), row) for row in x]), rtol=1e-12)
    np.testing.assert_array_equal(by_b.matrix, np.concatenate([np.eye(3)] * B))
    assert by_W.tensor.shape == (2, 3, 3, 4) and by_W.output_shape == (2, 3) and by_W.input_shape == (3, 4)
    np.testing.assert_array_equal(by_W.tensor[1, 2, 2], x[1])
    assert by_W.zeros == by_W.zeros_everywhere == 48 and by_W.nbytes == 6 * 12 * 8


@pytest.mark.parametrize(
    ("layer", "slope"),
    [
        (ReLU(), lambda x: x > 0),
        (LeakyReLU(0.2), lambda x: np.where(x > 0, 1, 0.2)),
        (Sigmoid(), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
        (Tanh(), lambda x: 1 / np.cosh(x) ** 2),
        (Plain(np.sin, np.cos, 2.0), lambda x: 2 * np.cos(x)),
    ],
    ids=["ReLU", "LeakyReLU", "Sigmoid", "Tanh", "a layer of one's own"],
)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 1, 3)])
def test_elementwise_layers_are_diagonal(layer, slope, shape, rng):
    x = rng.standard_normal(shape)
    found = jacobian(layer, x)
    np.testing.assert_allclose(found.matrix, np.diag(slope(x).ravel()), rtol=1e-12, atol=1e-15)
    assert found.structure.startswith("diagonal") and found.agrees and found.deviation < 1e-8


def test_softmax_by_row(rng):
    x = rng.standard_normal((2, 3))
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    expected = np.zeros((2, 3, 2, 3))
    for i in range(2):
        expected[i, :, i] = np.diag(p[i]) - np.outer(p[i], p[i])
    found = jacobian(Softmax(), x)
    np.testing.assert_allclose(found.tensor, expected, atol=1e-14)
    assert found.structure == "block diagonal: one block [3 x 3] per row of the batch, each dense"


def test_a_loss_has_the_shape_of_its_scores(rng):
    scores, labels = rng.standard_normal((3, 4)), np.array([0, 3, 1])
    found = jacobian(SoftmaxCE(), scores, labels)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.tensor, (p - np.eye(4)[labels]) / 3, atol=1e-14)
    assert found.by == "scores" and found.matrix.shape == (1, 12) and found.output_shape == () and found.agrees
    np.testing.assert_allclose(found.product(-2.0), -2 * found.tensor)
    targets = rng.standard_normal((3, 4))
    np.testing.assert_allclose(jacobian(MSE(), scores, extra=[targets]).tensor, 2 * (scores - targets) / 12)
    assert jacobian(BinaryCE(), [0.5, -2], [1, 0]).agrees


def test_two_inputs_by_number_and_by_name(rng):
    a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    by_a, by_b = jacobian(Product(), a, b), jacobian(Product(), a, b, by="b")
    np.testing.assert_allclose(by_a.matrix, np.kron(np.eye(2), b.T), rtol=1e-12)
    np.testing.assert_allclose(by_b.matrix, np.kron(a, np.eye(4)), rtol=1e-12)
    np.testing.assert_array_equal(jacobian(Product(), a, b, by=1).matrix, by_b.matrix)
    assert by_a.agrees and by_b.agrees and "every block is b'" in by_a.structure
    assert str(by_b.extent) == "[2*4 outputs x 3*4 entries of b]"


def test_a_graph_by_its_own_names(rng):
    a, b = Input("a"), Input("b")
    graph = Graph([a, b], a * b + FC(3, 3, rng=0)(a))
    at = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    W = graph.params["1.W"].astype(np.float64)
    by_a = jacobian(graph, *at, by="a")
    np.testing.assert_allclose(by_a.matrix, np.diag(at[1].ravel()) + np.kron(np.eye(2), W), rtol=1e-6)
    np.testing.assert_allclose(jacobian(graph, *at, by="b").matrix, np.diag(at[0].ravel()), rtol=1e-12)
    assert by_a.agrees and by_a.structure.startswith("block diagonal")
    assert jacobian(graph, *at, by="1.W").structure.startswith("one row per weight row")


def test_a_graph_with_labels(rng):
    x, labels = Input("x"), Input("labels")
    graph = Graph([x, labels], SoftmaxCE()(FC(3, 4, rng=0)(x), labels))
    at = rng.standard_normal((2, 3))
    found = jacobian(graph, at, extra=[np.array([3, 0])], by="0.W")
    graph.forward(at, np.array([3, 0]))
    np.testing.assert_allclose(found.tensor, graph.backward(1)[1]["0.W"], atol=1e-6)
    assert found.agrees and jacobian(graph, at, extra=[np.array([3, 0])]).agrees


def test_dropout_draws_one_mask_throughout_and_the_layers_generator_is_left_alone():
    layer = Dropout(0.5, rng=3)
    mask = copy.deepcopy(layer).forward(np.ones((2, 6)))
    found = jacobian(layer, np.ones((2, 6)))
    np.testing.assert_array_equal(found.matrix, np.diag(mask.ravel()))
    assert found.agrees and found.structure.startswith("diagonal") and 0 < np.count_nonzero(mask) < 12
    np.testing.assert_array_equal(layer.forward(np.ones((2, 6))), mask)  # what was shown is what comes


def test_the_users_layer_and_arrays_are_left_as_they_were(rng):
    model = Sequential(FC(4, 3, rng=0), ReLU(), FC(3, 2, rng=1))
    x, other = rng.standard_normal((2, 4)).astype(np.float32), rng.standard_normal((3, 4)).astype(np.float32)
    model.forward(other)
    before, flat = model.backward(np.ones((3, 2)))[0], model.params.flat.copy()
    x.flags.writeable = False
    jacobian(model, x, by="0.W")
    chain(model, x)
    assert model.params.flat.dtype == np.float32 and np.array_equal(model.params.flat, flat)
    np.testing.assert_array_equal(model.backward(np.ones((3, 2)))[0], before)


def test_whole_numbers_are_converted():
    np.testing.assert_array_equal(jacobian(ReLU(), [1, -2, 3, -1]).matrix, np.diag([1, 0, 1, 0]))
    assert jacobian(FC(2, 2, rng=0), np.array([[1, 2]])).matrix.dtype == np.float64


# Differences are a second witness.


def test_differences_find_a_wrong_backward():
    found = jacobian(Plain(np.square, lambda x: x), [1.0, 2, -3])
    assert not found.agrees and found.deviation == pytest.approx(3, rel=1e-6)
    np.testing.assert_allclose(found.differences, np.diag([2.0, 4, -6]), atol=1e-8)
    assert "NOT the same" in str(found) and "handgrad check" in str(found)


def test_at_a_kink_differences_say_nothing():
    found = jacobian(ReLU(), [1.5, 0, -2])
    np.testing.assert_array_equal(np.isnan(found.differences), np.diag([False, True, False]))
    np.testing.assert_array_equal(found.matrix, np.diag([1, 0, 0]))
    assert found.agrees and "1 entry left out, at a kink" in " ".join(str(found).split())


def test_large_values_and_single_precision_are_no_disagreement(rng):
    assert jacobian(Plain(lambda x: x**3 + 1e6, lambda x: 3 * x**2), rng.standard_normal(4)).agrees

    def single(x):
        return np.sin(x.astype(np.float32))

    found = jacobian(Plain(single, lambda x: np.cos(x), np.float32(1)), rng.standard_normal(4))
    assert found.agrees and not np.isnan(found.differences).any()


# The product with an upstream.


def test_the_product_is_backward(rng):
    model = Sequential(FC(4, 5, rng=0), Tanh(), FC(5, 3, rng=1)).astype(np.float64)
    x, upstream = rng.standard_normal((2, 4)), rng.standard_normal((2, 3))
    model.forward(x)
    dx, grads = model.backward(upstream)
    for by, expected in {"x": dx, **grads}.items():
        found = jacobian(model, x, by=by, upstream=upstream)
        np.testing.assert_allclose(found.product(upstream), expected, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(found.gradient, expected, rtol=1e-12, atol=1e-15)
        assert found.agrees
    with pytest.raises(ValueError, match=r"upstream must have the output's shape \(2, 3\), got \(3,\)"):
        found.product(np.ones(3))


def test_the_chain_multiplies_to_the_model(rng):
    shared = np.random.default_rng(5)  # one generator for two masks, which must be the model's
    model = Sequential(FC(4, 5, rng=0), Dropout(0.4, rng=shared), Tanh(), Dropout(0.4, rng=shared), FC(5, 3, rng=1))
    x = rng.standard_normal((2, 4))
    factors = chain(model, x)
    assert [factor.matrix.shape for factor in factors] == [(10, 8), (10, 10), (10, 10), (10, 10), (6, 10)]
    product = np.linalg.multi_dot([factor.matrix for factor in reversed(factors)])
    np.testing.assert_allclose(product, jacobian(model, x).matrix, atol=1e-13)
    with pytest.raises(TypeError, match="expected a Sequential, got ReLU"):
        chain(ReLU(), x)
    with pytest.raises(ValueError, match=r"Sequential\[0\] FC\(4, 5.*\): input must be \[B x 4\]"):
        chain(model, np.ones((2, 3)))


# The structure's name.


class Scale(Layer):
    """y = x * s, a factor for each feature."""

    s = Param("[features]")

    def __init__(self, s):
        self.s = s

    def forward(self, x):
        self.cache = x
        return x * self.s

    def backward(self, upstream):
        return upstream * self.s, {"s": (upstream * self.cache).sum(axis=0)}


class Function(Layer):
    """A linear function by its matrix-free forward and backward."""

    def __init__(self, f, df):
        self.f, self.df = f, df

    def forward(self, x):
        return self.f(x)

    def backward(self, upstream):
        return self.df(upstream), {}


class ByColumn(Layer):
    """y = x W with W as [in x out]."""

    W = Param("[in x out]")

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.cache = x
        return x @ self.W

    def backward(self, upstream):
        return upstream @ self.W.T, {"W": self.cache.T @ upstream}


@pytest.mark.parametrize(
    ("layer", "x", "by", "words"),
    [
        (ReLU(), [1.0, 2, 3], 0, "diagonal: output i depends on input i alone"),  # though it is the identity here
        (ReLU(), [-1.0, -2], 0, "diagonal"),  # though it is zero here
        (Flatten(), np.ones((2, 2, 3)), 0, "identity"),
        (Function(lambda x: 3 * x, lambda u: 3 * u), np.ones((2, 2)), 0, "3 times the identity"),
        (Function(np.transpose, np.transpose), np.ones((2, 3)), 0, "permutation"),
        (Function(np.zeros_like, np.zeros_like), np.ones(3), 0, "zero"),
        (Function(np.cumsum, lambda u: np.cumsum(u[::-1])[::-1]), np.ones(3), 0, "sparse"),
        (Tanh(), [2.0], 0, "a single number"),
        (FC(4, 3, rng=0), np.ones((1, 4)), 0, "dense: every output depends on every input; it is W"),
        (
            FC(4, 3, rng=0),
            np.ones((2, 4)),
            0,
            "block diagonal: one block [3 x 4] per row of the batch, each dense; every",
        ),
        (FC(4, 3, init="zeros"), np.zeros((2, 4)), 0, "block diagonal"),  # though it is zero here
        (
            FC(4, 3, rng=0),
            np.ones((1, 4)),
            "W",
            "one row per weight row: output i depends on row i of W alone, 3 blocks",
        ),
        (FC(4, 3, rng=0), np.zeros((2, 4)), "W", "one row per weight row"),
        (FC(3, 3, rng=0), np.ones((3, 3)), "W", "one row per weight row"),
        (FC(4, 1, rng=0), np.ones((3, 4)), "W", "dense: every output depends on all entries of W; it is x"),
        (
            FC(4, 3, rng=0),
            np.ones((2, 4)),
            "b",
            "diagonals, one above the other: output i depends on b[i] alone, for each",
        ),
        (FC(4, 3, rng=0), np.ones((1, 4)), "b", "identity"),
        (Scale([1.0, 2]), np.ones((3, 2)), "s", "diagonals, one above the other"),
        (ByColumn(np.ones((4, 3))), np.ones((2, 4)), "W", "one row per weight column"),
        (Sequential(FC(3, 8, rng=0), ReLU(), FC(8, 2, rng=1)), -np.ones((1, 3)), 0, "dense"),
        (Sequential(FC(3, 4, rng=0), ReLU(), FC(4, 2, rng=1)), np.ones((1, 3)), "2.W", "one row per weight row"),
    ],
)
def test_structure(layer, x, by, words):
    assert jacobian(layer, x, by=by).structure.startswith(words)


def test_zeros_of_the_values_and_of_the_structure():
    found = jacobian(ReLU(), [1, -2, 3, -1])
    assert (found.zeros, found.zeros_everywhere) == (14, 12)
    assert "zeros        14 of 16, 12 of them at other values too" in str(found)


# Sizes.


@pytest.mark.parametrize(
    ("extent", "shape", "words"),
    [
        (Extent((), ()), "[1 output x 1 input]", "d(scalar)/d(scalar) is a number"),
        (Extent((3,), ()), "[3 outputs x 1 input]", "d(vector)/d(scalar) is a column, [3 x 1]"),
        (Extent((), (4,)), "[1 output x 4 inputs]", "d(scalar)/d(vector) is a row, [1 x 4]"),
        (Extent((3,), (4,)), "[3 outputs x 4 inputs]", "d(vector)/d(vector) is [3 x 4]"),
        (
            Extent((1, 3), (1, 4)),
            "[1*3 outputs x 1*4 inputs]",
            "d(vector)/d(vector) is [3 x 4]; the batch is of one row",
        ),
        (Extent((2, 3), (2, 4)), "[2*3 outputs x 2*4 inputs]", "d(matrix)/d(matrix) is a tensor [2 x 3 x 2 x 4]"),
        (
            Extent((), (3, 4)),
            "[1 output x 3*4 inputs]",
            "d(scalar)/d(matrix) is an array of the matrix's shape [3 x 4]",
        ),
        (
            Extent((1, 3), (3, 4), "entries of W", True),
            "[1*3 outputs x 3*4 entries of W]",
            "d(vector)/d(matrix) is a tensor [3 x 3 x 4], laid out here as the matrix [3 x 12]",
        ),
    ],
)
def test_shapes_in_the_lectures_words(extent, shape, words):
    assert str(extent) == shape and extent.convention.startswith(words)


def test_a_large_one_is_refused_before_it_is_built(monkeypatch):
    monkeypatch.setattr(sys.modules["handgrad.jacobian"], "from_backward", lambda *_: pytest.fail("it was built"))
    with pytest.raises(ValueError, match=r"3,288,334,336 numbers or 26\.3 GB in float64"):
        jacobian(FC(784, 256, rng=0), np.ones((64, 784)), by="W")
    with pytest.raises(
        ValueError, match=r"by x would be \[10000 outputs x 10000 inputs\], 100,000,000 numbers or 800\.0 MB"
    ):
        jacobian(ReLU(), np.ones(10_000))
    with pytest.raises(ValueError, match="8,192 rows or columns"):  # few numbers, but too many calls
        jacobian(MSE(), np.ones(10_000), np.zeros(10_000))


def test_bytes_in_words():
    assert [in_bytes(n) for n in (8, 999, 1000, 26_306_674_688, 999_999)] == [
        "8 bytes", "999 bytes", "1.0 kB", "26.3 GB", "1.0 MB",
    ]  # fmt: skip
    assert in_bytes(10**24) == "1,000,000.0 EB"


# What cannot be used.


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: jacobian(ReLU()), ValueError, "expected the input at which to take it, got none"),
        (lambda: jacobian(ReLU, [1.0]), TypeError, "got the class ReLU itself"),
        (lambda: jacobian(object(), [1.0]), TypeError, "a layer needs forward and backward"),
        (lambda: jacobian(ReLU(), ["a"]), TypeError, "input x must be real numbers"),
        (lambda: jacobian(ReLU(), [np.nan]), ValueError, "input x must be finite numbers"),
        (lambda: jacobian(ReLU(), [1.0], by="W"), ValueError, "by must be one of x, got 'W'"),
        (lambda: jacobian(FC(2, 2), [[1.0, 2]], by="w"), ValueError, "by must be one of x, W, b, got 'w'"),
        (lambda: jacobian(ReLU(), [1.0], by=1), ValueError, "or an input's number from 0, got 1"),
        (lambda: jacobian(ReLU(), [1.0], by=True), ValueError, "got True"),
        (lambda: jacobian(ReLU(), [1.0], upstream=[1, 2]), ValueError, r"the output's shape \(1,\), got \(2,\)"),
        (lambda: jacobian(FC(4, 3), [[1.0, 2]]), ValueError, r"FC\(4, 3.*\): input must be \[B x 4\]"),
        (lambda: jacobian(SoftmaxCE(), [[1.0, 2]], [2]), ValueError, "labels must lie in 0..1"),
        (
            lambda: jacobian(Plain(np.sin, lambda x: np.ones((2, 2))), np.ones((1, 2))),
            ValueError,
            r"Plain: backward must return dx of shape \(1, 2\), got \(2, 2\)",
        ),
        (
            lambda: jacobian(Function(lambda x: (x, x), lambda u: u), [1.0]),
            ValueError,
            "expected a layer of one output, Function.* has 2",
        ),
        (lambda: jacobian(Function(lambda x: x, lambda u: (u, u)), [1.0]), ValueError, "one input gradient, got 2"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()


# The picture.


def test_a_picture_of_the_zeros(tmp_path, rng):
    pytest.importorskip("matplotlib")
    for number, found in enumerate(
        [
            jacobian(ReLU(), [1, -2, 3, -1]),
            jacobian(FC(4, 3, rng=0), rng.standard_normal((2, 4)), by="W"),
            jacobian(FC(30, 20, rng=0), rng.standard_normal((2, 30)), by="W"),
            jacobian(SoftmaxCE(), rng.standard_normal((3, 4)), [0, 1, 2]),
            jacobian(Function(np.zeros_like, np.zeros_like), np.ones(3)),
        ]
    ):
        figure = found.plot(tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 3000
        (image,) = figure.axes[0].images
        assert np.array_equal(np.ma.getmaskarray(image.get_array()), found.matrix == 0)  # white where it is zero
    with pytest.raises(OSError, match="there is no such folder"):
        found.plot(tmp_path / "none" / "a.png")


# The command.


def run(capsys, *arguments):
    """The exit code, standard output and standard error."""
    try:
        code = main(["jacobian", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_prints_the_lectures_example(capsys):
    code, out, err = run(capsys, "ReLU()", "--input", "1,-2,3,-1", "--upstream", "4,-1,5,9")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "ReLU() by x: [4 outputs x 4 inputs]"
    assert lines[1] == "d(vector)/d(vector) is [4 x 4]."
    rows = [line.split() for line in lines if line.startswith("y[")]
    assert rows == [[f"y[{i}]", *"0000"[:i], v, *"0000"[i + 1 :]] for i, v in enumerate("1010")]
    assert "structure    diagonal" in out and "zeros        14 of 16" in out and "128 bytes" in out
    assert "upstream            [4, -1, 5, 9]" in lines
    assert "upstream @ J        [4, 0, 5, 0]" in lines and "backward(upstream)  [4, 0, 5, 0]" in lines
    assert "largest difference  0" in lines


def test_the_command_by_a_parameter_and_its_real_size(capsys):
    code, out, _ = run(capsys, "FC(4, 3)", "--by", "W", "--input", "-1,2,0.5,3")
    assert code == 0 and "[1*3 outputs x 3*4 entries of W]" in out and "one row per weight row" in out
    assert "FC(784, 256) with a batch of 64: [64*256 outputs x 256*784 entries of W]" in out
    assert "3,288,334,336 numbers, 26.3 GB" in out
    rows = [line.split()[1:] for line in out.splitlines() if line.startswith("y[")]
    np.testing.assert_array_equal(np.array(rows, float), np.kron(np.eye(3), [-1, 2, 0.5, 3]))
    _, out, _ = run(capsys, "FC(4, 3)", "--by", "W", "--real", "FC(10, 20, bias=False)", "--real-batch", 5)
    assert (
        "FC(10, 20, bias=False) with a batch of 5: [5*20 outputs x 20*10 entries of W],\n20,000 numbers, 160.0 kB"
        in out
    )


def test_the_command_multiplies_the_chain(capsys):
    code, out, _ = run(capsys, "FC(4, 5), ReLU(), FC(5, 3)", "--input", "1,2,3,4;-1,0,1,2")
    chained = out[out.index("The chain rule") :].splitlines()
    assert code == 0 and [line.split("]")[0] for line in chained[1:4]] == ["[2", "[1", "[0"]
    assert "[2*3 outputs x 2*5 inputs]" in chained[1] and "[2*5 outputs x 2*4 inputs]" in chained[3]
    assert float(chained[4].split()[-1]) < 1e-12
    assert "The chain rule" not in run(capsys, "FC(4, 5), ReLU()", "--by", "0.W")[1]
    out = run(capsys, "FC(4, 10000), FC(10000, 3)")[1]
    assert "The layers' Jacobians are not multiplied: the full Jacobian of FC(4, 10000" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["SoftmaxCE()", "--input", "1,2,3;-1,0,1", "--labels", "0,2", "--upstream", "-2"],
        ["SoftmaxCE()", "--input", "-1,2,3", "--labels", "2"],
        ["SoftmaxCE()", "--input", "1,2;3,4", "--labels", "0.5,0.5;0,1"],
        ["BinaryCE()", "--input", "-.5,2", "--labels", "1,0"],
        ["MSE()", "--input", "1,2", "--labels", "-1,0.5"],
        ["MatMul()", "--input", "1,2;3,4", "--input", "-1;2", "--by", "b"],
        ["Add()", "--by", "a"],
        ["Concatenate()"],
        ["SoftmaxCE()"],
        ["BinaryCE()"],
        ["MSE()", "--seed", "3"],
        ["Flatten()", "--input", "2x3x2"],
        ["Flatten()", "--input", "1,2,3"],
        ["Softmax()"],
        ["Dropout(0.5)"],
        ["FC(40, 3)", "--by", "W"],
        ["FC(400, 3)", "--by", "W"],
        ["Sequential(ReLU())", "--input", "-1"],
        ["Sequential(FC(3, 3), Sequential(Tanh(), FC(3, 2)))", "--by", "1.1.b"],
    ],
    ids=" ".join,
)
def test_the_command_takes(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 0 and err == "" and "the same, largest difference" in out
    assert run(capsys, *arguments)[1] == out  # the same seed, the same text


def test_the_command_draws(capsys, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "FC(4, 3)", "--by", "W", "--plot", "w.svg")
    assert code == 0 and out.endswith("written to w.svg\n") and Path("w.svg").read_text().startswith("<?xml")
    assert [path.name for path in tmp_path.iterdir()] == ["w.svg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: LAYER"),
        (["ReLU"], "LAYER: ReLU needs its brackets: ReLU()"),
        ([""], "LAYER: a model is written FC(64, 128)"),
        (["open('x')"], "LAYER: there is no layer open"),
        (["Loss()"], "LAYER: there is no layer Loss"),
        (["ReLU()", "--input", "1,a"], "--input: expected finite numbers such as 1,-2,3,-1 or"),
        (["ReLU()", "--input", "1,2;3,,4"], "got '' as number 2 in row 2"),
        (["ReLU()", "--input", ""], "got '' as number 1"),
        (["ReLU()", "--input", "1,2;3"], "--input: rows must be of one length, got 2, 1 numbers"),
        (["ReLU()", "--input", "-inf,1"], "got '-inf' as number 1"),
        (["ReLU()", "--input", "1e999"], "got '1e999'"),
        (["ReLU()", "--input", "0x3"], "--input: sizes must make 1 to 8,192 entries, got 0x3"),
        (["ReLU()", "--input", "99999x99999"], "--input: sizes must make 1 to 8,192 entries"),
        (["ReLU()", "--input", "90x90"], "it is built up to 4,194,304 numbers"),
        (["FC(4, 3)", "--input", "1,2"], "LAYER cannot be run on the input [1, 2]: FC(4, 3): input must be [B x 4]"),
        (["Add()", "--input", "1,2"], "--input: Add() has 2 inputs, got 1"),
        (["ReLU()", "--input", "1,2", "--input", "3"], "--input: ReLU() has 1 input, got 2"),
        (["Add()", "--input", "1,2", "--input", "1,2,3"], "LAYER cannot be run on the input [2] and [3]: Add():"),
        (["FC(4, 3)", "--by", "w"], "--by must be one of x, W, b, got 'w'"),
        (["FC(4, 3)", "--upstream", "1,2"], "--upstream must have the output's shape [1 x 3], got [2]"),
        (["MSE()", "--upstream", "1,2"], "--upstream must be one number, got [2]"),
        (["FC(4, 3)", "--labels", "1"], "--labels are for losses, FC(4, 3) takes none"),
        (["SoftmaxCE()", "--input", "1,2;3,4", "--labels", "0,5"], "labels must lie in 0..1"),
        (["SoftmaxCE()", "--input", "1,2;3,4", "--labels", "0"], "labels must be [B] = (2,), got (1,)"),
        (["FC(4, 3)", "--real", "FC(10"], "--real: a model is written"),
        (["FC(4, 3)", "--by", "W", "--real", "ReLU()"], "--real: ReLU() must have the parameter W, it has no"),
        (["FC(4, 3)", "--real", "FC(3, 2), FC(3, 2)"], "--real cannot be run on an input [B x 3]"),
        (["FC(4, 3)", "--real-batch", "0"], "expected a whole number >= 1 and <= 10,000, got '0'"),
        (["Div()", "--input", "1,2", "--input", "3,0"], "the output of Div() must be finite at this input, it is inf"),
        (["Power(0.5)", "--input", "0"], "the Jacobian of Power(0.5) by x must be finite at this input, it is inf"),
        (["FC(4, 3)", "--seed", "-1"], "expected a whole number >= 0, got '-1'"),
        (["ReLU()", "--plot", "a.txt"], "--plot: expected a file named .png, .pdf, .svg, got 'a.txt'"),
        (["ReLU()", "--plot", "none/a.png"], "--plot none/a.png: no file can be written there"),
        (["ReLU()", "--unknown"], "unrecognized arguments: --unknown"),
    ],
)  # fmt: skip
def test_the_command_refuses_in_one_sentence(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2 and words in err and out == "" and "Traceback" not in err
    assert err.count("\n") == 1 or err.startswith("usage: ")
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_says_what_to_install(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def need(module, extra):
        raise ImportError(f"this needs {module}: pip install 'handgrad[{extra}]'")

    monkeypatch.setattr("handgrad.jacobians.command.need", need)
    code, _, err = run(capsys, "ReLU()", "--plot", "a.png")
    assert code == 2 and "--plot: this needs matplotlib: pip install 'handgrad[plot]'" in err


# The documentation: every command with what it prints.

EXAMPLES = re.findall(r"```sh\nhandgrad (jacobian .*?)\n```\n\n```\n(.*?)```", (DOCS / "jacobian.md").read_text(), re.S)


def _comparable(text):
    """Without the digits that rounding decides."""
    return re.sub(r"(largest difference [a-z ]*)(0|\de-\d\d)\b", r"\1~", " ".join(text.split()))


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_the_documented_commands_print_what_is_written_there(capsys, command, output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "--plot" in command:
        pytest.importorskip("matplotlib")
    assert main(shlex.split(command)) == 0
    assert _comparable(capsys.readouterr().out) == _comparable(output)


def test_enough_is_documented_and_its_python_runs():
    assert len(EXAMPLES) >= 4
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "jacobian.md").read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(block, {"handgrad": handgrad})
