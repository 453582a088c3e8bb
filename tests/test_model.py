"""Sequential, its flat vectors, its files; SGD."""

import copy
import os
import pickle
import zipfile

import numpy as np
import pytest
import scipy.optimize

from handgrad import FC, MSE, SGD, Dropout, Flatten, Layer, LeakyReLU, ReLU, Sequential, Sigmoid, SoftmaxCE, Tanh
from handgrad.expression import parse_model


def small(rng=0, dtype=np.float64):
    rng = np.random.default_rng(rng)
    return Sequential(FC(4, 5, rng=rng, dtype=dtype), ReLU(), FC(5, 3, rng=rng, dtype=dtype))


def test_parameters_are_views_of_one_vector(rng):
    model = small()
    assert list(model.params) == ["0.W", "0.b", "2.W", "2.b"]
    flat = model.params.flat
    assert flat.shape == (4 * 5 + 5 + 5 * 3 + 3,) and flat.flags.c_contiguous
    assert model.params["0.W"] is model.layers[0].W and np.shares_memory(flat, model.layers[0].W)
    model.params.flat -= 1
    assert model.params.flat is flat
    np.testing.assert_array_equal(flat[:20].reshape(5, 4), model.layers[0].W)
    model.params.flat = np.arange(flat.size)
    assert model.layers[2].b.tolist() == [40, 41, 42]
    with pytest.raises(ValueError, match="vector of all parameters has the shape"):
        model.params.flat = np.zeros(3)
    with pytest.raises(ValueError, match=r"parameter 0.W has the shape \(5, 4\), got .*\(4, 5\)"):
        model.params["0.W"] = np.zeros((4, 5))


def test_gradients_are_views_of_one_vector_and_flat_follows_edits(rng):
    model = small()
    y = model.forward(rng.standard_normal((6, 4)))
    _, grads = model.backward(rng.standard_normal(y.shape))
    assert isinstance(grads, dict) and list(grads) == list(model.params)
    assert all(np.shares_memory(grads.flat, g) for g in grads.values())
    np.testing.assert_array_equal(grads.flat, np.concatenate([g.ravel() for g in grads.values()]))
    grads["0.b"] = np.full(5, 7.0)
    assert grads.flat[20:25].tolist() == [7] * 5
    assert np.array_equal(pickle.loads(pickle.dumps(grads)).flat, grads.flat)


def test_a_layer_in_two_models_keeps_one_set_of_parameters(rng):
    model = small()
    flat = model.params.flat
    features = Sequential(*model.layers[:2])
    assert np.shares_memory(features.params.flat, flat) and model.params.flat is flat
    other = Sequential(model.layers[2], Tanh())  # then a model that moves the arrays elsewhere
    shuffled = Sequential(model.layers[2], FC(3, 4, dtype=np.float64), model.layers[0])
    shuffled.params.flat[:] = 3
    assert (model.params["0.W"] == 3).all() and (model.params.flat == 3).all() and (other.params["0.b"] == 3).all()
    SGD(model.params, 1.0).step({name: np.ones(p.shape) for name, p in model.params.items()})
    assert (shuffled.params["2.W"] == 2).all() and (features.params["0.W"] == 2).all()


def test_nested_models_share_the_outer_vector(rng):
    inner = small()
    outer = Sequential(FC(2, 4, dtype="float64"), inner, Sequential(Sequential(Tanh())))
    flat = outer.params.flat
    assert list(outer.params) == ["0.W", "0.b", "1.0.W", "1.0.b", "1.2.W", "1.2.b"]
    assert np.shares_memory(inner.params.flat, flat)
    assert outer.params.flat is flat
    inner.params.flat[:] = 9
    assert (outer.params["1.2.W"] == 9).all()


def test_two_forwards_then_backward_of_the_last(rng):
    model = small()
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((2, 4))
    model.forward(b)
    expected = model.backward(np.ones((2, 3)))
    model.forward(a)
    model.forward(b)
    model.layers[0].forward(a)  # a layer called on its own does not disturb its model
    dx, grads = model.backward(np.ones((2, 3)))
    np.testing.assert_array_equal(dx, expected[0])
    np.testing.assert_array_equal(grads.flat, expected[1].flat)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: m.forward(np.ones((2, 5))), ValueError, r"^Sequential\[0\] FC\(4, 5.*\): input must be \[B x 4\]"),
        (lambda m: Sequential(Tanh(), m).predict(np.ones((2, 5))), ValueError, r"^Sequential\[1\]\[0\] FC\(4, 5"),
        (lambda m: m.backward(np.ones((2, 3))), RuntimeError, "^Sequential: backward found self"),
        (lambda m: (m.forward(np.ones((2, 4))), m.backward(np.ones((2, 2)))), ValueError, r"^Sequential\[2\] FC\(5, 3"),
        (
            lambda m: Sequential(m.layers[0], FC(6, 2, dtype="f8")).forward(np.ones((2, 4))),
            ValueError,
            r"^Sequential\[1\]",
        ),
        (lambda m: Sequential(FC(2, 2), m), TypeError, "0.W is float32, 1.0.W is float64"),
        (lambda m: Sequential(ReLU), TypeError, r"^Sequential\[0\] must be a layer.*write ReLU\(\.\.\.\)"),
        (lambda m: Sequential(ReLU(), 3), TypeError, r"^Sequential\[1\] must be a layer, got 3"),
    ],
)
def test_errors_name_the_layer_and_its_place(call, kind, words):
    with pytest.raises(kind, match=words):
        call(small())


