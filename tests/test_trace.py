"""The trace: the lecture's examples in the three views, the picture, and the command."""

import copy
import re
import shlex
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from handgrad import (
    FC,
    MSE,
    BinaryCE,
    Dropout,
    Flatten,
    Graph,
    Input,
    Layer,
    Param,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCE,
    Tanh,
    concatenate,
    exp,
    log,
    maximum,
)
from handgrad.cli import main
from handgrad.expression import ExpressionError
from handgrad.graph_expression import is_model, parse_graph

DOCS = Path(__file__).parent.parent / "docs"


def cells(text):
    """The lines without their alignment."""
    return [re.sub(r" {2,}", "  ", line.strip()) for line in text.splitlines()]


def run(capsys, *arguments):
    """The exit code, standard output and standard error of `handgrad trace`."""
    try:
        code = main(["trace", *arguments])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def lines_of(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    return cells(out)


def texts(svg):
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")
    ]


def net():
    return Sequential(FC(4, 3, rng=0), ReLU(), FC(3, 2, rng=1))


@pytest.fixture(params=["graphviz", "plain"])
def engine(request):
    """The argument of `svg` for one of the two ways to draw; a test of Graphviz is skipped where it is missing."""
    if request.param == "plain":
        return {"graphviz": False}
    try:
        parse_graph("x + 1").trace(1.0).svg(graphviz=True)
    except ImportError as error:
        pytest.skip(str(error))
    return {"graphviz": True}


# The lecture's examples.


@pytest.mark.parametrize(("z", "f", "dx"), [(-4, -12, -4), (4, 12, 4)])
def test_L09_sum_times_z(capsys, z, f, dx):
    lines = lines_of(capsys, "q = x + y; f = q * z", "x=-2", "y=5", f"z={z}")
    assert f"q = x + y  = 3  df/dq = {dx}" in lines
    assert f"f = q * z  = {f}  df/df = 1" in lines
    assert f"x  = -2  df/dx = {dx}" in lines and f"y  = 5  df/dy = {dx}" in lines and f"z  = {z}  df/dz = 3" in lines
    assert "df/dq  = upstream * z  : (1,1) * (1,1) -> (1,1)" in lines
    assert f"df/dx  = df/dq dq/dx = ({z})(1) = {dx}" in lines and "df/dz  = 3" in lines
    assert lines_of(capsys, "(x + y) * z", "x=-2", "y=5", f"z={z}") == lines  # q and f are the names by default


def test_L10_add_distributes_max_routes_mul_switches(capsys):
    lines = lines_of(capsys, "2 * (x*y + maximum(z, w))", "x=3", "y=-4", "z=2", "w=-1")
    assert "f = 2 * q3  = -20  df/df = 1" in lines
    for name, value, gradient in (("x", 3, -8), ("y", -4, 6), ("z", 2, 2), ("w", -1, 0)):
        assert f"{name}  = {value}  df/d{name} = {gradient}" in lines
    assert "df/dw  = df/dq3 dq3/dq2 dq2/dw = (2)(1)(0) = 0" in lines
    assert "df/dx  = df/dq3 dq3/dq1 dq1/dx = (2)(1)(-4) = -8" in lines


def test_L17_relu_of_four(capsys):
    for text, name, how in (("ReLU()", "y", "ReLU()(x)"), ("z = relu(x)", "z", "ReLU()(x)")):
        lines = lines_of(capsys, text, "x=1,-2,3,-1", "--upstream", "4,-1,5,9")
        assert "x  = [1, -2, 3, -1]  dL/dx = [4, 0, 5, 0]" in lines
        assert f"{name} = {how}  = [1, 0, 3, 0]  dL/d{name} = [4, -1, 5, 9]" in lines
        assert "dL/dx  = upstream * (x > 0)  : (D,) * (D,) -> (D,) = (4,) * (4,) -> (4,)" in lines
        assert f"dL/dx  = dL/d{name} d{name}/dx = [4, 0, 5, 0]" in lines


