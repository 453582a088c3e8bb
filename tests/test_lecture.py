"""The lecture's examples, each under its number in the lecture's table (docs/lecture.md)."""

import numpy as np
import pytest

from handgrad import (
    FC,
    SGD,
    BinaryCE,
    Flatten,
    Graph,
    Input,
    Layer,
    Param,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCE,
    jacobian,
    log,
    maximum,
    train,
)
from handgrad.data import batches, digits
from handgrad.jacobian import chain


def sigma(z):
    return 1 / (1 + np.exp(-z))


def test_L01_linear_classifier_scores_cat_dog_and_ship():
    fc = FC(4, 3, dtype=np.float64)
    fc.W = [[0.2, -0.5, 0.1, 2], [1.5, 1.3, 2.1, 0], [0, 0.25, 0.2, -0.3]]
    x = np.array([[56, 231, 24, 2]])
    np.testing.assert_allclose(fc.forward(x)[0, 2], 61.95)  # what the slide prints leaves out the bias
    fc.b = [1.1, 3.2, -1.2]
    np.testing.assert_allclose(fc.forward(x), [[-96.8, 437.9, 60.75]])


def test_L02_gradient_as_a_limit_of_differences(rng):
    model, loss = Sequential(FC(3, 4, rng=0), Sigmoid(), FC(4, 2, rng=1)).astype(np.float64), SoftmaxCE()
    x, labels = rng.standard_normal((5, 3)), rng.integers(0, 2, 5)
    loss.forward(model.forward(x), labels)
    gradient = model.backward(loss.backward())[1].flat
    a, base = model.params.flat, loss.predict(model.predict(x), labels)
    errors = []
    for h in (1e-2, 1e-3, 1e-4):
        slopes = np.empty_like(a)
        for i in range(a.size):
            kept = a[i]
            a[i] = kept + h
            slopes[i] = (loss.predict(model.predict(x), labels) - base) / h
            a[i] = kept
        errors.append(np.abs(slopes - gradient).max())
    # The one-sided difference is off by about h f''/2: ten times smaller a step, ten times smaller an error.
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 10, rtol=0.05)


def test_L03_bias_trick_is_the_augmented_product(rng):
    fc, augmented = FC(4, 3, rng=0, dtype=np.float64), FC(5, 3, bias=False, dtype=np.float64)
    fc.b = rng.standard_normal(3)
    augmented.W = np.column_stack([fc.W, fc.b])
    x, upstream = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    x1 = np.column_stack([x, np.ones(6)])
    np.testing.assert_allclose(augmented.forward(x1), fc.forward(x), rtol=1e-12)
    dx, grads = fc.backward(upstream)
    dx1, grads1 = augmented.backward(upstream)
    np.testing.assert_allclose(grads1["W"], np.column_stack([grads["W"], grads["b"]]), rtol=1e-12)
    np.testing.assert_allclose(dx1[:, :4], dx, rtol=1e-12)


def test_L04_two_layer_network(rng):
    model = Sequential(FC(4, 5, bias=False, rng=0), Sigmoid(), FC(5, 3, bias=False, rng=1), Sigmoid()).astype("f8")
    W1, W2 = model.params["0.W"], model.params["2.W"]
    x = rng.standard_normal((7, 4))
    expected = np.array([sigma(W2 @ sigma(W1 @ instance)) for instance in x])
    np.testing.assert_allclose(model.forward(x), expected, rtol=1e-13)


def test_L05_deeper_networks_by_adding_layers_or_networks(rng):
    layers = [FC(4, 6, rng=0), Sigmoid(), FC(6, 5, rng=1), Sigmoid(), FC(5, 2, rng=2)]
    deep, nested = Sequential(*layers), Sequential(Sequential(*layers[:2]), Sequential(Sequential(*layers[2:])))
    x, upstream = rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    np.testing.assert_array_equal(deep.forward(x), nested.forward(x))
    (dx, grads), (dx_nested, grads_nested) = deep.backward(upstream), nested.backward(upstream)
    np.testing.assert_array_equal(dx, dx_nested)
    np.testing.assert_array_equal(grads.flat, grads_nested.flat)


