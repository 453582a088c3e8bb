"""What the monitor records of a run, and the pictures of it."""

import copy
import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from handgrad import (
    FC,
    SGD,
    Callback,
    Dropout,
    Flatten,
    Graph,
    Input,
    Layer,
    LeakyReLU,
    Monitor,
    NonFiniteLoss,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCE,
    Tanh,
    train,
    weight_images,
)
from handgrad.cli import main
from handgrad.data import digits

OPTIONS = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"weight_decay": 0.1, "decay": "all"},
]


class Noise(Layer):
    """Draws and counts at every forward, and in use, too: `predict` is the base class's."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        self.cache = x = self.as_input(x)
        return x + self.rng.normal(0, 0.01, x.shape).astype(x.dtype)

    def backward(self, upstream):
        return upstream, {}


def network(*, noise=(), dtype=np.float32):
    rng = np.random.default_rng(1)
    twice = FC(12, 12, rng=rng)
    inner = Sequential(twice, ReLU(), Dropout(0.3, rng=rng))
    return Sequential(FC(64, 12, rng=rng), Tanh(), inner, *noise, twice, ReLU(), FC(12, 10, rng=rng)).astype(dtype)


def run(model, *callbacks, epochs=1, data=None, **options):
    sgd = SGD(model.params, 0.1, **options)
    data = digits()[0] if data is None else data
    return train(model, SoftmaxCE(), sgd, data, epochs=epochs, rng=0, callbacks=callbacks, progress=False, threads=1)


class Weights(Callback):
    """Keeps copies of weights, gradients and mini-batches after each step."""

    def __init__(self, model):
        self.weights, self.grads, self.batches = [self.copy(model.params)], [], []

    @staticmethod
    def copy(arrays):
        return {name: array.astype(np.float64) for name, array in arrays.items()}

    def on_step(self, run):
        self.weights.append(self.copy(run.model.params))
        self.grads.append(self.copy(run.grads))
        self.batches.append((run.x.copy(), run.y.copy()))


def norm(array):
    return math.sqrt(math.fsum(float(value) ** 2 for value in array.ravel()))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_norms_and_ratios_are_those_of_the_arrays(options):
    model = network(dtype=np.float64)
    monitor, kept = Monitor(every=5), Weights(model)
    history = run(model, monitor, kept, **options)
    assert monitor.steps == [1, 6, 11, 16, 21]
    assert monitor.losses == [history.step_loss[step - 1] for step in monitor.steps]
    assert list(monitor.gradient_norms) == list(monitor.update_ratios) == list(model.params)
    for i, step in enumerate(monitor.steps):
        before, after = kept.weights[step - 1 : step + 1]
        for name in model.params:
            assert monitor.gradient_norms[name][i] == pytest.approx(norm(kept.grads[step - 1][name]), rel=1e-12)
            ratio = norm(after[name] - before[name]) / norm(after[name])
            assert monitor.update_ratios[name][i] == pytest.approx(ratio, rel=1e-9)


def test_the_update_of_a_large_model_is_the_difference_of_its_weights():
    model, monitor = Sequential(FC(64, 600, rng=0), ReLU(), FC(600, 10, rng=1)), Monitor(every=1)
    kept = Weights(model)  # enough of them for the optimizer to leave the update to the BLAS
    run(model, monitor, kept)
    for name, ratios in monitor.update_ratios.items():
        for before, after, ratio in zip(kept.weights[:-1], kept.weights[1:], ratios, strict=True):
            assert ratio == pytest.approx(norm(after[name] - before[name]) / norm(after[name]), rel=1e-6)


def test_a_graph_is_monitored_too():
    x, first, second = Input("x"), FC(64, 12, rng=0), FC(12, 10, rng=1)
    hidden = Sequential(ReLU(), Tanh())(first(x))
    model, monitor = Graph(x, second(hidden) + hidden.sum() * 0), Monitor(every=50)
    kept = Weights(model)
    run(model, monitor, kept)
    assert list(monitor.gradient_norms) == list(model.params)
    w, (x, _) = kept.weights[1], kept.batches[0]
    zeros = np.mean(np.maximum(x @ w["0.W"].T + w["0.b"], 0) == 0)
    assert monitor.zeros["1.0 ReLU()"] == [zeros] == monitor.zeros["1.1 Tanh()"]


def test_zeros_are_those_of_each_layer_on_the_mini_batch():
    model, monitor = network(dtype=np.float64), Monitor(every=4)
    kept = Weights(model)
    run(model, monitor, kept)
    places = [
        "0 FC(64, 12, dtype='float64')", "1 Tanh()", "2.0 FC(12, 12, dtype='float64')", "2.1 ReLU()",
        "2.2 Dropout(p=0.3)", "3 FC(12, 12, dtype='float64')", "4 ReLU()", "5 FC(12, 10, dtype='float64')",
    ]  # fmt: skip
    assert list(monitor.zeros) == list(monitor.dead) == places
    for i, step in enumerate(monitor.steps):
        w, (x, _) = kept.weights[step], kept.batches[step - 1]
        first = np.maximum(np.tanh(x @ w["0.W"].T + w["0.b"]) @ w["2.0.W"].T + w["2.0.b"], 0)
        second = np.maximum(first @ w["2.0.W"].T + w["2.0.b"], 0)
        for place, y in (("2.1 ReLU()", first), ("2.2 Dropout(p=0.3)", first), ("4 ReLU()", second)):
            assert monitor.zeros[place][i] == sum(value == 0 for value in y.ravel()) / y.size
            assert monitor.dead[place][i] == sum(not any(unit) for unit in y.T) / y.shape[1]
        assert monitor.zeros[places[-1]][i] == monitor.dead["1 Tanh()"][i] == 0


def test_zeros_and_dead_units_counted_by_hand():
    model = Sequential(FC(2, 4, rng=0), ReLU())
    model.params["0.W"] = np.array([[1, 1], [-1, -1], [1, -1], [0, 0]])
    model.params["0.b"] = np.zeros(4)
    x = np.array([[1, 2], [3, 1]])  # the units give 3, 4; 0, 0; 0, 2; 0, 0
    monitor = Monitor()
    train(model, SoftmaxCE(), SGD(model.params, 1e-9), (x, [0, 0]), epochs=1, callbacks=[monitor], progress=False)
    assert monitor.zeros["1 ReLU()"] == [5 / 8] and monitor.dead["1 ReLU()"] == [2 / 4]


def test_a_single_layer_is_a_model_too():
    model, monitor = FC(64, 10, rng=0), Monitor()
    run(model, monitor)
    assert list(monitor.gradient_norms) == ["W", "b"] and list(monitor.zeros) == ["FC(64, 10)"]


@pytest.mark.parametrize("every", [1, 7])
def test_training_gives_the_same_numbers_with_a_monitor(every):
    watched, alone = (network(noise=[Noise(3)]) for _ in range(2))
    with_monitor = run(watched, Monitor(every), epochs=3, momentum=0.9, weight_decay=1e-4)
    without = run(alone, epochs=3, momentum=0.9, weight_decay=1e-4)
    np.testing.assert_array_equal(watched.params.flat, alone.params.flat)
    assert with_monitor.step_loss == without.step_loss
    assert watched.layers[3].calls == alone.layers[3].calls == 3 * 23
    assert watched.layers[3].rng.random() == alone.layers[3].rng.random()


def test_no_batch_is_held_longer_for_the_callbacks():
    """The pool of mini-batches hands out an array again as soon as nobody holds it."""
    arrays = set()

    class Where(Callback):
        def on_step(self, run):
            arrays.add(run.x.__array_interface__["data"][0])

    run(network(), Where(), Monitor(1), epochs=2)
    assert len(arrays) <= 2


def test_a_gradient_too_small_or_large_to_be_squared_in_float32_has_a_norm():
    for scale in (1e-30, 1e30):
        monitor, model = Monitor(), FC(1, 2, bias=False, init="zeros")
        x = np.array([[scale]])
        train(model, SoftmaxCE(), SGD(model.params, 1e-38), (x, [0]), epochs=1, callbacks=[monitor], progress=False)
        assert monitor.gradient_norms["W"] == pytest.approx([scale * math.sqrt(0.5)], rel=1e-6)


def test_weights_that_are_all_zero_have_no_ratio():
    model, monitor = Sequential(FC(3, 4, rng=0), ReLU(), FC(4, 2, rng=0)), Monitor()
    model.params["0.W"] = np.zeros((4, 3))  # every unit is dead, and stays so
    train(model, SoftmaxCE(), SGD(model.params, 0.1), (np.ones((2, 3)), [0, 1]), callbacks=[monitor], progress=False)
    assert math.isnan(monitor.update_ratios["0.W"][0]) and monitor.gradient_norms["0.W"] == [0.0]
    assert monitor.dead["1 ReLU()"] == [1.0]


def test_a_second_run_begins_anew():
    monitor = Monitor(every=20)
    run(network(), monitor, epochs=2)
    model = Sequential(FC(64, 10, rng=0))
    run(model, monitor)
    assert monitor.steps == [1, 21] and list(monitor.gradient_norms) == ["0.W", "0.b"]
    series = [monitor.losses, *monitor.gradient_norms.values(), *monitor.zeros.values()]
    assert all(len(values) == 2 for values in series)


def test_a_run_that_diverges_is_recorded_up_to_there(tmp_path):
    pytest.importorskip("matplotlib")
    model, monitor = Sequential(FC(64, 20, rng=0), ReLU(), FC(20, 10, rng=0)), Monitor(every=1)
    with pytest.raises(NonFiniteLoss) as caught:
        train(model, SoftmaxCE(), SGD(model.params, 1e25), digits()[0], callbacks=[monitor], progress=False)
    assert monitor.losses == caught.value.history.step_loss and monitor.steps
    monitor.plot(tmp_path / "m.png")


def test_the_table(tmp_path):
    monitor = Monitor()
    run(network(), monitor)
    monitor.to_csv(tmp_path / "m.csv")
    with open(tmp_path / "m.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 11, 21]
    assert [float(row["loss"]) for row in rows] == monitor.losses
    assert float(rows[2]["gradient_norms 2.0.W"]) == monitor.gradient_norms["2.0.W"][2]
    assert float(rows[1]["update_ratios 0.b"]) == monitor.update_ratios["0.b"][1]
    assert float(rows[0]["zeros 2.1 ReLU()"]) == monitor.zeros["2.1 ReLU()"][0]
    assert float(rows[0]["dead 0 FC(64, 12)"]) == 0 and len(rows[0]) == 2 + 2 * 6 + 2 * 8


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    monitor = Monitor(every=3)
    run(network(), monitor, epochs=2)
    for name, start in (("m.png", b"\x89PNG"), ("m.svg", b"<?xml"), ("m.pdf", b"%PDF")):
        figure = monitor.plot(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    loss, gradients, zeros, updates = figure.get_axes()
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), np.transpose([monitor.steps, monitor.losses]))
    for axes, values in ((gradients, monitor.gradient_norms), (updates, monitor.update_ratios)):
        assert axes.get_yscale() == "log" and [line.get_label() for line in axes.lines] == list(values)
        np.testing.assert_array_equal(axes.lines[3].get_ydata(), values["2.0.b"])
        assert axes.lines[2].get_color() == axes.lines[3].get_color() != axes.lines[4].get_color()
        assert axes.lines[2].get_linestyle() != axes.lines[3].get_linestyle()
    drawn = [line.get_label() for line in zeros.lines if not line.get_label().endswith("dead")]
    assert drawn == ["2.1 ReLU()", "4 ReLU()"]  # Dropout and the layers without zeros are left out
    assert zeros.get_xlabel() == updates.get_xlabel() == "step" and loss.get_title() == "loss"


def test_the_picture_of_a_model_without_zeros_and_of_one_step(tmp_path, recwarn):
    pytest.importorskip("matplotlib")
    monitor = Monitor(every=1000)
    run(Sequential(FC(64, 9, rng=0), Sigmoid(), FC(9, 10, rng=0)), monitor)
    figure = monitor.plot(tmp_path / "m.png")
    zeros = figure.get_axes()[2]
    assert not zeros.lines and zeros.texts[0].get_text() == "no output was exactly 0" and not recwarn.list


@pytest.mark.parametrize("every", [0, -1, 2.5, "x", True, None])
def test_every_must_be_a_whole_number(every):
    with pytest.raises(ValueError, match=f"^Monitor: every must be a whole number >= 1, got {every!r}$"):
        Monitor(every)


def test_nothing_recorded_is_said(tmp_path):
    for call in (Monitor().plot, lambda: Monitor().to_csv(tmp_path / "m.csv")):
        with pytest.raises(ValueError, match=r"nothing is recorded yet; train with callbacks=\[monitor\] first"):
            call()
    assert not (tmp_path / "m.csv").exists()


def test_a_missing_extra_is_named(monkeypatch):
    monitor = Monitor()
    run(network(), monitor)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for call in (monitor.plot, lambda: weight_images(np.ones((2, 4)))):
        with pytest.raises(ImportError, match=r"pip install 'handgrad\[plot\]'"):
            call()


def test_a_monitor_can_be_copied():
    monitor = Monitor()
    run(network(), monitor)
    assert copy.deepcopy(monitor).gradient_norms == monitor.gradient_norms


@pytest.mark.parametrize("layer", [Flatten(), LeakyReLU()])
def test_other_layers_are_monitored_too(layer):
    monitor = Monitor()
    run(Sequential(layer, FC(64, 10, rng=0)), monitor)
    x = digits()[0].x
    assert monitor.zeros[f"0 {layer!r}"][0] == pytest.approx(np.mean(x == 0), abs=0.05)


# Weights as images.


def test_weights_are_drawn_as_images(tmp_path, rng):
    pytest.importorskip("matplotlib")
    W = rng.standard_normal((5, 6))
    figure = weight_images(W, (2, 3), columns=3, path=tmp_path / "w.png")
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")
    (image,) = figure.get_axes()[0].images
    blank = np.nan
    expected = np.full((5, 11), blank)
    expected[:2] = [[*W[0, :3], blank, *W[1, :3], blank, *W[2, :3]], [*W[0, 3:], blank, *W[1, 3:], blank, *W[2, 3:]]]
    expected[3:, :7] = [[*W[3, :3], blank, *W[4, :3]], [*W[3, 3:], blank, *W[4, 3:]]]
    np.testing.assert_array_equal(image.get_array().filled(np.nan), expected)
    assert image.get_clim() == (-np.abs(W).max(), np.abs(W).max())


@pytest.mark.parametrize(("features", "side"), [(64, 8), (784, 28), (1, 1)])
def test_a_square_number_of_features_is_a_square_image(features, side, rng):
    pytest.importorskip("matplotlib")
    W = rng.standard_normal((128, features)).astype(np.float32)
    axes = weight_images(W).get_axes()[0]
    assert axes.get_title() == "weights of the first 64 of 128 units"
    assert axes.images[0].get_array().shape == (8 * (side + 1) - 1,) * 2
    assert weight_images(W[:3], columns=9).get_axes()[0].get_title() == "weights of the 3 units"
    assert weight_images(0 * W, units=2).get_axes()[0].images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(
    ("W", "options", "kind", "words"),
    [
        (np.ones((3, 10)), {}, ValueError, r"10 features make no square image; give its shape=\(height, width\)"),
        (np.ones((3, 10)), {"shape": (3, 3)}, ValueError, r"shape must be \(height, width\) of 10 features"),
        (np.ones((3, 10)), {"shape": (-2, -5)}, ValueError, "shape must be"),
        (np.ones((3, 10)), {"shape": 10}, ValueError, "shape must be"),
        (np.ones((3, 10)), {"shape": (2.0, 5.0)}, ValueError, "shape must be"),
        (np.ones((3, 10)), {"shape": "25"}, ValueError, "shape must be"),
        (np.ones((3, 10)), {"shape": [(2, 5), 1]}, ValueError, "shape must be"),
        (np.ones(9), {}, ValueError, r"W must be a matrix \[out x in\], got \(9,\)"),
        (np.ones((0, 9)), {}, ValueError, "W must be"),
        (np.full((2, 9), np.nan), {}, ValueError, "W must be finite"),
        ("weights", {}, TypeError, "W must be real numbers"),
        (FC(9, 3), {}, TypeError, "W must be real numbers"),
        (np.ones((3, 9)), {"units": 0}, ValueError, "units must be a whole number >= 1, got 0"),
        (np.ones((3, 9)), {"columns": 2.5}, ValueError, "columns must be a whole number >= 1, got 2.5"),
        (np.ones((3, 9)), {"columns": 0}, ValueError, "columns must be a whole number >= 1, got 0"),
    ],
)
def test_weights_that_make_no_images(W, options, kind, words):
    with pytest.raises(kind, match=f"^weight_images: .*{words}"):
        weight_images(W, **options)


# The command.


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("in_an_empty_folder")
def test_the_command_writes_what_was_monitored(capsys):
    pytest.importorskip("matplotlib")
    assert main(["train", "--epochs", "1", "--monitor", "--out", "r"]) == 0
    names = "weights.npz, history.csv, monitor.csv, history.png, monitor.png, weights.png"
    assert capsys.readouterr().out.splitlines()[-1] == f"written to r: {names}"
    assert sorted(path.name for path in Path("r").iterdir()) == sorted(names.split(", "))
    with open("r/monitor.csv") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "11", "21"]

    for name in ("weights.npz", "history.csv", "history.png"):
        Path("r", name).unlink()
    assert main(["train", "--epochs", "1", "--out", "r"]) == 2
    assert "r holds an earlier run (monitor.csv, monitor.png, weights.png)" in capsys.readouterr().err
    assert main(["train", "--epochs", "1", "--out", "r", "--overwrite"]) == 0
    assert sorted(path.name for path in Path("r").iterdir()) == ["history.csv", "history.png", "weights.npz"]


@pytest.mark.usefixtures("in_an_empty_folder")
def test_only_features_that_are_pixels_are_drawn(capsys):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    for features in (9, 65):
        np.savez("t.npz", x=rng.random((40, features)), y=rng.integers(0, 2, 40))
        out = f"r{features}"
        assert main(["train", "t.npz", "--epochs", "1", "--monitor", "--out", out]) == 0
        assert Path(out, "monitor.png").exists() and not Path(out, "weights.png").exists()


@pytest.mark.usefixtures("in_an_empty_folder")
def test_the_command_without_matplotlib(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["train", "--epochs", "1", "--monitor", "--out", "r"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "written to r: weights.npz, history.csv, monitor.csv (no picture: it needs pip install 'handgrad[plot]')"
    )


@pytest.mark.usefixtures("in_an_empty_folder")
def test_the_command_keeps_what_was_monitored_of_a_run_that_diverges(capsys):
    pytest.importorskip("matplotlib")
    assert main(["train", "--lr", "1e25", "--monitor", "--out", "r"]) == 1
    assert {path.name for path in Path("r").iterdir()} == {"monitor.csv", "monitor.png"}