def test_L19_logistic_example_step_by_step(capsys):
    lines = lines_of(capsys, "u = w @ x; p = sigmoid(u); L = -log(p)", "w=0.5,-1", "x=2,1")
    assert "u = w @ x  = 0  dL/du = -0.5" in lines  # u_bar = p_bar s (1 - s)
    assert "p = Sigmoid()(u)  = 0.5  dL/dp = -2" in lines  # p_bar = -1 / p
    assert "w  = [0.5, -1]  dL/dw = [-1, -0.5]" in lines  # w_bar = u_bar x'
    assert "dL/dw  = upstream x'  : (1,1)(1,D) -> (1,D) = (1,1)(1,2) -> (1,2)" in lines
    assert "dL/dw  = dL/dq dq/dp dp/du du/dw = (-1)(2)(0.25)[2, 1] = [-1, -0.5]" in lines
    as_matrices = lines_of(capsys, "-log(sigmoid(w @ x))", "w=0.5,-1;", "x=2;1")
    assert "q1 = w @ x  = [[0]]  df/dq1 = [[-0.5]]" in as_matrices
    assert "df/dw  = df/dq3 dq3/dq2 dq2/dq1 dq1/dw = (-1)(2)(0.25)[[2, 1]] = [[-1, -0.5]]" in as_matrices


def test_a_net_with_its_loss_in_three_views(capsys):
    lines = lines_of(capsys, "FC(4, 3), ReLU(), FC(3, 2)", "--labels", "0,1")
    assert [line[3:] for line in lines if re.match(r"\d  ", line)] == [
        "The graph: values forward, gradients backward",
        "The products and their sizes",
        "The chain rule",
    ]
    assert "dL/dW0  = upstream' x  : (H,B)(B,D) -> (H,D) = (3,2)(2,4) -> (3,4)" in lines
    assert "s  = h1 W2' + b2  : (B,H)(H,C) + (C,) -> (B,C) = (2,3)(3,2) + (2,) -> (2,2)" in lines
    assert "dL/dW0  = dL/ds ds/dh1 dh1/dh0 dh0/dW0" in lines
    assert any(line.startswith('W0 = params["0.W"]  = (3,4) norm ') for line in lines)
    assert lines == lines_of(capsys, "FC(4, 3), ReLU(), FC(3, 2)", "--labels", "0,1", "--seed", "0")
    assert lines != lines_of(capsys, "FC(4, 3), ReLU(), FC(3, 2)", "--labels", "0,1", "--seed", "1")


# In Python.


def test_the_trace_has_the_gradients_of_the_model_and_leaves_it_alone(rng):
    model = Sequential(FC(4, 5, rng=0), Sequential(Tanh(), Dropout(0.5, rng=3), FC(5, 3, rng=1)))
    twin, loss = copy.deepcopy(model), SoftmaxCE()
    x, labels = rng.standard_normal((6, 4)).astype("f4"), rng.integers(0, 3, 6)
    trace = model.trace(x, labels)
    assert model.cache is None and all(layer.cache is None for layer in model.layers)
    value = loss.forward(model.forward(x), labels)  # the same mask as the twin's: no number was drawn from the model's
    assert value == loss.forward(twin.forward(x), labels) == trace["L"].value
    dx, grads = model.backward(loss.backward())
    np.testing.assert_array_equal(trace["x"].gradient, dx)
    for name, gradient in grads.items():
        np.testing.assert_array_equal(trace[name].gradient, gradient)
        np.testing.assert_array_equal(trace[name].value, model.params[name])
    assert " ".join(value.name for value in trace.values) == "x labels W0 b0 h0 h1.0 h1.1 W1.2 b1.2 s L"
    str(trace), trace.svg(graphviz=False)
    with pytest.raises(KeyError, match="no value 'h9'; it has x, labels, W0"):
        trace["h9"]