def test_L06_a_function_is_a_graph_of_modules(rng):
    x = Input("x")
    h = FC(3, 4, rng=0, dtype=np.float64)(x).named("h")
    left, right = Sigmoid()(h).named("left"), ReLU()(h).named("right")
    graph = Graph(x, (left * right).named("f"))
    assert [step.name for step in graph.steps] == ["h", "left", "right", "f"]  # each after all that it needs
    trace = graph.trace(rng.standard_normal((2, 3)), upstream=rng.standard_normal((2, 4)))
    parts = [use.gradient for use in trace["h"].uses]
    assert len(parts) == 2
    np.testing.assert_allclose(parts[0] + parts[1], trace["h"].gradient, rtol=1e-12)  # fan-out sums
    np.testing.assert_allclose(trace["x"].gradient, trace["h"].gradient @ graph.params["0.W"], rtol=1e-12)


def test_L07_forward_backward_update_on_mini_batches():
    training, _ = digits()
    model, loss = Sequential(FC(64, 10, rng=0)), SoftmaxCE()
    optimizer = SGD(model.params, lr=0.5)
    W, values = model.layers[0].W.copy(), []
    for x, y in batches(training.x, training.y, 64, rng=0):
        scores = model.forward(x)
        assert all(layer.cache is not None for layer in model.layers)  # every layer stores what backward needs
        values.append(loss.forward(scores, y))
        dx, grads = model.backward(loss.backward())
        assert dx.shape == x.shape
        optimizer.step(grads)
        np.testing.assert_allclose(model.layers[0].W, W - 0.5 * grads["0.W"], rtol=1e-5, atol=1e-6)
        W = model.layers[0].W.copy()
    assert np.mean(values[-5:]) < 0.6 * np.mean(values[:5])


def test_L08_chain_rule_layer_by_layer(rng):
    layers = [FC(4, 5, rng=0), ReLU(), FC(5, 3, rng=1)]
    model = Sequential(*layers)
    x, upstream = rng.standard_normal((6, 4)).astype("f4"), rng.standard_normal((6, 3)).astype("f4")
    model.forward(x)
    dx, grads = model.backward(upstream)
    h1 = layers[0].forward(x)
    layers[2].forward(layers[1].forward(h1))
    dh2, last = layers[2].backward(upstream)
    dh1, _ = layers[1].backward(dh2)
    dh0, first = layers[0].backward(dh1)
    np.testing.assert_array_equal(dx, dh0)
    for name, gradient in (("0.W", first["W"]), ("0.b", first["b"]), ("2.W", last["W"]), ("2.b", last["b"])):
        np.testing.assert_array_equal(grads[name], gradient)


@pytest.mark.parametrize(("z", "f", "gradients"), [(-4, -12, (-4, -4, 3)), (4, 12, (4, 4, 3))])
def test_L09_simple_example(z, f, gradients):
    x, y, factor = Input("x"), Input("y"), Input("z")
    q = (x + y).named("q")
    graph = Graph([x, y, factor], (q * factor).named("f"))
    assert graph.forward(-2, 5, z) == f
    assert graph.backward(1) == (gradients, {})
    trace = graph.trace(-2, 5, z)
    assert (trace["q"].value, trace["q"].gradient) == (3, z)
    assert f"df/dx  = df/dq dq/dx = ({z})(1) = {z}" in trace.chain_rule()


def test_L10_add_distributes_max_routes_mul_switches():
    x, y, z, w = (Input(name) for name in "xyzw")
    graph = Graph([x, y, z, w], 2 * (x * y + maximum(z, w)))
    assert graph.forward(3, -4, 2, -1) == -20
    assert graph.backward(1) == ((-8, 6, 2, 0), {})
    values = graph.trace(3, -4, 2, -1)
    assert [values[name].gradient for name in ("mul0", "max1", "add2")] == [2, 2, 2]


