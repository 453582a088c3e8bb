"""Computation graphs: the order, the sums, and every operation's place in them."""

import copy
import importlib.util
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from handgrad import (
    FC,
    MSE,
    SGD,
    Dropout,
    Graph,
    Input,
    Layer,
    ReLU,
    Sequential,
    SoftmaxCE,
    Tanh,
    assert_gradients,
    concatenate,
    exp,
    gradcheck,
    log,
    maximum,
    train,
)
from handgrad.data import digits


def small(dtype=np.float64):
    """The same net as a Sequential and as a Graph, with parameters of their own."""
    sequential, layers = [[FC(4, 5, rng=0, dtype=dtype), ReLU(), FC(5, 3, rng=1, dtype=dtype)] for _ in range(2)]
    x = Input("x")
    return Sequential(*sequential), Graph(x, layers[2](layers[1](layers[0](x))))


def test_a_graph_of_a_chain_is_the_sequential_to_the_bit(rng):
    model, graph = small()
    x, upstream = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    np.testing.assert_array_equal(graph.forward(x), model.forward(x))
    (dx, grads), (dx_expected, expected) = graph.backward(upstream), model.backward(upstream)
    np.testing.assert_array_equal(dx, dx_expected)
    np.testing.assert_array_equal(grads.flat, expected.flat)
    assert list(grads) == list(expected) == ["0.W", "0.b", "2.W", "2.b"]


def test_a_graph_trains_to_the_same_bits_as_the_sequential(tmp_path):
    training, _ = digits()
    models = []
    for joined in (Sequential, lambda *layers: Graph(x := Input("x"), layers[2](layers[1](layers[0](x))))):
        model = joined(FC(64, 32, rng=0), ReLU(), FC(32, 10, rng=1))
        optimizer = SGD(model.params, lr=0.1, momentum=0.9)
        train(model, SoftmaxCE(), optimizer, training, epochs=2, rng=0, progress=False, threads=1)
        models.append(model)
    sequential, graph = models
    np.testing.assert_array_equal(graph.params.flat, sequential.params.flat)
    graph.save(tmp_path / "weights.npz")
    graph.params.flat[:] = 0
    np.testing.assert_array_equal(graph.load(tmp_path / "weights.npz").params.flat, sequential.params.flat)


def test_fan_out_sums_gradients():
    x = Input("x")
    h = exp(x)
    graph = Graph(x, h * h + h)
    value = np.array([0.5, -1.0])
    np.testing.assert_allclose(graph.forward(value), np.exp(2 * value) + np.exp(value))
    dx, _ = graph.backward([1.0, 2.0])
    np.testing.assert_allclose(dx, [1, 2] * (2 * np.exp(2 * value) + np.exp(value)), rtol=1e-12)


def test_a_residual_block_passes_the_checker_and_trains(rng):
    x = Input("x")
    h = Tanh()(FC(4, 4, rng=0)(x))
    block = Graph(x, x + FC(4, 4, rng=1)(h))
    assert_gradients(block, rng.standard_normal((5, 4)))
    model = Sequential(FC(64, 4, rng=0), block, FC(4, 10, rng=1))  # a graph is a layer: it nests
    assert [name for name in model.params if name.startswith("1.")] == ["1.0.W", "1.0.b", "1.2.W", "1.2.b"]
    training, _ = digits()
    history = train(model, SoftmaxCE(), SGD(model.params, lr=0.1), training, epochs=3, rng=0, progress=False)
    assert history.loss[-1] < 0.7 * history.loss[0]


def test_training_reuses_arrays_and_gives_what_single_steps_give():
    training, _ = digits()
    trained = []
    for by_hand in (False, True):
        x = Input("x")
        first, second = FC(64, 16, rng=0), FC(64, 16, rng=1)
        h = maximum(first(x), second(x)) * 0.5 + Tanh()(first(x))  # `first` in two nodes, x in three
        model = Graph(x, FC(32, 10, rng=2)(concatenate([h, ReLU()(h - 0.1)])))
        optimizer, loss = SGD(model.params, lr=0.1, momentum=0.9), SoftmaxCE()
        if by_hand:
            order = np.random.default_rng(0).permutation(len(training.y))
            for start in range(0, len(order), 64):
                rows = order[start : start + 64]
                loss.forward(model.forward(training.x[rows]), training.y[rows])
                optimizer.step(model.backward(loss.backward())[1])
        else:
            train(model, loss, optimizer, training, epochs=1, rng=0, progress=False, threads=1)
        trained.append(model.params.flat.copy())
    np.testing.assert_array_equal(*trained)


