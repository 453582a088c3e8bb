"""The two memory policies: new arrays in ordinary use, the loop's own in `train`; the same numbers in both."""

import tracemalloc

import numpy as np
import pytest

from handgrad import (
    FC,
    MSE,
    SGD,
    BinaryCE,
    Callback,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCE,
    Tanh,
    gradcheck,
    train,
)
from handgrad.data import Dataset, batches
from handgrad.layers.products import product, sum_of_rows
from handgrad.layers.workspace import Workspace
from handgrad.params import Grads
from handgrad.threads import Threads


def every_layer(classes, seed=0):
    """A model of every kind of layer, wide and narrow ones, one that occurs twice and one in a model of its own."""
    rng = np.random.default_rng(seed)
    twice = FC(90, 90, rng=rng)
    wide = Sequential(Flatten(), FC(200, 150, rng=rng), ReLU(), FC(150, 90, bias=False, rng=rng), Sigmoid())
    return Sequential(
        wide, twice, Tanh(), Dropout(0.2, rng=rng), twice, LeakyReLU(), Softmax(), FC(90, classes, rng=rng)
    )


LABELS = {
    "SoftmaxCE": (SoftmaxCE(), lambda rng, n: rng.integers(0, 50, n)),
    "SoftmaxCE, soft labels": (SoftmaxCE(), lambda rng, n: rng.dirichlet(np.ones(50), n).astype(np.float32)),
    "BinaryCE": (BinaryCE(), lambda rng, n: rng.uniform(size=(n, 50)).astype(np.float32)),
    "BinaryCE, class numbers": (BinaryCE(), lambda rng, n: rng.integers(0, 50, n)),
    "MSE": (MSE(), lambda rng, n: rng.standard_normal((n, 50)).astype(np.float32)),
    "MSE, class numbers": (MSE(), lambda rng, n: rng.integers(0, 50, n)),
}
OPTIONS = [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}]


def data(name, rows, rng):
    return Dataset(rng.integers(0, 256, (rows, 20, 10)).astype(np.uint8), LABELS[name][1](rng, rows), 1 / 255)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_array_of_batch_or_parameter_size_is_made_after_the_first_step(name, options, rng):
    model, peaks = every_layer(50), []

    class Watch(Callback):
        def on_step(self, run):
            now, peak = tracemalloc.get_traced_memory()
            if run.step > 1:
                peaks.append(peak - now)
            tracemalloc.reset_peak()

    tracemalloc.start()
    sgd = SGD(model.params, 0.01, **options)
    train(
        model, LABELS[name][0], sgd, data(name, 8000, rng),
        epochs=3, batch_size=3000, rng=0, callbacks=[Watch()], progress=False,
    )  # fmt: skip
    tracemalloc.stop()
    # The parameters of the widest layer, or [B x classes] as booleans and NumPy's own buffers for conversions.
    assert len(peaks) == 8 and max(peaks) < min(200 * 150 * 4, 3000 * 50) + 2**16


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("batch_size", [1, 32, 250])
def test_trained_weights_are_the_same_to_the_bit_with_new_arrays(name, options, batch_size, rng):
    reused, fresh, loss = every_layer(50), every_layer(50), LABELS[name][0]
    training = data(name, 50 if batch_size == 1 else 300, rng)  # the last batch is smaller
    sgd = SGD(reused.params, 0.05, **options)
    history = train(reused, loss, sgd, training, epochs=2, batch_size=batch_size, rng=3, progress=False, threads=1)
    sgd, losses = SGD(fresh.params, 0.05, **options), []
    loader = batches(training.stored, training.y, batch_size, rng=3, scale=training.scale)
    with Threads(1, 0):
        for _ in range(2):
            for x, y in loader:
                losses.append(loss.forward(fresh.forward(x), y))
                dx, grads = fresh.backward(loss.backward())
                sgd.step(grads)
    np.testing.assert_array_equal(reused.params.flat, fresh.params.flat)
    assert history.step_loss == losses and dx.shape == x.shape


def test_results_a_user_holds_never_change(rng):
    model, loss = every_layer(10), SoftmaxCE()
    x, y = rng.standard_normal((40, 20, 10)).astype(np.float32), rng.integers(0, 10, 40)
    scores = model.forward(x)
    loss.forward(scores, y)
    dscores = loss.backward()
    dx, grads = model.backward(dscores)
    held = {"scores": scores, "dscores": dscores, "dx": dx, "flat": grads.flat, **grads}
    kept = {name: array.copy() for name, array in held.items()}
    model.forward(2 * x)
    loss.forward(scores + 1, y)
    model.backward(loss.backward())
    train(model, loss, SGD(model.params, 0.1), (x, y), epochs=2, batch_size=40, rng=0, progress=False)
    for name, array in held.items():
        np.testing.assert_array_equal(array, kept[name], err_msg=name)
        assert not any(np.shares_memory(array, p) for p in model.params.values())