class Powers(Layer):
    """y = [x, x^2] of a number x."""

    def forward(self, x):
        self.cache = x
        return np.array([x, x**2])

    def backward(self, upstream):
        return upstream[0] + 2 * self.cache * upstream[1], {}


class Linear(Layer):
    """y = W x of a vector x; y = w'x where the parameter is a vector."""

    W = Param("[out x in] or [in]")

    def __init__(self, W):
        self.dtype = np.dtype(np.float64)
        self.W = W

    def forward(self, x):
        self.cache = x
        return self.W @ x

    def backward(self, upstream):
        return np.dot(upstream, self.W), {"W": np.multiply.outer(upstream, self.cache)}


class Quadratic(Layer):
    """y = w'A w, a number; A is fixed."""

    def __init__(self, A):
        self.A = A

    def forward(self, w):
        self.cache = w
        return float(w @ self.A @ w)

    def backward(self, upstream):
        return upstream * (self.A + self.A.T) @ self.cache, {}


def test_L11_sizes_of_derivatives(rng):
    x, W, w = rng.standard_normal(4), rng.standard_normal((3, 4)), rng.standard_normal(4)
    labels, scores = np.array([1, 0]), rng.standard_normal((2, 3))
    for found, size, words in (
        (jacobian(Powers(), 3.0), (2, 1), "d(vector)/d(scalar) is a column, [2 x 1]"),
        (jacobian(Linear(w), x), (1, 4), "d(scalar)/d(vector) is a row, [1 x 4]"),
        (jacobian(Linear(W), x), (3, 4), "d(vector)/d(vector) is [3 x 4]"),  # m1 = 3 outputs, m2 = 4 inputs
        (
            jacobian(SoftmaxCE(), scores, labels),
            (1, 6),
            "d(scalar)/d(matrix) is an array of the matrix's shape [2 x 3]",
        ),
    ):
        assert found.matrix.shape == size and words in str(found)
    assert found.tensor.shape == scores.shape
    assert jacobian(Linear(W), x, by="W").tensor.shape == (3, 3, 4)


def test_L12_derivatives_of_vector_functions(rng):
    x, w, W, A = (
        rng.standard_normal(4),
        rng.standard_normal(4),
        rng.standard_normal((3, 4)),
        rng.standard_normal((4, 4)),
    )
    np.testing.assert_allclose(jacobian(Powers(), 3.0).matrix, [[1], [2 * 3.0]])  # dy/dx = [1, 2x]
    np.testing.assert_array_equal(jacobian(Linear(w), x).matrix, [w])  # w'
    np.testing.assert_array_equal(jacobian(Linear(W), x).matrix, W)
    np.testing.assert_allclose(jacobian(Quadratic(A), w).matrix, [w @ (A + A.T)])
    np.testing.assert_allclose(jacobian(Quadratic(A + A.T), w).matrix, [2 * w @ (A + A.T)])  # symmetric: 2w'A
    assert "it is W'" in jacobian(Linear(w), x).structure and "it is W" in jacobian(Linear(W), x).structure
    for layer, at in ((Powers(), 3.0), (Linear(w), x), (Linear(W), x), (Quadratic(A), w)):
        assert jacobian(layer, at).agrees  # the same from differences


@pytest.mark.parametrize("shape", [(3, 7), (3, 4, 5), (3, 2, 4, 5)])
def test_L13_flatten_makes_vectors_and_its_backward_restores_the_shape(shape, rng):
    x, flatten = rng.standard_normal(shape), Flatten()
    y = flatten.forward(x)
    assert y.shape == (3, np.prod(shape[1:]))
    np.testing.assert_array_equal(y[1], x[1].ravel())
    dx, grads = flatten.backward(y)
    np.testing.assert_array_equal(dx, x)
    assert grads == {}