def test_what_comes_before_the_first_parameters_is_left_out_of_training():
    training, _ = digits()
    x = Input("x")
    model = Graph(x, FC(64, 10, rng=0)((x - 0.5) * 2))
    history = train(model, SoftmaxCE(), SGD(model.params, lr=0.1), training, epochs=2, rng=0, progress=False)
    assert history.loss[-1] < history.loss[0]


def test_a_layer_in_several_nodes_has_one_set_of_parameters_and_summed_gradients(rng):
    x, y = Input("x"), Input("y")
    shared = FC(3, 3, rng=0, dtype=np.float64)
    graph = Graph([x, y], shared(x) * shared(shared(y)))
    assert list(graph.params) == ["0.W", "0.b"]
    assert_gradients(graph, rng.standard_normal((4, 3)), rng.standard_normal((4, 3)))


def test_an_unused_input_has_the_gradient_zero(rng):
    x, unused = Input("x"), Input("unused")
    graph = Graph([x, unused], x * 2)
    graph.forward(np.ones(3), np.ones((2, 5)))
    (dx, zero), grads = graph.backward([1.0, 2, 3])
    assert dx.tolist() == [2, 4, 6] and zero.shape == (2, 5) and not zero.any() and grads == {}


def test_a_loss_is_a_node_and_its_labels_have_the_gradient_zero(rng):
    x, labels = Input("x"), Input("labels")
    fc, loss = FC(4, 3, rng=0, dtype=np.float64), SoftmaxCE()
    graph = Graph([x, labels], loss(fc(x), labels) * 2)
    value, classes = rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    expected = 2 * loss.forward(fc.forward(value), classes)
    assert graph.forward(value, classes) == pytest.approx(expected, rel=1e-15)
    (dx, dlabels), grads = graph.backward(1.0)
    dx_expected, grads_expected = fc.backward(loss.backward(2.0))
    np.testing.assert_allclose(dx, dx_expected)
    np.testing.assert_allclose(grads["0.W"], grads_expected["W"])
    assert dlabels.shape == (5,) and not dlabels.any()


class OneGradient(Layer):
    """A layer of two inputs that forgets the gradient of the second."""

    def forward(self, a, b):
        return a + b

    def backward(self, upstream):
        return upstream, {}


def test_a_layer_that_forgets_an_input_is_named():
    a, b = Input("a"), Input("b")
    graph = Graph([a, b], OneGradient()(a, b) * 2)
    graph.forward(1.0, 2.0)
    with pytest.raises(
        ValueError, match=r"Graph\[onegradient0\] OneGradient\(\): .*must return 2 input gradients, got 1"
    ):
        graph.backward(1.0)