@pytest.mark.parametrize(
    ("grads", "words"),
    [
        ({}, r"^Sequential\[0\] Wrong\(\): backward must return gradients of \['W'\], got \[\]"),
        ({"W": np.zeros(3)}, r"^Sequential\[0\] Wrong\(\): gradient of W must be \(2,\), got \(3,\)"),
    ],
)
def test_a_layer_of_ones_own_that_returns_wrong_gradients(grads, words):
    from handgrad import Param

    class Wrong(Layer):
        W = Param()

        def __init__(self):
            self.W = np.ones(2)

        def forward(self, x):
            self.cache = x
            return x

        def backward(self, upstream):
            return upstream, grads

    model = Sequential(Wrong())
    model.forward(np.ones((1, 2)))
    with pytest.raises(ValueError, match=words):
        model.backward(np.ones((1, 2)))


def test_repr_can_be_pasted_back(rng):
    fc = FC(4, 4, bias=False, init="glorot", dtype="float64")
    model = Sequential(Flatten(), fc, Dropout(0.25), Sequential(Tanh(), fc), FC(4, 2, dtype="float64"))
    again = eval(repr(model))
    assert repr(again) == repr(model)
    twice = Sequential(fc, ReLU(), fc)
    again = eval(repr(twice))
    assert again.layers[0] is again.layers[2] and list(again.params) == ["0.W"] == list(twice.params)


def test_summary_shows_layers_shapes_and_counts():
    text = Sequential(Flatten(), FC(784, 16), Sequential(ReLU(), FC(16, 10))).summary((28, 28))
    rows = [line.split() for line in text.splitlines()]
    assert ["1", "FC(784,", "16)", "[B", "x", "16]", "12,560"] in rows
    assert ["2.1", "FC(16,", "10)", "[B", "x", "10]", "170"] in rows
    assert "[B x 28 x 28]" in text and "total" in text and "12,730" in text
    assert "[B x 4]" in small().summary() and "?" in Sequential(ReLU()).summary()
    fc = FC(3, 3)
    assert "shared" in Sequential(fc, fc).summary()


def test_astype_in_place_and_the_optimizer_follows(rng):
    model = small(dtype=np.float32)
    sgd = SGD(model.params, 0.1, momentum=0.5, weight_decay=0.1)
    assert model.astype(np.float64) is model
    assert model.params.flat.dtype == np.float64 == model.forward(rng.standard_normal((2, 4))).dtype
    _, grads = model.backward(np.ones((2, 3)))
    sgd.step(grads)
    assert model.params.flat.dtype == np.float64 == sgd.state["0.W"].dtype
    with pytest.raises(TypeError, match="floating type"):
        model.astype(int)