def test_L14_fully_connected_row_by_row(rng):
    fc = FC(4, 3, rng=0, dtype=np.float64)
    h, upstream = rng.standard_normal((1, 4)), rng.standard_normal((1, 3))
    y = fc.forward(h)
    dx, grads = fc.backward(upstream)
    for i, w in enumerate(fc.W):
        assert y[0, i] == pytest.approx(w @ h[0] + fc.b[i])  # h_i = w_i' h(l-1)
        np.testing.assert_allclose(grads["W"][i], upstream[0, i] * h[0])  # dL/dw_i = dL/dh_i h(l-1)'
    np.testing.assert_allclose(dx, upstream @ fc.W)  # dh/dh(l-1) = W


def test_L15_relu_has_no_parameters():
    relu = ReLU()
    assert len(relu.params) == 0
    np.testing.assert_array_equal(relu.forward([[-2.0, 0, 3]]), [[0, 0, 3]])
    assert relu.backward([[1.0, 1, 1]])[1] == {}


def test_L16_relu_jacobian_is_diagonal_and_zero_at_zero():
    x = np.array([1.5, -2, 0, -0.0, 3])
    relu = ReLU()
    relu.forward(x)
    rows = np.array([relu.backward(row)[0] for row in np.eye(5)])
    np.testing.assert_array_equal(rows, np.diag([1, 0, 0, 0, 1]))
    found = jacobian(relu, x)
    np.testing.assert_array_equal(found.matrix, rows)
    assert found.structure.startswith("diagonal")


def test_L17_relu_example():
    relu, upstream = ReLU(), np.array([4.0, -1, 5, 9])
    np.testing.assert_array_equal(relu.forward([1, -2, 3, -1]), [1, 0, 3, 0])
    dx, _ = relu.backward(upstream)
    np.testing.assert_array_equal(dx, [4, 0, 5, 0])
    np.testing.assert_array_equal(np.diag([1, 0, 1, 0]) @ upstream, dx)


def test_L18_cascaded_jacobians_multiply(rng):
    model, x = Sequential(FC(4, 5, rng=0), ReLU(), FC(5, 3, rng=1), Sigmoid()), rng.standard_normal((1, 4))
    factors = chain(model, x)
    assert [factor.matrix.shape for factor in factors] == [(5, 4), (5, 5), (3, 5), (3, 3)]
    J1, J2, J3, J4 = (factor.matrix for factor in factors)
    np.testing.assert_allclose(J4 @ J3 @ J2 @ J1, jacobian(model, x).matrix, rtol=1e-12)


def test_L19_logistic_loss_step_by_step_and_combined(rng, numeric_gradient):
    x, fc, loss = rng.standard_normal((1, 4)), FC(4, 1, bias=False, rng=0, dtype=np.float64), BinaryCE()
    w = fc.W[0]
    assert loss.forward(fc.forward(x), [1]) == pytest.approx(-np.log(sigma(w @ x[0])))
    _, grads = fc.backward(loss.backward())

    u = w @ x[0]
    p = sigma(u)
    p_bar = -1 / p
    u_bar = p_bar * p * (1 - p)
    np.testing.assert_allclose(grads["W"][0], u_bar * x[0], rtol=1e-12)  # step by step
    np.testing.assert_allclose(grads["W"][0], -(1 - sigma(w @ x[0])) * x[0], rtol=1e-12)  # combined
    numeric = numeric_gradient(lambda: loss.predict(fc.predict(x), [1]), fc.W)
    np.testing.assert_allclose(grads["W"], numeric, atol=1e-9)


