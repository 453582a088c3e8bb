"""Mini-batches and the readers, on good files and on bad ones."""

import gzip
import struct

import numpy as np
import pytest

from handgrad.data import DataError, Dataset, batches, digits, load, load_rows, read_csv, read_idx, read_npz


def test_batches_are_whole_permutations(rng):
    x, y = np.arange(50.0).reshape(25, 2), np.arange(25)
    shuffled = batches(x, y, 4, rng=np.random.default_rng(1))
    epochs = [[(a.copy(), b.copy()) for a, b in shuffled] for _ in range(2)]
    orders = [np.concatenate([b for _, b in epoch]) for epoch in epochs]
    for epoch, order in zip(epochs, orders, strict=True):
        assert [len(b) for _, b in epoch] == [4] * 6 + [1] and len(shuffled) == 7
        assert sorted(order) == list(range(25))
        assert all(np.array_equal(a, x[b]) for a, b in epoch)
    assert not np.array_equal(*orders)
    again = np.concatenate([b for _, b in batches(x, y, 4, rng=1)])
    np.testing.assert_array_equal(again, orders[0])
    np.testing.assert_array_equal(np.concatenate([b for _, b in batches(x, y, 4)]), y)


def test_batches_can_be_kept_and_are_reused_when_they_are_not():
    x, y = np.arange(400, dtype=np.uint8).reshape(200, 2), np.arange(200)
    kept = list(batches(x, y, 3, rng=0))
    assert all(np.array_equal(a, x[b]) for a, b in kept)
    owners, before = set(), None
    for a, b in batches(x, y, 3, rng=0):
        owners.add(a.ctypes.data)
        if before is not None:  # a model that still holds the last batch does not see it change
            np.testing.assert_array_equal(before[0], before[1])
        before = a, a.copy()
        assert np.array_equal(a, x[b])
    assert len(owners) <= 3


def test_batches_convert_integers_on_the_way():
    x = np.array([[0, 51], [255, 102]], np.uint8)
    (a, _), *_ = batches(x, [0, 1], 2)
    assert a.dtype == np.float32 and a.tolist() == x.tolist()
    (a, _), *_ = batches(x, [0, 1], 2, scale=1 / 255)
    np.testing.assert_allclose(a, x / 255, rtol=1e-6)
    (a, _), *_ = batches(x, [0, 1], 2, scale=1 / 255, dtype=np.float64)
    np.testing.assert_allclose(a, x / 255, rtol=1e-15)
    (a, _), *_ = batches(x / 255, [0, 1], 2)
    assert a.dtype == np.float64
    before = np.random.get_state()[1].copy()
    list(batches(x, [0, 1], 1, rng=3))
    assert np.array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(
    ("x", "y", "options", "kind", "words"),
    [
        (np.ones((3, 2)), [0, 1], {}, ValueError, r"same number of rows, got \(3, 2\) and \(2,\)"),
        (np.ones((0, 2)), [], {}, ValueError, "same number of rows"),
        (np.ones((2, 2)), [0, 1], {"batch_size": 0}, ValueError, "batch_size must be a whole number >= 1, got 0"),
        (np.ones((2, 2)), [0, 1], {"batch_size": 2.5}, ValueError, "got 2.5"),
        (np.array([["a"]]), [0], {}, TypeError, "real numbers"),
        (np.ones((2, 2)), [0, 1], {"rng": "x"}, TypeError, "rng must be"),
    ],
)
def test_batches_of_what_is_no_data(x, y, options, kind, words):
    with pytest.raises(kind, match=words):
        batches(x, y, **options)


def test_digits():
    train, test = digits()
    assert (len(train), len(test)) == (1437, 360)
    x, y = train
    assert x.shape == (1437, 64) and x.dtype == np.float32 and x.min() == 0 and x.max() == 1
    assert y.dtype == np.int64 and set(y) == set(range(10)) and np.bincount(test.y).min() >= 25
    again, _ = digits()
    np.testing.assert_array_equal(x, again.x)
    assert int(train.stored.sum() + test.stored.sum()) == 561718  # the sum of all pixels in scikit-learn's copy