class AsInTraining(Layer):
    """A layer or loss with arrays that it uses again at each call, as in `train`; returns copies of its results."""

    def __init__(self, inner):
        self.inner = inner

    @property
    def params(self):
        return self.inner.params

    def forward(self, *inputs):
        y = self._call(self.inner.forward, *inputs)
        self.cache = self.inner.cache
        return y if isinstance(y, float) else y.copy()

    def backward(self, *upstream):
        self.inner.cache = self.recall()
        returned = self._call(self.inner.backward, *upstream)
        if isinstance(returned, np.ndarray):
            return returned.copy()
        dx, grads = returned
        return dx.copy(), {name: gradient.copy() for name, gradient in grads.items()}

    def predict(self, *inputs):
        return self.inner.predict(*inputs)

    def _call(self, method, *arguments):
        if "reused" not in self.__dict__:
            self.reused = Workspace(Grads.like(self.inner.params) if isinstance(self.inner, Sequential) else None)
        self.inner.workspace = self.reused
        try:
            return method(*arguments)
        finally:
            self.inner.workspace = None

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "reused"}


LAYERS = {
    "FC": (lambda: FC(5, 3, rng=0), (4, 5)),
    "FC, wide": (lambda: FC(5, 7, rng=0), (4, 5)),
    "ReLU": (ReLU, (4, 5)),
    "LeakyReLU": (lambda: LeakyReLU(0.2), (4, 5)),
    "Sigmoid": (Sigmoid, (4, 5)),
    "Tanh": (Tanh, (4, 5)),
    "Softmax": (Softmax, (4, 5)),
    "Flatten": (Flatten, (4, 2, 3)),
    "Dropout": (lambda: Dropout(0.4, rng=0), (4, 5)),
    "Sequential": (lambda: Sequential(FC(5, 9, rng=0), Tanh(), FC(9, 2, rng=1)), (4, 5)),
}


@pytest.mark.parametrize("policy", [lambda layer: layer, AsInTraining], ids=["new", "reused"])
@pytest.mark.parametrize("name", LAYERS)
def test_gradcheck_passes_in_both_policies(name, policy, rng):
    make, shape = LAYERS[name]
    report = gradcheck(policy(make().astype(np.float64)), rng.standard_normal(shape))
    assert report.ok, report


@pytest.mark.parametrize("policy", [lambda layer: layer, AsInTraining], ids=["new", "reused"])
@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (SoftmaxCE, [0, 2, 1, 2]),
        (SoftmaxCE, np.full((4, 3), 1 / 3)),
        (BinaryCE, [[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 0, 1]]),
        (MSE, [0, 2, 1, 2]),
    ],
)
def test_gradcheck_passes_for_losses_in_both_policies(loss, labels, policy, rng):
    report = gradcheck(policy(loss().astype(np.float64)), rng.standard_normal((4, 3)), extra=(np.asarray(labels),))
    assert report.ok, report


def test_a_workspace_uses_its_memory_again():
    workspace = Workspace()
    y = workspace.array("y", (8, 5), np.float32)
    assert workspace.array("y", (8, 5), np.float32) is y
    last = workspace.array("y", (3, 5), np.float32)
    assert last.shape == (3, 5) and np.shares_memory(last, y) and workspace.array("y", (8, 5), np.float32) is y
    columns = workspace.array("y", (8, 5), np.float32, "F")
    assert columns.flags.f_contiguous and np.shares_memory(columns, y)
    assert not np.shares_memory(workspace.array("x", (8, 5), np.float32), y)
    larger = workspace.array("y", (9, 5), np.float32)
    assert not np.shares_memory(larger, y) and np.shares_memory(workspace.array("y", (8, 5), np.float32), larger)
    assert workspace.array("y", (9, 5), np.float64).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "inner", "columns"), [(1, 7, 5), (6, 1, 5), (1, 1, 1), (6, 7, 1), (6, 7, 5), (200, 3, 300), (300, 40, 200)]
)
def test_products_of_every_shape_and_order(rows, inner, columns, dtype, rng):
    a, b = rng.standard_normal((rows, inner)).astype(dtype), rng.standard_normal((inner, columns)).astype(dtype)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    tolerance = 1e-4 if dtype is np.float32 else 1e-11
    for order in "CF":
        for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
            for right in (b, np.asfortranarray(b), b[::-1].copy()[::-1]):
                out = np.full((rows, columns), np.nan, dtype, order)
                assert product(left, right, out) is out
                np.testing.assert_allclose(out, expected, atol=tolerance)
    sums = np.full(columns, np.nan, dtype)
    assert sum_of_rows(np.asfortranarray(b), sums) is sums
    np.testing.assert_allclose(sums, b.astype(np.float64).sum(axis=0), atol=tolerance)


def test_the_first_input_gradient_is_not_computed_in_training(rng):
    class Watched(FC):
        def backward(self, upstream):
            dx, grads = super().backward(upstream)
            sizes.append(dx.size)
            return dx, grads

    sizes = []
    model = Sequential(Flatten(), Sequential(Watched(6, 5, rng=0)), Tanh(), Watched(5, 3, rng=1))
    x, y = rng.standard_normal((4, 2, 3)), rng.integers(0, 3, 4)
    train(model, SoftmaxCE(), SGD(model.params, 0.1), (x, y), epochs=1, batch_size=4, progress=False)
    assert sizes == [4 * 5, 0]
    model.forward(x)
    assert model.backward(np.ones((4, 3)))[0].shape == x.shape