def test_constants_are_the_graphs_own(rng):
    x, c = Input("x"), np.array([1.0, 2, 3])
    graph = Graph(x, x * c)
    graph.forward(np.ones(3))
    c *= 5
    assert graph.backward(np.ones(3))[0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("number", [2, 2.0, True, np.float64(2), np.float32(2)])
@pytest.mark.parametrize("value", [0.1, np.float64(0.1), np.array([0.1]), np.array([0.1], np.float32)])
def test_the_dtype_does_not_depend_on_the_side(number, value):
    x = Input("x")
    left, right = Graph(x, number * x).forward(value), Graph(x, x * number).forward(value)
    assert left.dtype == right.dtype and left == right
    if isinstance(value, np.ndarray) and type(number) in (bool, int, float):
        assert left.dtype == value.dtype


def test_results_of_a_graph_never_change_and_share_no_memory(rng):
    x, y = Input("x"), Input("y")
    graph = Graph([x, y], (x + y) + (x - y) + x.T.T)
    a, b, upstream = (rng.standard_normal((3, 2)) for _ in range(3))
    out = graph.forward(a, b)
    (da, db), _ = graph.backward(upstream)
    arrays = [a, b, upstream, out, da, db]
    kept = [array.copy() for array in arrays]
    assert not any(np.shares_memory(p, q) for i, p in enumerate(arrays) for q in arrays[:i])
    graph.forward(b, a)
    graph.backward(-upstream)
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_predict_keeps_a_pending_backward_and_switches_dropout_off(rng):
    x = Input("x")
    graph = Graph(x, Dropout(0.5, rng=0)(x) * 3)
    value = rng.standard_normal((4, 5))
    y = graph.forward(value)
    np.testing.assert_allclose(graph.predict(value), 3 * value)
    dx, _ = graph.backward(np.ones((4, 5)))
    np.testing.assert_allclose(dx * value, y)


def test_copies_and_pickles_are_independent(rng):
    _, graph = small()
    x = rng.standard_normal((2, 4))
    for other in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        np.testing.assert_array_equal(other.forward(x), graph.forward(x))
        other.params.flat[:] = 0
    assert graph.params.flat.any()


def test_a_deep_graph_needs_no_recursion():
    x = node = Input("x")
    for _ in range(3000):
        node = node + 1
    graph = pickle.loads(pickle.dumps(Graph(x, node)))
    assert graph.forward(0.0) == 3000 and graph.backward(2.0)[0] == 2


def test_python_numbers_keep_the_dtype_and_arrays_stand_on_either_side():
    x = Input("x")
    graph = Graph(x, np.ones(3, np.float32) * (2 - 0.5 * x / 4) @ np.ones((3, 2), np.float32))
    y = graph.forward(np.arange(3, dtype=np.float32))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [(2 - np.arange(3) / 8).sum()] * 2)
    assert graph.backward(np.ones(2, np.float32))[0].dtype == np.float32
    assert Graph(x, 1 / x + (3 - x)).forward(np.float64(2)).dtype == np.float64


def test_called_on_arrays_a_layer_is_its_forward(rng):
    fc, x = FC(3, 2, rng=0), rng.standard_normal((4, 3))
    np.testing.assert_array_equal(fc(x), fc.forward(x))


def a_graph_in_words():
    x = Input("x")
    q = (x + 1).named("q")
    return Graph(x, q * q)


def test_a_graph_says_what_it_computes():
    assert repr(a_graph_in_words()) == "Graph(x: q = Add()(x, 1); mul1 = Mul()(q, q))"
    assert a_graph_in_words().names == ["x", "1", "q", "mul1"]


