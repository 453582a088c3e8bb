"""The train loop: what it runs, what it records, and how it ends."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from handgrad import (
    FC,
    MSE,
    SGD,
    BinaryCE,
    Callback,
    Dropout,
    NonFiniteLoss,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCE,
    Tanh,
    evaluate,
    train,
)
from handgrad.data import batches, digits


def network(seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    twice = FC(16, 16, rng=rng)
    model = Sequential(FC(64, 16, rng=rng), Sigmoid(), Sequential(twice, Tanh()), Dropout(0.1, rng=rng), twice, ReLU())
    return Sequential(model, FC(16, 10, rng=rng)).astype(dtype)


def run(model, seed=0, **options):
    training, test = digits()
    sgd = SGD(model.params, 0.1, momentum=0.9)
    return train(model, SoftmaxCE(), sgd, training, validation=test, rng=seed, progress=False, **options)


def test_train_is_the_three_steps_to_the_bit():
    trained, by_hand = network(), network()
    history = run(trained, epochs=3)
    x, y = digits()[0]
    loss, sgd, losses = SoftmaxCE(), SGD(by_hand.params, 0.1, momentum=0.9), []
    mini_batches = batches(x, y, 64, rng=0)
    for _ in range(3):
        for x, y in mini_batches:
            scores = by_hand.forward(x)
            losses.append(loss.forward(scores, y))
            dx, grads = by_hand.backward(loss.backward())
            sgd.step(grads)
    np.testing.assert_array_equal(trained.params.flat, by_hand.params.flat)
    assert history.step_loss == losses and dx.shape == x.shape


@pytest.mark.parametrize("shuffle", [False, True])
def test_rows_come_in_their_stored_order_only_where_that_is_asked_for(shuffle):
    x, y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10) % 2
    model, seen = Sequential(FC(2, 2, rng=0)), []

    class Rows(Callback):
        def on_step(self, run):
            seen.append(run.x.copy())

    options = {"epochs": 2, "batch_size": 4, "shuffle": shuffle, "rng": 0, "progress": False}
    train(model, SoftmaxCE(), SGD(model.params, 0.01), (x, y), callbacks=[Rows()], **options)
    assert [len(rows) for rows in seen] == [4, 4, 2] * 2
    assert np.array_equal(np.concatenate(seen), np.tile(x, (2, 1))) is not shuffle


def test_same_seed_same_numbers():
    a, b, c = (run(network(seed), seed, epochs=2) for seed in (3, 3, 4))
    assert a.step_loss == b.step_loss and a.validation_accuracy == b.validation_accuracy
    assert a.step_loss != c.step_loss


def test_history_and_evaluate(tmp_path):
    model = network()
    history = run(model, epochs=4)
    assert len(history) == 4 and len(history.step_loss) == 4 * 23 and history.stopped == ""
    assert history.loss[-1] < history.loss[0] / 2 and history.accuracy[-1] > history.accuracy[0]
    test = digits()[1]
    loss, accuracy = evaluate(model, SoftmaxCE(), test)
    assert (loss, accuracy) == (history.validation_loss[-1], history.validation_accuracy[-1])
    assert accuracy == np.mean(model.predict(test.x).argmax(axis=1) == test.y)
    history.to_csv(tmp_path / "h.csv")
    lines = (tmp_path / "h.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,accuracy,validation_loss,validation_accuracy,seconds" and len(lines) == 5
    assert float(lines[4].split(",")[1]) == history.loss[3]


def test_history_plot(tmp_path):
    pytest.importorskip("matplotlib")
    history = run(network(), epochs=2)
    for name, start in (("h.png", b"\x89PNG"), ("h.svg", b"<?xml"), ("h.pdf", b"%PDF")):
        figure = history.plot(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    axes = figure.get_axes()
    assert [a.get_title() for a in axes] == ["loss", "accuracy"]
    np.testing.assert_array_equal(axes[0].lines[1].get_ydata(), history.validation_loss)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    history = run(network(), epochs=1)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'handgrad\[plot\]'"):
        history.plot(tmp_path / "h.png")


def test_the_model_is_left_in_ordinary_use(rng):
    model = network()
    run(model, epochs=1)
    assert model.workspace is None and model.cache is None and model.layers[0].layers[0].cache is None
    x = rng.standard_normal((3, 64))
    a = model.forward(x)
    kept = a.copy()
    model.forward(2 * x)
    np.testing.assert_array_equal(a, kept)
    dx, grads = model.backward(np.ones((3, 10)))
    assert dx.shape == x.shape and np.isfinite(grads.flat).all()


def test_callbacks_see_the_run_and_can_stop_it():
    seen, epochs = [], []

    class Stop(Callback):
        def on_start(self, run):
            seen.append((run.step, run.epochs, run.model.params.flat.copy()))

        def on_step(self, run):
            seen.append((run.step, run.value, run.grads.flat.shape))
            if run.step == 30:
                run.stop = "enough"

    history = run(network(), epochs=9, callbacks=[Stop(), lambda run: epochs.append(run.epoch)])
    step, planned, weights = seen.pop(0)
    assert (step, planned) == (0, 9) and np.array_equal(weights, network().params.flat)
    assert history.stopped == "enough, in epoch 2 after step 30" and len(history) == 2 and epochs == [1, 2]
    assert [s[0] for s in seen] == list(range(1, 31)) and [s[1] for s in seen] == history.step_loss


def test_callbacks_see_the_mini_batch_of_the_step():
    seen = []

    class Keep(Callback):
        def on_step(self, run):
            seen.append((run.x.copy(), run.y.copy()))

    run(network(), epochs=2, callbacks=[Keep()])
    x, y = digits()[0]
    mini_batches = batches(x, y, 64, rng=0)
    for (x, y), (own_x, own_y) in zip(seen, [*mini_batches, *mini_batches], strict=True):
        np.testing.assert_array_equal(x, own_x)
        np.testing.assert_array_equal(y, own_y)


@pytest.mark.parametrize(
    ("loss", "labels", "accuracy"),
    [(MSE(), "targets", None), (BinaryCE(), "binary", 0.9), (MSE(), "classes", 0.5), (BinaryCE(), "classes", 0.5)],
)
def test_other_losses_train_too(loss, labels, accuracy, rng):
    x = rng.standard_normal((300, 5))
    y = {"targets": np.sin(x[:, :1]), "binary": (x[:, 0] > 0) * 1, "classes": x.argmax(axis=1)}[labels]
    model = Sequential(FC(5, 16, rng=0), Tanh(), FC(16, 5 if labels == "classes" else 1, rng=1))
    history = train(model, loss, SGD(model.params, 0.1, momentum=0.9), (x, y), epochs=40, rng=0, progress=False)
    assert history.loss[-1] < history.loss[0] / 2
    assert history.accuracy[-1] is None if accuracy is None else history.accuracy[-1] > accuracy


def diverge(model, x, y, loss=None, lr=0.1):
    with pytest.raises(NonFiniteLoss) as caught:
        train(model, loss or SoftmaxCE(), SGD(model.params, lr), (x, y), epochs=9, batch_size=8, rng=0, progress=False)
    return caught.value


def test_a_non_finite_loss_is_traced_to_where_it_began(rng):
    def data():
        return rng.standard_normal((32, 4)).astype(np.float32), rng.integers(0, 3, 32)

    def model():
        return Sequential(FC(4, 5, rng=0), Sequential(Tanh(), FC(5, 3, rng=1)))

    x, y = data()
    x[5, 2] = np.nan
    assert "first in the input: row" in str(diverge(model(), x, y))

    m = model()
    m.params["1.1.W"][0, 0] = np.inf
    error = diverge(m, *data())
    assert "loss is nan in epoch 1, step 1: first in the update" in str(error)
    assert "Sequential[1][1] FC(5, 3): the parameter W" in str(error) and len(error.history.step_loss) == 0

    m = model()
    m.params["1.1.W"][...] = 3e38
    assert "first in the forward pass, in Sequential[1][1] FC(5, 3): its output" in str(diverge(m, *data()))

    m = Sequential(FC(4, 5, rng=0), ReLU(), FC(5, 1, rng=1))
    x = data()[0]
    error = str(diverge(m, x, 1e30 * x[:, :1], MSE(), lr=1e30))
    assert "first in the" in error and "Sequential[" in error and "smaller lr" in error


def test_a_gradient_that_overflows_is_named_with_its_parameter(rng):
    model = Sequential(FC(4, 3, rng=0), FC(3, 1, rng=1))
    model.params["0.W"][...] *= 1e-20
    x = np.full((8, 4), 1e20, np.float32)
    error = str(diverge(model, x, np.full((8, 1), 1e30), MSE()))
    assert "first in the backward pass of the step before, in Sequential[0] FC(4, 3): the gradient of W" in error


@pytest.fixture
def _ctrl_c_is_heard():
    """A job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_stops_after_the_step_and_keeps_history_and_weights():
    model = network()

    class Press(Callback):
        def on_step(self, run):
            if run.step == 30:
                os.kill(os.getpid(), signal.SIGINT)

    history = run(model, epochs=50, callbacks=[Press()])
    assert history.stopped.startswith("interrupted by Ctrl-C, in epoch 2 after step 3")
    assert len(history) == 2 and np.isfinite(model.params.flat).all() and model.workspace is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_train_works_in_another_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(run(network(), epochs=1)))
    thread.start()
    thread.join()
    assert len(results[0]) == 1


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"epochs": 0}, ValueError, "epochs must be a whole number >= 1"),
        ({"epochs": 2.5}, ValueError, "epochs must be"),
        ({"batch_size": 0}, ValueError, "batch_size must be"),
        ({"rng": "x"}, TypeError, "rng must be"),
        ({"callbacks": [3]}, TypeError, "callback must be"),
        ({"data": np.ones((3, 64))}, TypeError, r"pair \(x, y\)"),
        (
            {"data": (np.ones((3, 5)), np.zeros(3, int))},
            ValueError,
            r"^Sequential\[0\]\[0\] FC\(64, 16\): input must be",
        ),
        ({"data": (np.ones((3, 64)), np.full(3, 10))}, ValueError, r"labels must lie in 0\.\.9"),
        ({"model": Sequential(ReLU())}, ValueError, "must have parameters"),
        ({"model": "net"}, TypeError, "model must be a Layer, got 'net'"),
        ({"loss": SoftmaxCE}, TypeError, r"write SoftmaxCE\(...\)"),
        ({"optimizer": SGD(network().params, 0.1)}, ValueError, "optimizer must hold this model's parameters"),
    ],
)
def test_arguments_that_make_no_sense(options, kind, words):
    model = options.pop("model", None) or network()
    data = options.pop("data", digits()[0])
    loss = options.pop("loss", SoftmaxCE())
    params = model.params if isinstance(model, Sequential) and model.params else network().params
    optimizer = options.pop("optimizer", SGD(params, 0.1))
    with pytest.raises(kind, match=words):
        train(model, loss, optimizer, data, **options)
    assert getattr(model, "workspace", None) is None


def test_weights_that_overflow_in_the_last_update_end_the_run():
    training, test = digits()
    model = network()
    with np.errstate(all="ignore"), pytest.raises(NonFiniteLoss, match="not finite after the update in epoch 1"):
        train(model, SoftmaxCE(), SGD(model.params, 1e38), training, epochs=1, batch_size=2000, validation=test)


def test_progress_is_plain_lines_in_a_pipe():
    script = (
        "from handgrad import *; from handgrad.data import digits\n"
        "m = Sequential(FC(64, 10, rng=0)); tr, te = digits()\n"
        "train(m, SoftmaxCE(), SGD(m.params, 0.1), tr, epochs=2, validation=te, rng=0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert len(lines) == 2 and lines[0].startswith("epoch 1/2  loss ") and "validation loss" in lines[0]
    assert result.stderr == ""