def test_a_trace_does_not_follow_later_changes(rng):
    model, x = net(), rng.standard_normal((2, 4))
    trace = model.trace(x, [0, 1])
    before = str(trace)
    x[:], model.params.flat[:] = 0, 0
    assert str(trace) == before


def test_a_graph_with_shared_layers_and_several_uses(rng):
    x, t = Input("x"), Input("t")
    fc = FC(3, 3, rng=0, dtype=np.float64)
    h = fc(x).named("h")
    graph = Graph([x, t], MSE()(fc(h) + h, t).named("L"))
    given = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    trace = graph.trace(*given)
    graph.forward(*given)
    (dx, _), grads = graph.backward(1.0)
    np.testing.assert_array_equal(trace["x"].gradient, dx)
    np.testing.assert_array_equal(trace["0.W"].gradient, grads["0.W"])
    assert trace["t"].gradient is None and len(trace["h"].uses) == 2
    np.testing.assert_allclose(sum(use.gradient for use in trace["h"].uses), trace["h"].gradient)
    np.testing.assert_allclose(sum(use.gradient for use in trace["W0"].uses), trace["W0"].gradient)
    lines = cells(trace.chain_rule())
    assert "dL/dx  = dL/dadd2 dadd2/dfc1 dfc1/dh dh/dx + dL/dadd2 dadd2/dh dh/dx" in [line[:69] for line in lines]
    assert any(line.startswith("dL/dh in fc1  = upstream W0") for line in cells(trace.products()))


def test_graphs_in_models_and_models_in_graphs_are_taken_apart(rng):
    x = Input("x")
    block = Graph(x, x + Tanh()(x))
    model = Sequential(FC(3, 3, rng=0), block, FC(3, 2, rng=1))
    trace = model.trace(rng.standard_normal((2, 3)), [0, 1])
    assert " ".join(value.name for value in trace.values) == "x labels W0 b0 h0 h1.tanh0 h1 W2 b2 s L"
    outer = Graph(x, Sequential(FC(3, 3, rng=0), ReLU())(x).named("r").sum().named("f"))
    assert [value.name for value in outer.trace(np.ones((2, 3))).values] == ["x", "W0.0", "b0.0", "r.0", "r", "f"]


def test_the_chain_rule_sums_over_paths_and_counts_many():
    trace = parse_graph("q = x * x; f = q + x").trace(3.0)
    assert "df/dx  = df/dq dq/dx + df/dx = (1)(6) + (1) = 7" in cells(trace.chain_rule())
    x = node = Input("x")
    for _ in range(20):
        node = node + exp(node * 0)
    many = Graph(x, node).trace(1.0)
    assert "the sum over 1,048,576 paths from add59 to x" in many.chain_rule()
    for _ in range(200):
        node = node + node * x
    assert "the sum over more than 1e15 paths" in Graph(x, node).trace(0.0).chain_rule()
    deep = x
    for _ in range(1500):
        deep = -deep
    (line,) = cells(Graph(x, deep).trace(2.0).chain_rule())
    assert line.count("...") == 1 and line.endswith("dneg0/dx = 1") and len(line) < 300


def test_equal_names_are_told_apart():
    W0 = Input("W0")
    trace = Graph(W0, FC(2, 2, rng=0)(W0).named("W0")).trace(np.ones((1, 2)), upstream=np.ones((1, 2)))
    assert [value.name for value in trace.values] == ["W0", "W0_2", "b0", "W0_3"]
    L = parse_graph("L = x * 2").trace(1.0, upstream=3.0)
    assert "L = x * 2  = 2  dL_2/dL = 3" in cells(L.graph())


class Scaled(Layer):
    """A layer of a user's own, in the style of the built-in ones.

    forward     y  = x * s              x [B x in] -> y [B x in]
    backward    dx = upstream * s
    """

    s = Param("[in]")

    def __init__(self):
        self.s = np.array([2.0, 3.0])

    def forward(self, x):
        self.cache = x
        return x * self.s

    def backward(self, upstream):
        return upstream * self.s, {"s": (upstream * self.cache).sum(axis=0)}