def cyclic():
    node = Input("x") + 1
    node.inputs = (node * 2, 1)
    return node


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: Graph(x, Input("y") * x), ValueError, r"the output needs the input y, which is not among \['x'\]"),
        (lambda x: Graph(x, cyclic()), ValueError, r"the node .*\(\) is in a cycle"),
        (lambda x: Graph([x, x], x + 1), ValueError, "several of different names, got"),
        (lambda x: Graph([], x + 1), ValueError, "expected one Input or several"),
        (lambda x: Graph(x, x), TypeError, "output must be a node that some layer gives, got x"),
        (lambda x: Graph(x, 3), TypeError, "output must be a node .* got 3"),
        (lambda x: Graph([x, 3], x + 1), TypeError, "inputs must be Input nodes, got 3"),
        (lambda x: Graph(x + 1, x + 2), TypeError, r"inputs must be Input nodes, got Add\(\)"),
        (lambda x: Input(""), TypeError, r"expected a name such as 'x', got ''"),
        (lambda x: x**x, TypeError, "Power: exponent must be a number"),
        (lambda x: bool(x), TypeError, "a node has no value yet"),
        (lambda x: list(x), TypeError, "a node has no value yet"),
        (lambda x: np.add(x, 1), TypeError, "ufunc"),
        (lambda x: x + "a", TypeError, r"Add\(\): expected a node, a number or an array of real numbers, got 'a'"),
        (lambda x: x * [[1], [1, 2]], TypeError, r"expected a node, a number or an array of real numbers, got \[\[1\]"),
        (lambda x: x + ReLU(), TypeError, r"got the layer ReLU\(\); call it on a node, ReLU\(\)\(x\)"),
        (lambda x: ReLU()(x, x), TypeError, r"ReLU\(\) is called on \(x\), got 2 inputs"),
        (lambda x: x.named(5), TypeError, "expected a name such as 'x', got 5"),
        (lambda x: Graph(None, x + 1), TypeError, "inputs must be Input nodes, got None"),
        (lambda x: Graph([x, Input("x")], x + 1), ValueError, "several of different names"),
        (lambda x: Graph(x, MSE()(x, x * x)), ValueError, r"MSE\(\) has no gradient by its labels, .* got Mul\(\)"),
        (lambda x: Graph(x, MSE()(x * 2, x)), ValueError, "an Input that nothing else uses; got x"),
        (lambda x: x ** float("nan"), ValueError, "exponent must be finite, got nan"),
        (lambda x: x.sum((0, None)), TypeError, "axis must be a whole number"),
        (lambda x: Graph(x, x.sum((0, -2))).forward(np.ones((2, 2))), ValueError, "axes must be different ones"),
        (lambda x: concatenate(x), TypeError, "expected a list of values, got the node x"),
        (
            lambda x: Graph(x, (x + np.ones(3)).named("q")).forward(np.ones(2)),
            ValueError,
            r"Graph\[q\] Add\(\): a and b must have shapes that broadcast to one, got \(2,\) and \(3,\)",
        ),
        (
            lambda x: Graph(x, Sequential(ReLU(), FC(3, 2))(x)).forward(np.ones((2, 4))),
            ValueError,
            r"Graph\[sequential0\]\[1\] FC\(3, 2\): input must be \[B x 3\], got \(2, 4\)",
        ),
        (
            lambda x: Sequential(Graph(x, FC(3, 2)(x * 2))).forward(np.ones((2, 4))),
            ValueError,
            r"Sequential\[0\]\[fc1\] FC\(3, 2\): input must be \[B x 3\], got \(2, 4\)",
        ),
        (lambda x: Graph(x, x + 1).forward(1.0, 2.0), ValueError, r"forward takes 1 inputs \(x\), got 2"),
        (lambda x: Graph(x, x + 1).backward(1.0), RuntimeError, "backward found self"),
        (lambda x: Graph(x, log(x)).forward([1.0, -2]), ValueError, r"Graph\[log0\] Log\(\): input must be positive"),
        (lambda x: Graph(x, x @ np.ones((3, 2))).forward(np.ones((2, 4))), ValueError, r"MatMul\(\): a must be"),
        (lambda x: Graph(x, x.sum(2)).forward(np.ones((2, 4))), ValueError, "input must have the axis 2"),
        (lambda x: x.sum("rows"), TypeError, "axis must be a whole number"),
        (lambda x: concatenate([x], 0.5), TypeError, "axis must be a whole number"),
        (lambda x: Graph(x, concatenate([x, 1.0])).forward(2.0), ValueError, "inputs must have the axis -1"),
        (
            lambda x: Graph(x, concatenate([x, np.ones((2, 3))], 1)).forward(np.ones((1, 3))),
            ValueError,
            "equal shapes but for axis 1",
        ),
    ],
)
def test_wrong_use_is_told_in_one_sentence(make, error, message):
    with pytest.raises(error, match=message):
        make(Input("x"))


def test_a_loss_that_is_not_finite_is_traced_into_the_graph():
    x = Input("x")
    model = Sequential(FC(2, 2, init="zeros"), Graph(x, x + x * np.inf))
    with pytest.raises(FloatingPointError, match=r"Sequential\[1\]\[mul0\] Mul\(\): its output"):
        train(model, MSE(), SGD(model.params, 0.1), (np.ones((4, 2)), np.ones((4, 2))), progress=False)


class Wrong(Layer):
    """A layer whose gradient is wrong, for the checker to find inside a graph."""

    def forward(self, x):
        self.cache = x = self.as_input(x)
        return x * x

    def backward(self, upstream):
        return upstream * self.cache, {}


def test_the_checker_finds_a_wrong_gradient_inside_a_graph(rng):
    x = Input("x")
    assert not gradcheck(Graph(x, Wrong()(x) + x), rng.standard_normal((3, 2))).ok


# Random expressions, against another implementation.