def test_L20_products_with_their_sizes():
    w, x = Input("w"), Input("x")
    graph = Graph([w, x], (-log(Sigmoid()((w @ x).named("u")).named("p"))).named("L"))
    for row, column in (([0.5, -1], [2, 1.0]), ([[0.5, -1]], [[2.0], [1]])):
        trace = graph.trace(row, column)
        lines = [line.split("  : ") for line in trace.products().splitlines()]
        sizes = {line[0].split(" = ")[0].strip(): line[1] for line in lines if len(line) == 2}
        assert sizes["u"] == "(1,D)(D,1) -> (1,1) = (1,2)(2,1) -> (1,1)"
        assert sizes["dL/du"] == "(1,1) * (1,1) * (1,1) -> (1,1)"
        assert sizes["dL/dw"] == "(1,1)(1,D) -> (1,D) = (1,1)(1,2) -> (1,2)"
        np.testing.assert_allclose(trace["w"].gradient.ravel(), [-1, -0.5])  # -(1 - s(w'x)) x'
    net = Sequential(FC(4, 3, rng=0), ReLU(), FC(3, 2, rng=1)).trace(np.ones((2, 4)), [0, 1])
    assert "dL/dW0  = upstream' x                      : (H,B)(B,D) -> (H,D) = (3,2)(2,4) -> (3,4)" in net.products()


def test_L21_three_views_of_one_thing(rng):
    model = Sequential(FC(4, 3, rng=0), ReLU(), FC(3, 2, rng=1))
    trace = model.trace(rng.standard_normal((2, 4)), [0, 1])
    assert "h1 = ReLU()(h0)" in trace.graph() and "dL/dh1 = " in trace.graph()
    assert "dL/dh1  = upstream W2 " in trace.products()
    assert "dL/dW0  = dL/ds ds/dh1 dh1/dh0 dh0/dW0" in trace.chain_rule()
    positions = [str(trace).index(view) for view in (trace.graph(), trace.products(), trace.chain_rule())]
    assert positions == sorted(positions)
    assert "the path from L to W2" in trace.svg("2.W")


def test_L22_the_graph_is_built_as_one_writes():
    a, b, c = (Input(name) for name in "abc")
    graph = Graph([a, b, c], a * b + c)
    assert [type(layer).__name__ for layer in graph.layers] == ["Mul", "Add"]  # modules with gradients of their own
    assert graph.forward(2, 3, 4) == 10
    assert graph.backward(1) == ((3, 2, 1), {})


def test_L23_softmax_cross_entropy_on_logits(numeric_gradient):
    scores, loss = np.array([[3.0, 1, 0.2], [0, -1, 2]]), SoftmaxCE()
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert loss.forward(scores, [0, 1]) == pytest.approx(-(np.log(p[0, 0]) + np.log(p[1, 1])) / 2)
    np.testing.assert_allclose(loss.backward(), (p - [[1, 0, 0], [0, 1, 0]]) / 2)
    for size in (1e4, 1e30, 1e300):
        assert np.isfinite(loss.forward(size * scores, [2, 0])) and np.isfinite(loss.backward()).all()


def test_L24_the_negative_gradient_is_the_way_down(tmp_path, rng):
    model, loss = Sequential(FC(64, 16, rng=0), ReLU(), FC(16, 10, rng=1)).astype("f8"), SoftmaxCE()
    x, y = digits()[0]
    before = loss.forward(model.forward(x), y)
    gradient = model.backward(loss.backward())[1].flat
    w, step = model.params.flat.copy(), 1e-3
    drops = {}
    for name in ("gradient", *range(20)):
        direction = gradient if name == "gradient" else rng.standard_normal(w.size)
        model.params.flat = w - step * direction / np.linalg.norm(direction)
        drops[name] = before - loss.predict(model.predict(x), y)
    assert max(drops, key=drops.get) == "gradient"  # the steepest of all directions of one length
    assert drops["gradient"] == pytest.approx(step * np.linalg.norm(gradient), rel=0.01)

    history = train(model, loss, SGD(model.params, lr=0.1), (x, y), epochs=5, rng=0, progress=False)
    assert all(a > b for a, b in zip(history.loss, history.loss[1:], strict=False))
    pytest.importorskip("matplotlib")
    history.plot(tmp_path / "falls.png")
    assert (tmp_path / "falls.png").stat().st_size > 5000