class Wordless(Scaled):
    def backward(self, upstream):
        return super().backward(upstream)


def test_a_layer_of_ones_own_shows_its_formulas_or_its_sizes():
    lines = cells(Sequential(Scaled()).trace(np.ones((3, 2)), upstream=np.ones((3, 2))).products())
    assert "y  = x * s0  : (B,D) * (D,) -> (B,D) = (3,2) * (2,) -> (3,2)" in lines
    assert "dL/ds0  (2,)" in lines  # no formula for it
    lines = cells(Sequential(Wordless()).trace(np.ones((3, 2)), upstream=np.ones((3, 2))).products())
    assert "y  Wordless()(x)  (3,2)" in lines and "dL/dx  (3,2)" in lines


def test_every_operation_is_traced(rng):
    x, y = Input("x"), Input("y")
    parts = [x - y, x / (y * y + 1), -x, x**3, x @ y.T @ y, maximum(x, 0.5), exp(x), log(x * x + 1), Sigmoid()(x)]
    joined = concatenate([*parts, FC(3, 2, bias=False, rng=0)(x)], axis=1).sum(axis=1) * np.ones(2)
    trace = Graph([x, y], joined.sum()).trace(rng.standard_normal((2, 3)), rng.standard_normal(3)[None])
    text = str(trace)
    for words in ("x - y", "maximum(x, 0.5)", "y.T", "power", "concatenate(", "sum(concatenate", "constant (2,)"):
        assert words in text
    assert "sum of -upstream" in text  # y was repeated
    assert "+ b" not in text  # the layer has none
    assert "= the part of upstream where sub0 lies  " in text and "= [sub0, div" in text and "..." not in text
    assert "= upstream * 3 * x ** (3 - 1)" in text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net().trace(np.ones((2, 4))), r"trace: the output y is of shape \(2, 2\) and no number"),
        (lambda: net().trace(np.ones((2, 4)), [0, 1], upstream=1.0), "or upstream, not both"),
        (lambda: net().trace(np.ones((2, 4)), loss=MSE()), r"MSE\(\) needs labels"),
        (lambda: net().trace(np.ones((2, 5)), [0, 1]), r"FC\(4, 3\): input must be \[B x 4\], got \(2, 5\)"),
        (lambda: Sequential().trace(1.0), "at least one layer"),
        (lambda: parse_graph("x + y").trace(1.0), r"takes 2 inputs \(x, y\), got 1"),
        (
            lambda: net().trace(np.ones((2, 4)), [0, 1]).svg("labels"),
            "expected as weight one of x, W0, .* got 'labels'",
        ),
    ],
)
def test_wrong_use_is_told_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_other_shapes_and_labels():
    columns = Sequential(FC(3, 1, rng=0)).trace(np.ones((4, 3)), [0, 1, 1, 0], loss=BinaryCE())
    assert "s  = x W0' + b0  : (B,D)(D,1) + (1,) -> (B,1) = (4,3)(3,1) + (1,) -> (4,1)" in cells(columns.products())
    images = Sequential(Flatten(), FC(6, 2, rng=0)).trace(np.ones((4, 1, 2, 3)), [0, 1, 1, 0])
    assert "dL/dx  = upstream, shaped as x was  : (4,6) -> (4,1,2,3)" in cells(images.products())


# The picture.


def test_the_picture_has_values_gradients_and_the_path(engine):
    trace = parse_graph("q = x + y; f = q * z").trace(-2.0, 5.0, -4.0)
    shown = texts(trace.svg("z", **engine))
    for text in ("x", "q", "x + y", "q * z", "-2", "5", "3", "-12", "1", "value, forward", "the path from f to z"):
        assert text in shown, text
    assert shown.count("-4") == 4  # z, and the gradients of x, y, q
    for weight, steps in (("x", 2), ("z", 1)):
        root = ElementTree.fromstring(trace.svg(weight, **engine))
        marked = [element for element in root.iter() if "path" in element.get("class", "").split()]
        assert marked and "#e8930c" in trace.svg(weight, **engine)
        boxes = [e for e in marked if e.tag.endswith("}rect") or "node" in e.get("class", "")]
        assert len(boxes) == 1 + steps


