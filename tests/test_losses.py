"""The losses: values, gradients, extreme scores, and labels that are not what they should be."""

import copy
import pickle

import numpy as np
import pytest
import scipy.special

from handgrad import MSE, BinaryCE, SoftmaxCE


def soft(rng, rows, classes):
    return rng.dirichlet(np.ones(classes), rows)


CASES = {
    "SoftmaxCE": (SoftmaxCE, (5, 4), lambda rng: rng.integers(0, 4, 5)),
    "SoftmaxCE, batch of one": (SoftmaxCE, (1, 3), lambda rng: np.array([2])),
    "SoftmaxCE, soft labels": (SoftmaxCE, (5, 4), lambda rng: soft(rng, 5, 4)),
    "SoftmaxCE, batch = classes": (SoftmaxCE, (4, 4), lambda rng: rng.integers(0, 4, 4)),
    "BinaryCE [B]": (BinaryCE, (6,), lambda rng: rng.integers(0, 2, 6)),
    "BinaryCE [B x 1]": (BinaryCE, (6, 1), lambda rng: rng.integers(0, 2, 6)),
    "BinaryCE [B x K]": (BinaryCE, (4, 3), lambda rng: rng.uniform(size=(4, 3))),
    "BinaryCE, class numbers": (BinaryCE, (4, 3), lambda rng: rng.integers(0, 3, 4)),
    "MSE": (MSE, (4, 3), lambda rng: rng.standard_normal((4, 3))),
    "MSE [B]": (MSE, (4,), lambda rng: rng.standard_normal(4)),
    "MSE, class numbers": (MSE, (4, 3), lambda rng: rng.integers(0, 3, 4)),
}
each_loss = pytest.mark.parametrize("name", CASES)


def make(name, rng):
    loss, shape, labels = CASES[name]
    return loss(), 2 * rng.standard_normal(shape), labels(rng)


@each_loss
def test_backward_is_the_numeric_gradient(name, rng, numeric_gradient):
    loss, scores, labels = make(name, rng)
    assert isinstance(loss.forward(scores, labels), float)
    numeric = numeric_gradient(lambda: loss.predict(scores, labels), scores)
    np.testing.assert_allclose(loss.backward(), numeric, atol=1e-9)
    np.testing.assert_allclose(loss.backward(-1.7), -1.7 * numeric, atol=1e-9)


@each_loss
def test_contract(name, rng):
    loss, scores, labels = make(name, rng)
    with pytest.raises(RuntimeError, match="backward found self"):
        loss.backward()
    scores.flags.writeable = labels.flags.writeable = False
    value = loss.forward(scores, labels)
    first = loss.backward()
    kept = first.copy()
    assert first.shape == scores.shape
    assert not np.shares_memory(first, scores) and not np.shares_memory(first, labels)
    loss.predict(scores[::-1] + 1, labels)
    np.testing.assert_array_equal(loss.backward(), kept)
    loss.forward(-scores, labels)
    loss.backward(3)
    np.testing.assert_array_equal(first, kept)
    assert loss.forward(np.asfortranarray(scores), labels) == pytest.approx(value, rel=1e-14)
    assert loss.forward(scores.tolist(), labels.tolist()) == pytest.approx(value, rel=1e-5)
    assert loss.backward().dtype == np.float64
    loss.forward(scores.astype(np.float32), labels)
    assert loss.backward().dtype == np.float32
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert twin.cache is None
        assert twin.forward(scores, labels) == pytest.approx(value, rel=1e-14)
    with pytest.raises(ValueError, match="upstream must be one number"):
        loss.backward(np.ones(2))


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_for_every_finite_score(name, dtype, rng):
    loss, scores, labels = make(name, rng)
    largest = np.finfo(dtype).max
    for extreme in (1e4, 1e30, largest):
        for signs in (np.sign(scores), -np.sign(scores), np.ones(scores.shape), -np.ones(scores.shape)):
            value = loss.forward((signs * extreme).astype(dtype), labels)
            assert np.isfinite(value) and value >= 0
            if not (isinstance(loss, MSE) and extreme == largest):
                assert np.isfinite(loss.backward()).all()


@pytest.mark.parametrize("name", list(CASES)[:8])
def test_scores_that_are_not_finite_do_not_give_a_finite_loss(name, rng):
    loss, scores, labels = make(name, rng)
    scores.flat[0] = np.nan
    with np.errstate(invalid="ignore"):
        assert np.isnan(loss.forward(scores, labels))