def test_save_and_load(tmp_path, rng):
    model, path = small(), tmp_path / "weights.npz"
    model.save(path)
    other = small(1).astype(np.float32)
    assert other.load(path) is other
    np.testing.assert_allclose(other.params.flat, model.params.flat, rtol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.npz"]
    with np.load(path, allow_pickle=False) as archive:
        assert archive["0.W"].shape == (5, 4)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    model, path = small(), tmp_path / "weights.npz"
    model.save(path)
    before = path.read_bytes()
    model.params.flat += 1
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        model.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["weights.npz"]


def test_loading_what_does_not_fit_says_all_of_it_and_changes_nothing(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **{"0.W": np.zeros((5, 4)), "0.b": np.zeros(4), "2.W": np.full((3, 5), "x"), "9.W": np.zeros(2)})
    model = small()
    before = model.params.flat.copy()
    with pytest.raises(ValueError) as caught:
        model.load(path)
    for words in ("missing 2.b (3,)", "unexpected 9.W (2,)", "0.b has shape (4,), expected (5,)", "2.W has dtype <U1"):
        assert words in str(caught.value)
    np.testing.assert_array_equal(model.params.flat, before)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text", "truncated", "pickle", "single"])
def test_loading_what_is_no_file_of_weights(tmp_path, content):
    path = tmp_path / "w.npz"
    if content == "truncated":
        small().save(path)
        path.write_bytes(path.read_bytes()[:-40])
    elif content == "pickle":
        np.savez(path, a=np.array([{}], object))
    elif content == "single":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.npz: expected an \.npz file of plain arrays"):
        small().load(path)
    with pytest.raises(FileNotFoundError):
        small().load(tmp_path / "none.npz")


def test_scipy_can_drive_the_model(rng):
    model, loss = Sequential(FC(3, 4, rng=0), Sigmoid(), FC(4, 1, rng=1)).astype(np.float64), MSE()
    x = rng.standard_normal((20, 3))
    targets = np.sin(x.sum(axis=1, keepdims=True))

    def value_and_gradient(w):
        model.params.flat = w
        value = loss.forward(model.forward(x), targets)
        return value, model.backward(loss.backward())[1].flat

    first = value_and_gradient(model.params.flat.copy())[0]
    result = scipy.optimize.minimize(value_and_gradient, model.params.flat.copy(), jac=True, method="L-BFGS-B")
    assert result.fun < first / 20


def sgd_by_hand(w, gradients, lr, momentum, nesterov, decay):
    v = np.zeros_like(w)
    for g in gradients:
        g = g + decay * w
        v = momentum * v + g
        w = w - lr * (g + momentum * v if nesterov else v)
    return w


@pytest.mark.parametrize("momentum, nesterov", [(0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("weight_decay", [0, 0.05])
def test_sgd_does_as_its_formula_says(momentum, nesterov, weight_decay, rng):
    model = small()
    gradients = [{n: rng.standard_normal(p.shape) for n, p in model.params.items()} for _ in range(4)]
    kept = copy.deepcopy(gradients)
    expected = {
        name: sgd_by_hand(p, [g[name] for g in kept], 0.1, momentum, nesterov, weight_decay if p.ndim > 1 else 0)
        for name, p in model.params.items()
    }
    sgd = SGD(model.params, lr=0.1, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
    for grads in gradients:
        sgd.step(grads)
    for name, p in model.params.items():
        np.testing.assert_allclose(p, expected[name], rtol=1e-13)
    assert all(np.array_equal(a[n], b[n]) for a, b in zip(gradients, kept, strict=True) for n in a)


def test_which_parameters_decay_is_a_choice(rng):
    for decay, changed in (("weights", "WW"), ("all", "WbWb"), ({"0.b"}, "b"), ([], "")):
        model = small()
        model.params.flat[:] = 1
        SGD(model.params, 1.0, weight_decay=0.5, decay=decay).step(
            {n: np.zeros(p.shape) for n, p in model.params.items()}
        )
        assert "".join(n[-1] for n, p in model.params.items() if (p == 0.5).all()) == changed
    with pytest.raises(ValueError, match="decay must be"):
        SGD(small().params, 1.0, weight_decay=0.5, decay={"7.W"})


def test_sgd_state_is_saved_and_restored_by_name(tmp_path, rng):
    def step(model, sgd):
        sgd.step({n: np.cos(np.arange(p.size)).reshape(p.shape) for n, p in model.params.items()})

    a, b = small(), small()
    sgd_a, sgd_b = (SGD(m.params, 0.1, momentum=0.9) for m in (a, b))
    step(a, sgd_a)
    a.save(tmp_path / "w.npz")
    sgd_a.save(tmp_path / "s.npz")
    step(a, sgd_a)
    b.load(tmp_path / "w.npz")
    sgd_b.load(tmp_path / "s.npz")
    step(b, sgd_b)
    np.testing.assert_array_equal(a.params.flat, b.params.flat)
    assert list(sgd_a.state) == list(a.params)
    wrong = Sequential(FC(4, 5))
    with pytest.raises(ValueError, match=r"unexpected 2.W"):
        SGD(wrong.params, 0.1, momentum=0.9).load(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": 0}, "lr must be a positive number"),
        ({"lr": float("nan")}, "lr must be"),
        ({"lr": 1, "momentum": 1}, r"momentum must lie in \[0, 1\)"),
        ({"lr": 1, "weight_decay": -1}, "weight_decay must be"),
        ({"lr": 1, "nesterov": True}, "nesterov needs a momentum"),
    ],
)
def test_sgd_options_that_make_no_sense(options, words):
    with pytest.raises(ValueError, match=words):
        SGD(small().params, **options)


def test_sgd_names_gradients_that_do_not_fit():
    model = small()
    sgd, zero = SGD(model.params, 0.1), {n: np.zeros(p.shape) for n, p in model.params.items()}
    with pytest.raises(ValueError, match=r"missing 0.W; unexpected w"):
        sgd.step({"w" if n == "0.W" else n: g for n, g in zero.items()})
    with pytest.raises(ValueError, match=r"gradient 0.b must be \(5,\), got \(1, 5\)"):
        sgd.step({**zero, "0.b": np.zeros((1, 5))})
    with pytest.raises(TypeError, match="params must be"):
        SGD([np.zeros(3)], 0.1)


def test_pickled_model_and_optimizer_stay_together(rng):
    model = small()
    sgd = SGD(model.params, 0.1, momentum=0.9)
    model2, sgd2 = pickle.loads(pickle.dumps((model, sgd)))
    x, y = rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    for m, s in ((model, sgd), (model2, sgd2)):
        loss = SoftmaxCE()
        for _ in range(3):
            loss.forward(m.forward(x), y)
            s.step(m.backward(loss.backward())[1])
    np.testing.assert_array_equal(model.params.flat, model2.params.flat)


def test_arrays_taken_from_a_model_stay_its_own(rng):
    fc = FC(4, 3, rng=rng)
    model = Sequential(fc, ReLU())
    W = fc.W
    optimizer = SGD(model.params, lr=1.0)
    model.forward(np.ones((2, 4)))
    optimizer.step(model.backward(np.ones((2, 3)))[1])
    assert W is fc.W is model.params["0.W"] and np.shares_memory(W, model.params.flat)


def test_a_layer_shared_across_nested_models_is_written_once(rng, tmp_path):
    shared = FC(4, 4, rng=rng)
    model = Sequential(Sequential(shared, ReLU()), shared)
    again = parse_model(repr(model))
    assert again.layers[0].layers[0] is again.layers[1] and set(again.params) == set(model.params)
    model.save(tmp_path / "w.npz")
    x = rng.standard_normal((3, 4))
    np.testing.assert_allclose(again.load(tmp_path / "w.npz").predict(x), model.predict(x), rtol=1e-6)


def test_layers_with_arguments_of_numpy_or_callables_are_written_and_pickled():
    assert repr(LeakyReLU(np.float64(0.25))) == "LeakyReLU(negative_slope=0.25)"
    layer = pickle.loads(pickle.dumps(FC(2, 3, init=lambda shape, rng: np.ones(shape))))
    assert (layer.W == 1).all() and parse_model(repr(layer)).layers[0].W.shape == (3, 2)


def test_a_misfit_in_a_summary_is_placed():
    with pytest.raises(ValueError, match=r"^Sequential\[1\] FC\(6, 2\): input must be"):
        Sequential(FC(4, 5), FC(6, 2)).summary()


@pytest.mark.parametrize("damage", ["encrypted", "header", "huge", "member", "compressed"])
def test_damaged_files_of_weights_are_named(damage, tmp_path):
    path = tmp_path / "w.npz"
    model = Sequential(FC(20, 30))
    if damage == "member":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("note.txt", "hello")
    elif damage == "compressed":
        np.savez_compressed(path, **model.params)
        content = bytearray(path.read_bytes())
        content[200:260] = bytes(60)
        path.write_bytes(content)
    else:
        model.save(path)
        content = path.read_bytes()
        if damage == "encrypted":
            content = content.replace(b"PK\x03\x04\x2d\x00\x00", b"PK\x03\x04\x2d\x00\x01")
            content = content.replace(b"PK\x01\x02\x2d\x03\x2d\x00\x00", b"PK\x01\x02\x2d\x03\x2d\x00\x01")
        elif damage == "header":
            content = content.replace(b"'descr': ", b"'descr'  ")
        else:
            content = content.replace(b"(30, 20), }      ", b"(30000000000, 20)}")[: len(content)]
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.npz: "):
        model.load(path)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("own_blas", [True, False])
@pytest.mark.parametrize("mixed", [False, True])
def test_updates_of_long_vectors(options, dtype, own_blas, mixed, rng, monkeypatch):
    """Those are left to the BLAS, where there is one that can be asked; gradients may be of another dtype."""
    if not own_blas:
        monkeypatch.setattr("handgrad.blas.BLAS", None)
    fc = FC(300, 251, rng=0, dtype=dtype)
    fc.b = rng.standard_normal(251)
    optimizer = SGD(fc.params, 0.3, decay="all", **options)
    w, v = fc.params.flat.astype(np.float64), 0.0
    given = np.float64 if mixed else fc.dtype
    momentum = options.get("momentum", 0)
    for _ in range(3):
        grads = {name: rng.standard_normal(array.shape).astype(given) for name, array in fc.params.items()}
        optimizer.step(grads)
        g = np.concatenate([grads["W"].ravel(), grads["b"]]) + options.get("weight_decay", 0) * w
        v = momentum * v + g
        w = w - 0.3 * (g + momentum * v if options.get("nesterov") else v)
    np.testing.assert_allclose(fc.params.flat, w, rtol=0, atol=3e-6 if dtype == "float32" else 1e-14)