def test_the_picture_of_a_net(engine):
    svg = net().trace(np.ones((2, 4)), [0, 1]).svg(**engine)
    shown = texts(svg)
    for text in ("W0", "b2", "labels", "ReLU()(h0)", "SoftmaxCE()(s, labels)", "[0, 1]", "the path from L to W0"):
        assert text in shown, text
    assert any(re.fullmatch(r"\(3,4\) norm [\d.e-]+", text) for text in shown)


def test_the_picture_escapes_what_it_shows(engine):
    x = Input('<x & "y">')
    svg = Graph(x, (x + 1).named("a < b")).trace(1.0).svg(**engine)
    assert '<x & "y"> + 1' in texts(svg) and "a < b" in texts(svg)


def test_long_wires_and_unused_inputs_are_drawn(engine):
    x, unused = Input("x"), Input("unused")
    h = exp(x).named("h")
    trace = Graph([x, unused], ((h + 1 + 2 + 3) * h).named("f")).trace(0.5, 1.0)
    assert "unused" in texts(trace.svg(**engine)) and trace["unused"].gradient == 0


def test_boxes_of_the_plain_picture_do_not_overlap():
    trace = parse_graph("(a + b) * (c + d) * a + maximum(b, e) * (a - e)").trace(*map(float, range(5)))
    root = ElementTree.fromstring(trace.svg(graphviz=False))
    rectangles = [element for element in root.iter() if element.tag.endswith("}rect") and element.get("x")]
    boxes = [[float(r.get(k)) for k in ("x", "y", "width", "height")] for r in rectangles]
    assert len(boxes) == len(trace.values)
    for i, (x, y, width, height) in enumerate(boxes):
        assert x >= 0 and y >= 0 and y + height <= float(root.get("height")) and x + width <= float(root.get("width"))
        for u, v, w, h in boxes[:i]:
            assert x + width <= u or u + w <= x or y + height <= v or v + h <= y