def idx(array, code=8):
    return struct.pack(">BBBB", 0, 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path, rng):
    """A folder as MNIST comes in, with 6 + 3 images of 2 x 3 pixels."""
    for part, n in (("train", 6), ("t10k", 3)):
        images, labels = rng.integers(0, 256, (n, 2, 3)).astype(np.uint8), np.arange(n, dtype=np.uint8)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_idx_folder(mnist):
    train, test = load(mnist)
    assert train.stored.shape == (6, 6) and train.stored.dtype == np.uint8 and len(test) == 3
    assert train.y.tolist() == list(range(6)) and train.classes == tuple("012345")
    np.testing.assert_allclose(train.x, train.stored / 255, rtol=1e-6)
    assert len(load_rows(mnist, 6)) == 3


@pytest.mark.parametrize("code, dtype", [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_idx_types(tmp_path, code, dtype):
    array = np.arange(-3, 3).reshape(2, 3).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array, code))
    read = read_idx(tmp_path / "a")
    assert read.dtype.isnative and np.array_equal(read, array)


LABELS = np.arange(6, dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train-labels-idx1-ubyte", idx(LABELS)[:-2], r"truncated: 6 entries take 14 bytes, the file has 12"),
        ("train-labels-idx1-ubyte", idx(LABELS) + b"xx", "too long"),
        ("train-labels-idx1-ubyte", b"", "expected an IDX file"),
        ("train-labels-idx1-ubyte", b"\0\0\x08\x01\0", "expected a header of 8 bytes"),
        ("train-labels-idx1-ubyte", b"<html>not found", "expected an IDX file.*3c 68 74 6d"),
        ("train-labels-idx1-ubyte", gzip.compress(idx(LABELS))[:-9], "whole gzip file"),
        ("train-labels-idx1-ubyte", idx(LABELS[:0]), "empty"),
        ("train-labels-idx1-ubyte", idx(LABELS[:5]), "6 images, but train-labels-idx1-ubyte holds 5 labels"),
        ("train-labels-idx1-ubyte", idx(np.zeros((6, 2, 3), np.uint8)), "are these the images"),
        ("train-labels-idx1-ubyte", idx(LABELS.view("i1") - 1, 9), "whole labels >= 0"),
        ("train-images-idx3-ubyte.gz", gzip.compress(idx(LABELS)), "are these the labels"),
        (
            "train-images-idx3-ubyte.gz",
            idx(np.zeros((6, 3, 3), np.uint8)),
            "training images have 9 pixels, test images 6",
        ),
        ("train-images-idx3-ubyte.gz", idx(np.full((6, 2, 3), np.nan, ">f4"), 13), "image 0 holds a NaN"),
    ],
)
def test_bad_idx_files_are_named(mnist, name, content, words):
    (mnist / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        load(mnist)
    assert str(mnist) in str(caught.value)


def test_missing_idx_file_is_named(mnist):
    (mnist / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"expected t10k-labels-idx1-ubyte \(or .gz\).*holds t10k-images"):
        load(mnist)


def test_npz(tmp_path, rng):
    x, y = rng.integers(0, 256, (10, 2, 2)).astype(np.uint8), np.arange(10) % 3
    path = tmp_path / "a.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x[:4], y_test=y[:4, None])
    train, test = load(path)
    assert train.stored.shape == (10, 4) and test.y.tolist() == y[:4].tolist() and train.scale == 1 / 255
    np.savez(path, X=x / 2, Y=y)
    train, test = load(path)
    assert (len(train), len(test)) == (8, 2) and train.scale == 1
    assert len(load_rows(path, 4)) == 10
    np.savez(path, x=x)
    assert not load_rows(path, 4).labelled
    with pytest.raises(DataError, match="expected labels"):
        load(path)
    with pytest.raises(DataError, match="expected 5 features a row, as the model does, got 4"):
        load_rows(path, 5)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.ones(3)}, "expected arrays x and y.*holds a"),
        ({"x": np.ones((3, 2)), "y": np.arange(4)}, r"expected y of shape \(3,\).*got \(4,\)"),
        ({"x": np.array([[1, np.nan]]), "y": np.arange(1)}, "x row 0, feature 1 is nan"),
        ({"x": np.ones((2, 2)), "y": np.array([0, -1])}, "row 2 is -1"),
        ({"x": np.ones((2, 2)), "y": np.array([0, np.nan])}, "a NaN in row 2"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, "expected numbers"),
        ({"x": np.array(["a"]), "y": np.zeros(1)}, "expected numbers"),
        ({"x_train": np.ones((2, 2)), "y_train": np.zeros(2)}, "expected x_test, y_test beside x_train"),
        ({"x": np.array([{}], object), "y": np.zeros(1)}, "Python objects"),
    ],
)
def test_bad_npz_files_are_named(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=words) as caught:
        load(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)


