"""Data sets, the embedded digits and mini-batches."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from handgrad.data import DataError, Dataset, batches, digits


def owner(array):
    """The array that owns the memory."""
    return array if array.base is None else array.base


def numbered(rows, dtype=np.float32):
    """x whose first column, and y, say which row each came from."""
    x = np.arange(rows * 3).reshape(rows, 3).astype(dtype)
    return x, np.arange(rows)


def test_list_of_batches_holds_every_row_with_its_label():
    x, y = numbered(50)
    found = list(batches(x, y, 4, rng=0))
    order = np.concatenate([labels for _, labels in found])
    assert sorted(order) == list(range(50))
    np.testing.assert_array_equal(np.concatenate([inputs for inputs, _ in found]), x[order])


def test_stored_order_without_rng_and_an_odd_last_batch():
    x, y = numbered(10)
    loader = batches(x, y, 4)
    found = list(loader)
    assert len(loader) == 3
    assert [len(inputs) for inputs, _ in found] == [4, 4, 2]
    assert [len(labels) for _, labels in found] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([inputs for inputs, _ in found]), x)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in found]), y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_the_stored_order_nothing_is_copied_that_need_not_be(dtype):
    x, y = numbered(10)
    for inputs, labels in batches(x, y, 4, dtype=dtype):
        assert np.shares_memory(inputs, x) == (dtype == x.dtype)
        assert np.shares_memory(labels, y)
        assert inputs.flags.writeable == (dtype != x.dtype)  # or an edit of the batch would be one of the data
        assert not labels.flags.writeable
    assert x.flags.writeable
    assert y.flags.writeable


@pytest.mark.parametrize(("rows", "size", "count"), [(1, 64, 1), (8, 4, 2), (9, 4, 3), (5, 1, 5)])
def test_number_of_batches(rows, size, count):
    loader = batches(*numbered(rows), size)
    assert len(loader) == len(list(loader)) == count


def test_each_epoch_is_another_whole_permutation():
    loader = batches(*numbered(101), 7, rng=np.random.default_rng(3))
    first, second = (np.concatenate([y.copy() for _, y in loader]) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(101))
    assert (first != second).any()
    assert (first != np.arange(101)).any()


def test_same_seed_same_batches():
    runs = [batches(*numbered(40), 8, rng=rng) for rng in (5, np.int64(5), np.random.default_rng(5))]
    orders = [[labels.tolist() for _ in range(3) for _, labels in loader] for loader in runs]
    assert orders[0] == orders[1] == orders[2]
    assert orders[0] != [labels.tolist() for _ in range(3) for _, labels in batches(*numbered(40), 8, rng=6)]


def test_buffers_come_round():
    loader = batches(*numbered(200, np.uint8), 4, rng=0)
    seen_x, seen_y, cache = set(), set(), None
    for x, y in loader:
        cache = x  # as a layer does until its next forward
        seen_x.add(owner(x).ctypes.data)
        seen_y.add(owner(y).ctypes.data)
    after_first_epoch = set(seen_x)
    for x, _ in loader:
        cache = x
        seen_x.add(owner(x).ctypes.data)
    assert cache is not None
    assert len(seen_x) <= 4
    assert len(seen_y) <= 4
    assert len(seen_x - after_first_epoch) <= 1  # the epochs' seam may take one more


@pytest.mark.parametrize(
    "view",
    [lambda a: a, lambda a: a[1:, :2], lambda a: a.T, memoryview],
    ids=["all", "part", "transposed", "memoryview"],
)
def test_a_held_batch_never_changes(view):
    x, y = numbered(60)
    loader = batches(x, y, 6, rng=1)
    held = []
    for inputs, labels in loader:
        held.append((view(inputs), np.array(view(inputs)), labels[::2], labels[::2].copy()))
    for _ in range(3):
        for inputs, labels in loader:
            inputs.fill(-1)
            labels.fill(-1)
    for inputs, copied, labels, labels_copied in held:
        np.testing.assert_array_equal(np.asarray(inputs), copied)
        np.testing.assert_array_equal(labels, labels_copied)


def test_two_passes_at_once_do_not_disturb_each_other():
    x, y = numbered(30)
    loader = batches(x, y, 5, rng=0)
    for (a, rows), (b, same_rows) in zip(loader, loader, strict=True):
        assert not np.shares_memory(a, b)
        np.testing.assert_array_equal(a, x[rows])
        np.testing.assert_array_equal(b, x[same_rows])


def test_held_batches_do_not_stop_the_reuse_for_ever():
    loader = batches(*numbered(80), 4, rng=0)
    kept = list(loader)
    seen = set()
    for inputs, _ in loader:
        seen.add(owner(inputs).ctypes.data)
    assert len(seen) <= 4
    assert not seen & {owner(inputs).ctypes.data for inputs, _ in kept}


def test_a_copy_goes_its_own_way():
    loader = batches(*numbered(20), 4, rng=0)
    twin = copy.deepcopy(loader)
    for (a, _), (b, _) in zip(loader, twin, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.shares_memory(a, b)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.bool_, ">i4"])
def test_integers_become_float32_times_scale(dtype):
    x = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    (found, labels), (last, _) = batches(x, [0, 1, 2], 2, scale=1 / 255)
    assert found.dtype == last.dtype == np.float32
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(found, x[:2].astype(np.float32) * np.float32(1 / 255))


def test_all_byte_values_survive():
    x = np.arange(256, dtype=np.uint8).reshape(-1, 1)
    for scale in (1.0, 1 / 255):
        found = np.concatenate([inputs for inputs, _ in list(batches(x, x[:, 0], 10, scale=scale))])
        np.testing.assert_array_equal(found, np.arange(256, dtype=np.float32)[:, None] * np.float32(scale))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_dtype_unless_told(dtype):
    x = np.linspace(0, 1, 12, dtype=dtype).reshape(6, 2)
    for inputs, _ in batches(x, np.zeros(6), 6, scale=0.5):
        assert inputs.dtype == dtype
        np.testing.assert_array_equal(inputs, x * dtype(0.5))
    for inputs, _ in batches(x, np.zeros(6), 6, dtype=np.float64):
        assert inputs.dtype == np.float64
        np.testing.assert_array_equal(inputs, x)
    for inputs, _ in batches(x, np.zeros(6), 6, dtype="float32"):
        assert inputs.dtype == np.float32


@pytest.mark.parametrize("arrange", [np.asfortranarray, lambda a: a[::-1, ::2], lambda a: a.astype(">f8")])
def test_any_memory_order_and_any_axes(arrange):
    x = arrange(np.random.default_rng(0).normal(size=(9, 4)))
    for inputs, rows in batches(x, np.arange(9), 4, rng=0):
        assert inputs.dtype.isnative
        np.testing.assert_array_equal(inputs, x[rows])
    images, targets = np.ones((5, 2, 3, 4)), np.ones((5, 2))
    assert [(a.shape, b.shape) for a, b in batches(images, targets, 5)] == [((5, 2, 3, 4), (5, 2))]


def test_inputs_and_global_random_state_are_left_alone():
    x, y = numbered(30)
    kept, state = x.copy(), np.random.get_state()
    for inputs, _ in batches(x, y, 4, rng=0, scale=0.5):
        inputs += 1
    np.testing.assert_array_equal(x, kept)
    assert all(np.array_equal(a, b) for a, b in zip(state, np.random.get_state(), strict=True))


X, Y = np.zeros((4, 2)), np.zeros(4, np.int64)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "words"),
    [
        (X, Y, {"batch_size": 0}, ValueError, "batch_size must be a whole number >= 1, got 0"),
        (X, Y, {"batch_size": -3}, ValueError, "got -3"),
        (X, Y, {"batch_size": 2.0}, ValueError, "got 2.0"),
        (X, Y, {"batch_size": True}, ValueError, "got True"),
        (X, Y[:3], {}, ValueError, r"same number of rows.*\(4, 2\) and \(3,\)"),
        (X[:0], Y[:0], {}, ValueError, r"at least one.*\(0, 2\)"),
        (1.0, Y, {}, ValueError, "x must hold one instance a row"),
        (X.astype(object), Y, {}, TypeError, "x must hold real numbers, got dtype object"),
        (X, Y.astype(object), {}, TypeError, "y must hold real numbers, got dtype object"),
        (X, ["a", "b", "c", "d"], {}, TypeError, "y must hold real numbers"),
        (X * 1j, Y, {}, TypeError, "complex128"),
        (X, Y, {"rng": "seed"}, TypeError, "rng must be a np.random.Generator.*'seed'"),
        (X, Y, {"rng": np.random.RandomState(0)}, TypeError, "rng must be a np.random.Generator"),
        (X, Y, {"rng": -1}, TypeError, "seed >= 0"),
        (X, Y, {"rng": True}, TypeError, "got True"),
        (X, Y, {"dtype": np.uint8}, TypeError, "floating dtype, got uint8"),
    ],
)
def test_what_batches_refuses(x, y, options, error, words):
    with pytest.raises(error, match=words):
        batches(x, y, **options)


def test_digits():
    train, test = digits()
    assert (len(train), len(test)) == (1437, 360)
    for data in (train, test):
        x, y = data
        assert x.shape == (len(data), 64)
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0, 1)
        assert y.dtype == np.int64
        assert data.stored.dtype == np.uint8
        assert data.classes == tuple("0123456789")
        assert set(y) == set(range(10))
    assert np.bincount(test.y).min() >= 25
    # The sums of the original, of all pixels and of all labels.
    assert int(train.stored.sum(dtype=int) + test.stored.sum(dtype=int)) == 561718
    assert int(train.y.sum() + test.y.sum()) == 8070


def test_digits_parts_share_no_row():
    train, test = digits()
    rows = {row.tobytes() for row in train.stored}
    assert not any(row.tobytes() in rows for row in test.stored)


def test_dataset_scales_on_access():
    data = Dataset(np.array([[0, 255]], np.uint8), np.array([1]), 1 / 255)
    x, y = data
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, [[0, 1]])
    assert y.tolist() == [1]
    assert data.stored.nbytes == 2
    assert Dataset(np.ones((2, 3)), np.zeros(2), 0.5).x.dtype == np.float64
    assert Dataset(np.ones((2, 3), np.float32), np.zeros(2), 0.5).x.dtype == np.float32


def test_dataset_may_be_unlabelled():
    data = Dataset(np.ones((2, 3)), np.empty(0, np.int64))
    assert not data.labelled
    assert len(data) == 2
    assert not data.rows(np.array([1])).labelled
    assert Dataset(np.ones((2, 3)), np.zeros(2)).labelled


def test_dataset_refuses_other_counts():
    with pytest.raises(DataError, match="2 rows and labels of shape"):
        Dataset(np.ones((2, 3)), np.zeros(3))
    with pytest.raises(DataError, match="at least one row"):
        Dataset(np.ones((0, 3)), np.zeros(0))
    with pytest.raises(DataError, match="at least two rows"):
        Dataset(np.ones((1, 3)), np.zeros(1)).split()


def test_split_is_fixed_and_whole():
    data = Dataset(np.arange(20).reshape(10, 2), np.arange(10), 1.0, ("a",))
    train, test = data.split()
    again, _ = data.split()
    assert (len(train), len(test)) == (8, 2)
    assert sorted([*train.y, *test.y]) == list(range(10))
    assert train.classes == ("a",)
    np.testing.assert_array_equal(train.stored[:, 0], 2 * train.y)
    np.testing.assert_array_equal(train.y, again.y)