def test_without_graphviz_our_own_picture_is_drawn(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    trace = net().trace(np.ones((2, 4)), [0, 1])
    assert trace.svg() == trace.svg(graphviz=False)
    with pytest.raises(ImportError, match=r"pip install 'handgrad\[graph\]'"):
        trace.svg(graphviz=True)
    code, out, _ = run(capsys, "x * y", "x=2", "y=3", "--svg", str(tmp_path / "f.svg"))
    assert code == 0 and "f.svg without Graphviz (this needs graphviz" in out
    assert "the path from f to x" in texts((tmp_path / "f.svg").read_text())


def test_without_the_program_dot_our_own_picture_is_drawn(monkeypatch):
    pytest.importorskip("graphviz")
    monkeypatch.setenv("PATH", "")
    trace = net().trace(np.ones((2, 4)), [0, 1])
    assert trace.svg() == trace.svg(graphviz=False)
    with pytest.raises(ImportError, match="the program dot"):
        trace.svg(graphviz=True)


# Expressions.


@pytest.mark.parametrize(
    ("text", "graph"),
    [
        ("(x + y) * z", "Graph(x, y, z: q = Add()(x, y); f = Mul()(q, z))"),
        ("f = x + 1; y = f * f", "Graph(x: f = Add()(x, 1); y = Mul()(f, f))"),
        (
            "x.T @ x / 2 - 3 ** 2",
            "Graph(x: q1 = Transpose()(x); q2 = MatMul()(q1, x); q3 = Div()(q2, 2); f = Sub()(q3, 9))",
        ),
        ("sum(tanh(x) ** -1, axis=0)", "Graph(x: q1 = Tanh()(x); q2 = Power(-1.0)(q1); f = Sum(axis=0)(q2))"),
        ("concatenate(q, f)", "Graph(q, f: f0 = Concatenate()(q, f))"),
        ("concatenate(x, -x, axis=0)", "Graph(x: q = Neg()(x); f = Concatenate(axis=0)(x, q))"),
        ("fc = FC(2, 2)\nfc(fc(x))", "Graph(x: q = FC(2, 2)(x); f = FC(2, 2)(q))"),
        ("Sequential(FC(2, 3), ReLU())(x)", "Graph(x: f = Sequential(FC(2, 3), ReLU())(x))"),
        ("exp(log(relu(sigmoid(x))))", "Graph(x: q1 = Sigmoid()(x); q2 = ReLU()(q1); q3 = Log()(q2); f = Exp()(q3))"),
    ],
)
def test_expressions(text, graph):
    assert repr(parse_graph(text)) == graph and not is_model(text)


def test_a_layer_with_a_name_is_one_layer():
    assert list(parse_graph("fc = FC(2, 2); fc(fc(x))").params) == ["0.W", "0.b"]


def test_text_that_is_layers():
    for text in (
        "FC(4, 3), ReLU()",
        "ReLU()",
        "Sequential(a := FC(4, 4), a)",
        "a := FC(4, 4), a",
        "Relu()",
        "FC(4, 3), ReLU",
    ):
        assert is_model(text), text
    for text in ("FC(4, 3)(x)", "log(2)", "x", "", "FC(4, 3), x", "x = ReLU()", "(", "relu(x), FC(4, 3)"):
        assert not is_model(text), text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got nothing"),
        ("x +", "cannot read 'x +'"),
        ("x\0", "cannot read"),
        ("x", "expected something computed from an input, got x"),
        ("2 + 3", "expected something computed from an input, got 2 + 3"),
        ("fc = FC(2, 2)", "expected something computed from an input"),
        ("x + y, y", "expected numbers, names"),
        ("x + True", "got True"),
        ("x + 'a'", "got 'a'"),
        (r"x + '\d'", r"got '\\d'"),
        ("x < y", "got x < y"),
        ("x.shape", "got x.shape"),
        ("__import__('os').system('true')", "expected a layer such as FC(64, 128), got __import__('os').system"),
        ("(lambda: x)()", "expected a layer such as"),
        ("x ** y", "an exponent must be a number"),
        ("2 ** x", "an exponent must be a number"),
        ("x * (1 / 0)", "1 / 0: float division by zero"),
        ("x * 10 ** 400", "10 ** 400"),
        ("x * 1e999", "expected a finite real number, got inf"),
        ("x * (-8) ** 0.5", "expected a finite real number, got ("),
        ("x @ 2 @ (2 @ 3)", "2 @ 3: unsupported operand"),
        ("log(2)", "log(2): expected an input or something computed from one"),
        ("log(x, y)", "log(x, y): too many positional arguments"),
        ("log()", "log(): missing a required argument"),
        ("sum(x, axis=0.5)", "axis must be a whole number"),
        ("sum(x, axes=1)", "unexpected keyword argument 'axes'"),
        ("maximun(x, y)", "there is no function maximun; did you mean maximum?"),
        ("wave(x)", "there is no function wave; there are concatenate, exp"),
        ("exp + x", "exp needs its brackets: exp(...)"),
        ("ReLU + x", "ReLU needs its brackets: ReLU()"),
        ("ReLU(x)", "ReLU(x): a layer is made first and called then, ReLU(...)(x)"),
        ("FC(2)(x)", "missing a required argument: 'out_features'"),
        ("FC(2, 2)(x, y)", "too many positional arguments"),
        ("q = x + 1; x * 2", "q is assigned, but what follows does not use it"),
        ("q = x + 1; q = q * 2", "q has a value already"),
        ("f = x * q; q = x + 1", "q has a value already"),
        ("q = x; q * 2", "which has no name yet"),
        ("q = x + 1; r = q; r * 2", "which has no name yet"),
        ("exp = x + 1; exp * 2", "exp is the name of a function or layer"),
        ("a = b = x + 1", "expected NAME = EXPRESSION, got a = b = x + 1"),
        ("x + 1; x * 2", "expected NAME = EXPRESSION, got x + 1"),
        ("import os", "expected NAME = EXPRESSION, got import os"),
        ("fc = FC(2, 2); fc + x", "fc is a layer: call it, as in fc(x)"),
        ("-" * 9000 + "x", "nest that deeply"),
        ("x" + " + x" * 3000, "nest that deeply"),
        ("(" * 5000, "cannot read '(((("),
        ("x + 1" * 9999, "20000 characters"),
        ("FC(2, 2)(x) + FC(2, 2, dtype='float64')(x)", "all parameters must have one dtype"),
    ],
)
def test_text_that_is_no_expression(text, words):
    with pytest.raises(ExpressionError, match=re.escape(words)):
        parse_graph(text)