def test_damaged_npz_is_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"a\.npz: expected an \.npz file"):
        read_npz(tmp_path / "a.npz")


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "label", "x", "y", "classes"),
    [
        ("1,2,0\n3,4,1\n", None, [[1, 2], [3, 4]], [0, 1], ("0", "1")),
        ("label,a,b\n1,2,3\n0,5,6\n", None, [[2, 3], [5, 6]], [1, 0], ("0", "1")),
        (
            'a,b,"species"\r\n1,2,"se, tosa"\r\n3,4,virginica\r\n',
            None,
            [[1, 2], [3, 4]],
            [0, 1],
            ("se, tosa", "virginica"),
        ),
        ("5.1,3.5,setosa\n\n7,2,other\n", None, [[5.1, 3.5], [7, 2]], [1, 0], ("other", "setosa")),
        ("1,2,0\n3,4,1\n", 0, [[2, 0], [4, 1]], [1, 3], ("0", "1", "2", "3")),
        ("a,kind,b\n1,x,2\n3,y,4\n", "kind", [[1, 2], [3, 4]], [0, 1], ("x", "y")),
        ("1,2,0.5\n3,4,1.5\n", -1, [[1, 2], [3, 4]], [0.5, 1.5], ()),
    ],
)
@pytest.mark.parametrize("ending", ["a.csv", "a.csv.gz"])
def test_csv(tmp_path, text, label, x, y, classes, ending):
    data = read_csv(write(tmp_path / ending, text), label=label)
    np.testing.assert_allclose(data.x, x, rtol=1e-6)
    assert data.y.tolist() == y and data.classes == classes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("a,b,label\n", "only the header line"),
        ("1,2,0\n3,4\n", "expected 3 columns as in the first line, but line 2 has 2"),
        ("1,2,0\n3,4,1,9\n", "line 2 has 4"),
        ("1,2,0\n3,x,1\n", "expected a number in line 2, column 2, but it says 'x'"),
        ("1,2,0\n3,,1\n", "line 2, column 2, but it says ''"),
        ("1,2,0\n3,nan,1\n", "row 2, feature 2 is nan"),
        ("1,inf,0\n", "feature 2 is inf"),
        ("1;2;0\n3;4;1\n", "one column; is the separator a comma"),
        ("1,2,-1\n3,4,1\n", "row 1 is -1"),
    ],
)
def test_bad_csv_files_are_named(tmp_path, text, words):
    with pytest.raises(DataError, match=words) as caught:
        load(write(tmp_path / "a.csv", text))
    assert "a.csv" in str(caught.value)


def test_csv_that_is_no_text_and_columns_that_are_not_there(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="comma-separated"):
        load(tmp_path / "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(b"plain")
    with pytest.raises(DataError, match="comma-separated"):
        load(tmp_path / "a.csv.gz")
    path = write(tmp_path / "b.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match="expected a column named 'c', but it has a, b"):
        load(path, label="c")
    with pytest.raises(DataError, match="label column from 0 to 1"):
        load(path, label=7)


def test_rows_to_predict_may_lack_labels(tmp_path):
    path = write(tmp_path / "a.csv", "1,2,0\n3,4,1\n")
    assert not load_rows(path, 3).labelled and load_rows(path, 2).y.tolist() == [0, 1]
    with pytest.raises(DataError, match="expected 7 columns, or 8 with labels, but it has 3"):
        load_rows(path, 7)


@pytest.mark.parametrize("name", ["none", "a.txt"])
def test_what_is_no_data_at_all(tmp_path, name):
    if name == "a.txt":
        write(tmp_path / name, "1,2\n")
    with pytest.raises(DataError, match=f"{name}.*IDX"):
        load(tmp_path / name)


def test_a_data_set_has_a_label_for_each_row():
    with pytest.raises(DataError, match="3 rows and 2 labels"):
        Dataset(np.ones((3, 1)), np.arange(2))
    with pytest.raises(DataError, match="at least one row"):
        Dataset(np.ones((0, 1)), np.arange(0))
    with pytest.raises(DataError, match="two rows to be split"):
        Dataset(np.ones((1, 1)), np.arange(1)).split()