SHAPES = [(), (3,), (2, 1), (2, 3), (4, 1, 3), (4, 2, 3)]
UNARY = {"neg": lambda x: -x, "tanh": Tanh(), "power": lambda x: x**2, "sum": lambda x: x.sum(-1, keepdims=True)}
UNARY |= {"exp": lambda x: exp(Tanh()(x)), "log": lambda x: log(x * x + 1), "transpose": lambda x: x.T}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1),
    "max": maximum,
    "join": lambda a, b: concatenate([a, b]),
    "matmul": lambda a, b: a @ b,
}


@st.composite
def expressions(draw):
    """(shapes of the inputs, operations): each names its operands among all values so far."""
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))
    known, operations = list(shapes), []
    for _ in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from([*UNARY, *BINARY]))
        operands = [draw(st.integers(0, len(known) - 1)) for _ in range(1 if name in UNARY else 2)]
        shape = shape_of(name, *(known[i] for i in operands))
        if shape is not None and np.prod(shape, dtype=int) <= 500:
            known.append(shape)
            operations.append((name, operands))
    if not operations:
        operations.append(("neg", [0]))
    return shapes, operations, draw(st.integers(0, 2**32 - 1))


def shape_of(name, *shapes):
    """The shape of the result, None where there is none."""
    try:
        arrays = [np.ones(shape) for shape in shapes]
        if name == "join":
            return np.concatenate(arrays, -1).shape
        if name == "matmul":
            return np.matmul(*arrays).shape
        if name == "sum":
            return (*shapes[0][:-1], 1) if shapes[0] else None
        return arrays[0].T.shape if name == "transpose" else sum(arrays).shape
    except ValueError:
        return None


def build(shapes, operations):
    values = inputs = [Input(f"x{i}") for i in range(len(shapes))]
    for name, operands in operations:
        values = [*values, (UNARY | BINARY)[name](*(values[i] for i in operands))]
    return Graph(inputs, values[-1])


def in_torch(torch, inputs, operations):
    functions = {
        "neg": lambda x: -x,
        "tanh": torch.tanh,
        "power": lambda x: x**2,
        "sum": lambda x: x.sum(-1, keepdim=True),
        "exp": lambda x: torch.exp(torch.tanh(x)),
        "log": lambda x: torch.log(x * x + 1),
        "transpose": lambda x: x.permute(tuple(reversed(range(x.ndim)))),
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "div": lambda a, b: a / (b * b + 1),
        "max": lambda a, b: torch.where(a >= b, a, b),  # torch.maximum halves the gradient of equal operands
        "join": lambda a, b: torch.cat([a, b], -1),
        "matmul": torch.matmul,
    }
    values = list(inputs)
    for name, operands in operations:
        values.append(functions[name](*(values[i] for i in operands)))
    return values[-1]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(expressions())
def test_random_expressions_have_the_gradients_of_pytorch(expression):
    torch = pytest.importorskip("torch")
    shapes, operations, seed = expression
    rng = np.random.default_rng(seed)
    values = [np.asarray(rng.standard_normal(shape)) for shape in shapes]
    graph = build(shapes, operations)
    y = graph.forward(*values)
    upstream = np.asarray(rng.standard_normal(np.shape(y)))
    dx, _ = graph.backward(upstream)
    dx = dx if isinstance(dx, tuple) else (dx,)

    tensors = [torch.tensor(value, requires_grad=True) for value in values]
    expected = in_torch(torch, tensors, operations)
    expected.backward(torch.tensor(upstream))
    scale = max(1.0, float(expected.detach().abs().max()))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-10 * scale)
    for ours, tensor in zip(dx, tensors, strict=True):
        theirs = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * max(1.0, np.abs(theirs).max()))


@settings(max_examples=20 if importlib.util.find_spec("torch") else 200, deadline=None, derandomize=True)
@given(expressions())
def test_random_expressions_pass_the_gradient_checker(expression):
    shapes, operations, seed = expression
    graph = build(shapes, operations)
    assume(np.abs(graph.predict(*(np.full(shape, 2.0) for shape in shapes))).max() < 1e6)  # no powers of powers
    values = [np.random.default_rng(seed).uniform(-2, 2, shape) for shape in shapes]
    report = gradcheck(graph, *values, domain={name: (-2.5, 2.5) for name in graph.inputs})
    assert not report.findings, report