# The command.


def test_values_and_expressions_may_begin_with_a_minus(capsys):
    lines = lines_of(capsys, "--upstream", "-1,2", "-z", "z=-1,2")
    assert (
        "f = -z  = [1, -2]  dL/df = [-1, 2]" in lines and "dL/dz  = -upstream  : -(D,) -> (D,) = -(2,) -> (2,)" in lines
    )
    assert (
        lines
        == lines_of(capsys, "-z", "--upstream=-1,2", "z=-1,2")
        == lines_of(capsys, "--upstream", "-1,2", "--", "-z", "z=-1,2")
    )


def test_one_row_or_number_is_a_batch_of_one_for_a_net(capsys):
    assert "x  = [[1, 2, 3]]" in "\n".join(lines_of(capsys, "FC(3, 2)", "x=1,2,3", "--labels", "1"))
    assert "x  = [[1], [2]]" in "\n".join(lines_of(capsys, "FC(1, 2)", "x=1;2"))


@pytest.mark.parametrize("loss", ["SoftmaxCE", "BinaryCE", "MSE"])
@pytest.mark.parametrize("width", [1, 3])
def test_a_net_needs_no_data(capsys, loss, width):
    assert any(f"{loss}()(s, labels)" in line for line in lines_of(capsys, f"FC(2, {width})", "--loss", loss))