def test_values_against_scipy(rng):
    scores, labels = 5 * rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    log_p = scipy.special.log_softmax(scores, axis=1)
    assert SoftmaxCE().forward(scores, labels) == pytest.approx(-log_p[np.arange(6), labels].mean(), rel=1e-13)
    t = soft(rng, 6, 4)
    assert SoftmaxCE().forward(scores, t) == pytest.approx(-(t * log_p).sum(axis=1).mean(), rel=1e-13)
    assert SoftmaxCE().forward(scores, np.eye(4, dtype=int)[labels]) == pytest.approx(
        SoftmaxCE().forward(scores, labels), rel=1e-13
    )
    z, y = 8 * rng.standard_normal(7), rng.integers(0, 2, 7)
    expected = -(y * scipy.special.log_expit(z) + (1 - y) * scipy.special.log_expit(-z)).mean()
    assert BinaryCE().forward(z, y) == pytest.approx(expected, rel=1e-13)


def test_binary_gradient_keeps_its_digits_where_the_label_is_nearly_met():
    loss = BinaryCE()
    loss.forward(np.array([40.0, -40.0]), [1, 0])
    np.testing.assert_allclose(loss.backward(2), [-np.exp(-40), np.exp(-40)], rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "scores", "labels", "kind", "words"),
    [
        (SoftmaxCE, (4, 3), [0, 1, 2, 3], ValueError, r"0\.\.2.*got 3 in row 3"),
        (SoftmaxCE, (3, 3), [1, 2, 3], ValueError, r"labels - 1 mends it"),
        (SoftmaxCE, (3, 3), [0, -1, 2], ValueError, r"got -1 in row 1"),
        (SoftmaxCE, (3, 4), [[0], [1], [2]], ValueError, r"\(3, 1\); labels.ravel\(\) mends it"),
        (SoftmaxCE, (3, 4), [0.0, 1.0, 2.0], TypeError, r"labels.astype\(int\) mends it"),
        (SoftmaxCE, (3, 4), [0, 1], ValueError, r"labels must be \[B\] = \(3,\), got \(2,\)"),
        (SoftmaxCE, (3, 4), ["a", "b", "c"], TypeError, "labels must be integers"),
        (SoftmaxCE, (2, 2), [[0.5, 0.4], [1, 0]], ValueError, "each row >= 0 with sum 1.*row 0"),
        (SoftmaxCE, (2, 2), [[1, 0], [2, -1]], ValueError, "row 1"),
        (SoftmaxCE, (4,), [0, 1, 2, 3], ValueError, r"scores must be \[B x C\], got \(4,\)"),
        (BinaryCE, (3,), [0, 2, 1], ValueError, "got 2 in row 1"),
        (BinaryCE, (3,), [1, -1, 1], ValueError, r"\(labels \+ 1\) // 2 mends it"),
        (BinaryCE, (3,), [[0], [1], [1]], ValueError, r"labels.ravel\(\) mends it"),
        (BinaryCE, (3,), [0, float("nan"), 1], ValueError, "got nan in row 1"),
        (BinaryCE, (3,), ["a", "b", "c"], TypeError, "labels must be 0 or 1"),
        (MSE, (3, 1), [1.0, 2.0, 3.0], ValueError, r"targets\[:, None\] mends it"),
        (MSE, (3,), ["a", "b", "c"], TypeError, "real numbers"),
        (MSE, (0,), [], ValueError, "scores must be"),
    ],
)
def test_labels_that_do_not_fit(loss, scores, labels, kind, words):
    with pytest.raises(kind, match=words):
        loss().forward(np.zeros(scores), labels)


def test_hits_count_the_rows_classified_right():
    scores = np.array([[2.0, 1, 0], [0, 1, 2], [0, 3, 1]])
    assert SoftmaxCE().hits(scores, np.array([0, 1, 1])) == 2
    assert SoftmaxCE().hits(scores, np.eye(3)[[0, 1, 1]]) == 2
    assert MSE().hits(scores, np.array([0, 1, 1])) == 2
    assert MSE().hits(scores, scores) is None
    assert BinaryCE().hits(np.array([[2.0], [-1], [3]]), np.array([1, 1, 0])) == 1


@pytest.mark.parametrize("loss", [SoftmaxCE(), BinaryCE(), MSE()])
def test_upstreams_and_labels_of_another_kind_are_named(loss):
    with pytest.raises(ValueError, match=f"{type(loss).__name__}.*labels must be a rectangular array"):
        loss.forward(np.ones((2, 3)), [[1], [0, 1]])
    loss.forward(np.ones((2, 3)), np.array([1, 0]))
    for upstream in (None, "a"):
        with pytest.raises(TypeError, match=f"{type(loss).__name__}.*upstream must be one real number"):
            loss.backward(upstream)


def test_labels_in_a_column_for_several_scores_say_how_to_mend_them():
    with pytest.raises(ValueError, match=r"labels.ravel\(\) mends it"):
        BinaryCE().forward(np.ones((2, 3)), [[0], [1]])
    with pytest.raises(ValueError, match=r"astype\(int\)"):
        MSE().forward(np.ones((2, 3)), [0.0, 1.0])