def test_the_picture_is_written(capsys, tmp_path):
    path = tmp_path / "f.svg"
    code, out, _ = run(capsys, "FC(2, 2)", "--svg", str(path), "--weight", "0.b")
    assert code == 0 and f"written to {path}" in out
    assert "the path from L to b0" in texts(path.read_text()) and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: EXPRESSION"),
        (["x +"], "cannot read 'x +'"),
        (["-log(x"], "cannot read '-log(x'"),
        (["Relu()"], "there is no layer Relu; did you mean ReLU?"),
        (["x + y", "x=1"], "the input y has no value; add y=..., numbers such as -2"),
        (["x + y", "x=1", "y=2", "z=3"], "there is no input 'z'; expected a value of x, y"),
        (["x + y", "x=1", "y=2", "y=3"], "the input y is given twice"),
        (["x + y", "x=1", "2"], "expected NAME=VALUES such as x=1,2, got '2'"),
        (["x + y", "x=1", "y="], "y: expected numbers such as -2, or 1,2,3 for a vector, or 1,2;3,4 for rows, got ''"),
        (["x + y", "x=1", "y=1,,2"], "got '1,,2'"),
        (["x + y", "x=1", "y=1,2;3"], "y: expected rows of one length, got '1,2;3'"),
        (["x + y", "x=1", "y=nan"], "y: expected finite numbers, got 'nan'"),
        (["x + y", "x=1,2", "y=1,2,3"], "Graph[f] Add(): a and b must have shapes that broadcast to one"),
        (["x + 1", "x=1,2"], "the output f is of shape (2,) and no number"),
        (["x + 1", "x=1,2", "--upstream", "1,2,3"], "upstream must have the output's shape (2,), got (3,)"),
        (["x + 1", "x=1,2", "--upstream", "1;a"], "--upstream: expected numbers"),
        (["x + 1", "x=1,2", "--upstream"], "argument --upstream: expected one argument"),
        (["x + 1", "x=1", "--labels", "1"], "--labels goes with layers such as FC(4, 3), ReLU()"),
        (["x + 1", "x=1", "--loss", "MSE"], "--loss goes with layers"),
        (["log(x)", "x=-1"], "Graph[f] Log(): input must be positive, got -1"),
        (["ReLU()"], "the layers do not say how wide their input is; add x=..., such as x=1,-2,3"),
        (["FC(3, 2)", "w=1"], "there is no input 'w'; expected a value of x"),
        (["FC(3, 2)", "x=1,2"], "FC(3, 2): input must be [B x 3], got (1, 2)"),
        (["FC(3, 2)", "--labels", "0,2"], "labels must lie in 0..1, as scores have 2 columns, got 2 in row 1"),
        (["FC(3, 2)", "x=1,2,3", "--labels", "0,1"], "labels must be [B] = (1,), got (2,)"),
        (["FC(3, 2)", "--labels", "0,1", "--upstream", "1"], "--upstream takes the place of a loss"),
        (["FC(3, 2)", "--loss", "Hinge"], "invalid choice: 'Hinge'"),
        (["FC(3, 2)", "--seed", "-1"], "expected a whole number >= 0, got '-1'"),
        (["FC(3, 2)", "--weight", "W9"], "expected as weight one of x, W0, b0, s, L, got 'W9'"),
        (["FC(3, 2)", "--svg", "net.png"], "--svg: expected a file named .svg, got 'net.png'"),
        (["FC(3, 2)", "--svg", "none/net.svg"], "none/net.svg: cannot be written, there is no such folder"),
        (["FC(3, 2)", "--wait", "W0"], "unrecognized arguments: --wait"),
        (["FC(99999999, 99999999)"], "too large for this machine's memory"),
    ],
)
def test_bad_usage_gives_one_sentence_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2 and words in err and "Traceback" not in err and out == ""
    assert not list(tmp_path.iterdir())


# The documentation.

EXAMPLES = re.findall(r"```sh\n(handgrad trace [^\n]*)\n```\n\n```\n(.*?)```", (DOCS / "trace.md").read_text(), re.S)


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_the_documented_output_is_real(capsys, command, output):
    assert run(capsys, *shlex.split(command)[2:]) == (0, output, "")


def test_the_documented_code_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "trace.md").read_text(), re.S)
    exec(code, {})
    assert capsys.readouterr().out.count("3  The chain rule") == 2


def test_the_documented_picture_is_real():
    assert len(EXAMPLES) >= 4
    svg = parse_graph("u = w @ x; p = sigmoid(u); L = -log(p)").trace([0.5, -1], [2.0, 1]).svg("w", graphviz=False)
    assert (DOCS / "trace.svg").read_text() == svg


def test_a_graph_that_nobody_could_read_is_not_drawn():
    h = x = Input("x")
    for _ in range(200):
        h = h + x
    trace = Graph(x, h).trace(1.0)
    with pytest.raises(ValueError, match="a picture has at most 150 values, this graph has 201"):
        trace.svg(graphviz=False)
    assert trace._repr_svg_() is None


def test_a_loss_must_be_one():
    with pytest.raises(TypeError, match=r"loss must be a Loss such as SoftmaxCE\(\), got <class"):
        Sequential(FC(2, 2)).trace(np.ones((1, 2)), [0], loss=SoftmaxCE)


def test_a_handout_says_that_it_comes_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "handgrad.trace", None)
    with pytest.raises(ImportError, match=r"^Sequential\.trace: a handout comes without tracing"):
        Sequential(ReLU()).trace([[1.0]])
