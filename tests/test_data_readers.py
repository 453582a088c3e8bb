"""The readers of IDX, .npz and .csv files, and what they say of files that are no good."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from handgrad.data import DataError, load, load_rows, read_csv, read_idx, read_idx_folder, read_npz

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array):
    """The bytes of an IDX file."""
    code = CODES[f"{array.dtype.kind}{array.dtype.itemsize}"]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def says(*words):
    """The reader raises one sentence that holds each of the words."""

    class Check:
        def __enter__(self):
            self.context = pytest.raises(DataError)
            self.info = self.context.__enter__()

        def __exit__(self, *error):
            caught = self.context.__exit__(*error)
            for word in words:
                assert word in str(self.info.value)
            assert "\n" not in str(self.info.value)
            return caught

    return Check()


# IDX

IMAGES = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3) * 20
LABELS = np.array([4, 1], np.uint8)
PARTS = {
    "train-images-idx3-ubyte": IMAGES,
    "train-labels-idx1-ubyte": LABELS,
    "t10k-images-idx3-ubyte": IMAGES[:1],
    "t10k-labels-idx1-ubyte": LABELS[1:],
}


@pytest.fixture
def folder(tmp_path):
    for name, array in PARTS.items():
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_types(tmp_path, dtype, zipped):
    array = np.array([[1, 2, 3], [100, 50, 0]]).astype(dtype)
    path = tmp_path / ("a.gz" if zipped else "a")
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    found = read_idx(path)
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["starts with 00 00", "nothing"]),
        (b"\0\0", ["starts with 00 00", "got 00 00"]),
        (b"PK\3\4rest", ["starts with 00 00", "50 4b 03 04"]),
        (b"\0\0\x0a\1\0\0\0\1\0", ["type", "byte 2", "08, 09, 0b, 0c, 0d, 0e", "got 0a"]),
        (b"\0\0\x08\3\0\0\0\1", ["truncated", "header of 16 bytes", "8"]),
        (idx(IMAGES)[:-5], ["truncated", "2 x 2 x 3", "file of 28 bytes", "it has 23"]),
        (idx(IMAGES) + b"more", ["trailing bytes", "file of 28 bytes", "it has 32"]),
        (idx(IMAGES[:0]), ["empty", "0 x 2 x 3"]),
        (b"\0\0\x08\0", ["empty", "no entries"]),
        (gzip.compress(idx(IMAGES), mtime=0)[:-12], ["whole gzip", "truncated"]),
        (gzip.compress(idx(IMAGES), mtime=0)[:-8] + b"12345678", ["whole gzip", "damaged"]),
    ],
)
def test_idx_damaged(tmp_path, content, words):
    path = tmp_path / "images"
    path.write_bytes(content)
    with says(str(path), "expected" if "whole gzip" in words else "", *words):
        read_idx(path)


def test_idx_missing_or_not_gzip(tmp_path):
    with says("none-here", "no such file"):
        read_idx(tmp_path / "none-here")
    with says(str(tmp_path), "a folder"):
        read_idx(tmp_path)
    (tmp_path / "a.gz").write_bytes(idx(IMAGES))
    with says("a.gz", "expected a gzip file", "00 00"):
        read_idx(tmp_path / "a.gz")


def test_idx_folder(folder):
    train, test = load(folder)
    assert (train.stored.shape, test.stored.shape) == ((2, 6), (1, 6))
    assert train.stored.dtype == np.uint8
    assert train.y.dtype == test.y.dtype == np.int64
    assert train.y.tolist() == [4, 1]
    assert train.classes == test.classes == tuple("01234")
    np.testing.assert_allclose(train.x, IMAGES.reshape(2, 6) / 255, rtol=1e-6)
    np.testing.assert_array_equal(load_rows(folder, 6).stored, test.stored)
    with says("expected 7 features", "got 6"):
        load_rows(folder, 7)


def test_idx_folder_in_other_spellings(tmp_path):
    for name, array in PARTS.items():
        spelt = name.replace("-idx", ".idx") + (".gz" if "labels" in name else "")
        (tmp_path / spelt).write_bytes(gzip.compress(idx(array)) if "labels" in name else idx(array))
    assert len(read_idx_folder(str(tmp_path))[0]) == 2


def test_idx_floats_are_not_scaled(folder):
    for part in ("train", "t10k"):
        name = f"{part}-images-idx3-ubyte"
        (folder / name).write_bytes(idx(PARTS[name].astype("f8")))
    train, _ = load(folder)
    assert train.scale == 1
    assert train.x.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("train-images-idx3-ubyte", LABELS, ["train-images", "expected images", "(2,)", "labels?"]),
        ("train-labels-idx1-ubyte", IMAGES, ["train-labels", "expected labels", "(2, 2, 3)", "images?"]),
        ("train-labels-idx1-ubyte", LABELS[:1], ["train-images", "got 2", "1 labels in train-labels"]),
        ("t10k-images-idx3-ubyte", IMAGES, ["t10k-images", "got 2", "1 labels in t10k-labels"]),
        ("t10k-images-idx3-ubyte", IMAGES[:1, :, :2], ["one size", "2 x 3", "2 x 2"]),
        ("train-labels-idx1-ubyte", np.array([0, -2], "i1"), ["label [1]", ">= 0", "-2"]),
        ("train-labels-idx1-ubyte", np.array([0, 0.5], "f4"), ["label [1]", "whole number", "0.5"]),
        ("train-labels-idx1-ubyte", np.array([np.nan, 0], "f4"), ["label [0]", "finite", "nan"]),
    ],
)
def test_idx_folder_mislabelled(folder, name, array, words):
    (folder / name).write_bytes(idx(array))
    with says(*words):
        load(folder)


def test_idx_folder_with_nan(folder):
    images = IMAGES.astype("f4")
    images[1, 0, 2] = np.nan
    (folder / "train-images-idx3-ubyte").write_bytes(idx(images))
    with says("train-images", "pixel [1, 0, 2]", "nan"):
        load(folder)


def test_idx_folder_incomplete(folder):
    (folder / "t10k-labels-idx1-ubyte").rename(folder / "other")
    with says(str(folder), "t10k-labels-idx1-ubyte.gz", "t10k-labels.idx1-ubyte", "it holds other"):
        load(folder)
    (folder / "empty").mkdir()
    with says("empty", "it holds nothing"):
        load(folder / "empty")
    with says("no such folder"):
        read_idx_folder(folder / "missing")


# npz


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


X = np.arange(20, dtype=np.uint8).reshape(10, 2)
Y = np.arange(10) % 3


def test_npz_with_a_test_part(tmp_path):
    images = np.arange(48, dtype=np.uint8).reshape(4, 3, 4)
    path = npz(tmp_path / "m.npz", x_train=images, y_train=Y[:4], x_test=images[:2], y_test=[5, 0])
    train, test = load(path)
    assert (train.stored.shape, test.stored.shape) == ((4, 12), (2, 12))
    assert train.scale == 1 / 255
    assert train.y.dtype == test.y.dtype == np.int64
    assert train.classes == test.classes == tuple("012345")
    np.testing.assert_array_equal(load_rows(path, 12).y, test.y)


@pytest.mark.parametrize("names", [("x", "y"), ("X", "Y"), ("data", "target"), ("Data", "Labels")])
def test_npz_without_a_test_part_is_split(tmp_path, names):
    path = npz(tmp_path / "d.npz", **dict(zip(names, (X, Y), strict=True)))
    train, test = load(path)
    assert (len(train), len(test)) == (8, 2)
    order = np.random.default_rng(0).permutation(10)
    np.testing.assert_array_equal(test.stored, X[order[:2]])
    np.testing.assert_array_equal(train.y, Y[order[2:]])
    rows = load_rows(path, 2)
    np.testing.assert_array_equal(rows.stored, X)
    np.testing.assert_array_equal(rows.y, Y)


def test_npz_labels(tmp_path):
    whole, _ = read_npz(npz(tmp_path / "a.npz", x=X, y=Y.astype(np.float64)))
    assert whole.y.dtype == np.int64
    np.testing.assert_array_equal(whole.y, Y)
    column, _ = read_npz(npz(tmp_path / "b.npz", x=X, y=Y[:, None]))
    np.testing.assert_array_equal(column.y, Y)
    targets, _ = read_npz(npz(tmp_path / "c.npz", x=X * 1.0, y=Y - 0.5))
    np.testing.assert_array_equal(targets.y, Y - 0.5)
    assert targets.classes == ()
    assert targets.scale == 1
    assert targets.x.dtype == np.float64
    many, _ = read_npz(npz(tmp_path / "d.npz", x=X, y=Y + 10**12))
    assert many.classes == ()
    np.testing.assert_array_equal(many.y, Y + 10**12)


def test_npz_words_are_numbered_alike_in_both_parts(tmp_path):
    words = {"y_train": ["dog", "cat", "ant"], "y_test": ["dog", "cow"]}
    path = npz(tmp_path / "a.npz", x_train=X[:3], x_test=X[:2], **words)
    train, test = load(path)
    assert train.classes == test.classes == ("ant", "cat", "cow", "dog")
    assert (train.y.tolist(), test.y.tolist()) == ([3, 1, 0], [3, 2])
    assert test.y.dtype == np.int64


def test_npz_without_labels(tmp_path):
    path = npz(tmp_path / "a.npz", x=X)
    rows = load_rows(path, 2)
    assert not rows.labelled
    assert rows.y.shape == (0,)
    assert rows.y.dtype == np.int64
    with says(str(path), "expected labels"):
        load(path)
    with says(str(path), "expected 5 features", "got 2"):
        load_rows(path, 5)


NAN = np.ones((4, 3))
NAN[2, 1] = np.nan
INF = np.ones((4, 2, 2), np.float32)
INF[3, 1, 0] = -np.inf


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": X, "b": Y}, ["x and y", "x_train", "it holds a, b"]),
        ({}, ["it holds nothing"]),
        ({"x_train": X, "y_train": Y, "x_test": X}, ["expected y_test", "it holds x_train, y_train, x_test"]),
        ({"x": X, "y": Y[:7]}, ["y of shape (10,)", "got (7,)"]),
        ({"x": X, "y": np.eye(10)}, ["y of shape (10,)", "got (10, 10)"]),
        ({"x": X.astype(object), "y": Y}, ["Python objects"]),
        ({"x": X * 1j, "y": Y}, ["expected numbers", "complex128"]),
        ({"x": X[:0], "y": Y[:0]}, ["shape (0, 2)"]),
        ({"x": np.float64(3), "y": Y}, ["shape ()"]),
        ({"x": NAN, "y": Y[:4]}, ["x[2, 1]", "finite", "nan"]),
        ({"x": INF, "y": Y[:4]}, ["x[3, 1, 0]", "finite", "-inf"]),
        ({"x": X, "y": np.where(Y == 2, np.nan, Y)}, ["y[2]", "nan"]),
        ({"x": X, "y": Y - 1}, ["y[0]", ">= 0", "-1"]),
        ({"x": X, "y": 1.0 - Y}, ["y[2]", ">= 0", "-1"]),
        ({"x": X, "y": Y * 1j}, ["labels", "complex128"]),
        ({"x": X[:1], "y": Y[:1]}, ["at least two rows"]),
        (
            {"x_train": X, "y_train": Y, "x_test": np.ones((10, 3)), "y_test": Y},
            ["as many features", "2", "3"],
        ),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y[1:]}, ["y_test of shape (10,)", "got (9,)"]),
    ],
)
def test_npz_refused(tmp_path, arrays, words):
    path = npz(tmp_path / "bad.npz", **arrays)
    with says(str(path), *words):
        load(path)


def test_npz_ignores_other_arrays(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=Y, notes=np.array([{"a": 1}], object))
    assert len(read_npz(path)[0]) == 10


def test_the_name_of_a_file_may_hold_anything(tmp_path):
    for ending in ("npz", "csv"):
        path = tmp_path / f"a {{0}} %s.{ending}"
        if ending == "npz":
            npz(path, x=X, y=Y - 1)
        else:
            csv(path, "1,2,-1\n3,4,0\n")
        with says(str(path), ">= 0"):
            load(path)


def test_npz_damaged(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=Y)
    whole = path.read_bytes()
    middle = whole.index(X.tobytes())
    for content in (b"", b"no zip at all", whole[:-30], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with says(str(path), "expected an .npz file"):
            load(path)
    path.write_bytes(whole[:middle] + b"\xff" + whole[middle + 1 :])
    with says(str(path), "damaged"):
        load(path)
    with open(path, "wb") as file:
        np.save(file, X)
    with says(str(path), "expected an .npz file"):
        load(path)


# csv


def csv(path, text):
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("text", "label", "x", "y", "classes"),
    [
        ("1,2,0\n3,4,2\n", None, [[1, 2], [3, 4]], [0, 2], "012"),
        ("a,b,c\n1,2,0\n3,4,2\n", None, [[1, 2], [3, 4]], [0, 2], "012"),
        ("label,p0,p1\n7,1,2\n0,3,4\n", None, [[1, 2], [3, 4]], [7, 0], "01234567"),
        ("a, Target ,b\n1,0,2\n3,1,4\n", None, [[1, 2], [3, 4]], [0, 1], "01"),
        ("x,y,class\n1,2,0\n3,4,1\n", None, [[1, 2], [3, 4]], [0, 1], "01"),
        ("y,a,b\n1,2,3\n0,4,5\n", None, [[2, 3], [4, 5]], [1, 0], "01"),
        ("a,b,c\n1,2,0\n3,4,1\n", "A", [[2, 0], [4, 1]], [1, 3], "0123"),
        ("1,2,0\n3,4,1\n", 0, [[2, 0], [4, 1]], [1, 3], "0123"),
        ("1,2,0\n3,4,1\n", -2, [[1, 0], [3, 1]], [2, 4], "01234"),
        ("1,2,b\n3,4,a\n5,6,b\n", None, [[1, 2], [3, 4], [5, 6]], [1, 0, 1], "ab"),
        ("1,2,y\n3,4,n\n", None, [[1, 2], [3, 4]], [1, 0], "ny"),
        ("cat,1,2\nant,3,4\n", 0, [[1, 2], [3, 4]], [1, 0], ("ant", "cat")),
        ("0,1,label\n1,2,b\n3,4,a\n", None, [[1, 2], [3, 4]], [1, 0], "ab"),
        ("0,1,outcome\n1,2,1\n3,4,0\n", None, [[1, 2], [3, 4]], [1, 0], "01"),
        ("label,0,1\n1,2,3\n0,4,5\n", None, [[2, 3], [4, 5]], [1, 0], "01"),
        ("1,2,0.0\r\n\r\n3,4,1e0\r\n\r\n", None, [[1, 2], [3, 4]], [0, 1], "01"),
        ("\ufeff 1 ,-2e-1, 0\n3,4,1", None, [[1, -0.2], [3, 4]], [0, 1], "01"),
        ('"a","b, c","d"\n"1",2,"x, y"\n3,4,z\n', None, [[1, 2], [3, 4]], [0, 1], ("x, y", "z")),
        ("1,2,0.5\n3,4,-1\n", None, [[1, 2], [3, 4]], [0.5, -1], ()),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_csv(tmp_path, text, label, x, y, classes, ending):
    data = read_csv(csv(tmp_path / f"a{ending}", text), label=label)
    assert data.stored.dtype == np.float32
    np.testing.assert_array_equal(data.stored, np.array(x, np.float32))
    assert data.y.tolist() == y
    assert data.y.dtype == (np.int64 if classes else np.float32)
    assert data.classes == tuple(classes)
    assert data.scale == 1


def test_csv_is_split(tmp_path):
    path = csv(tmp_path / "a.csv", "".join(f"{i},{i},{i % 2}\n" for i in range(10)))
    train, test = load(path)
    order = np.random.default_rng(0).permutation(10)
    assert test.stored[:, 0].tolist() == order[:2].tolist()
    assert train.stored[:, 0].tolist() == order[2:].tolist()
    assert load(path, label=0)[0].y.tolist() == order[2:].tolist()


@pytest.mark.parametrize(
    ("text", "label", "words"),
    [
        ("", None, ["the file is empty"]),
        ("\n \n", None, ["the file is empty"]),
        ("a,b,label\n", None, ["only the header line"]),
        ("1;2;0\n3;4;1\n", None, ["one column", "is the separator a comma?"]),
        ("1,2,0\n3,4\n", None, ["line 2", "expected 3 columns", "got 2"]),
        ("1,2,0\n3,4,1\n\n5,6,7,0\n", None, ["line 4", "expected 3 columns", "got 4"]),
        ("1,2,0\n3,oops,1\n", None, ["line 2, column 2", "expected a number", "'oops'"]),
        ("a,b,c\n1,2,0\n\n3,,1\n", None, ["line 4, column 2", "expected a number", "''"]),
        ("1,2,0\n3,1_0,1\n", None, ["line 2, column 2", "'1_0'"]),
        ('1,2,0\n"3,5",4,1\n', None, ["line 2, column 1", "'3,5'"]),
        ("1,oops,0\n3,4,1\n", None, ["line 1, column 2", "'oops'"]),
        ("1,2,0\n3,nan,1\n", None, ["line 2, column 2", "finite", "'nan'"]),
        ("label,a,b\n1,2,0\n1,2,inf\n", None, ["line 3, column 3", "finite", "'inf'"]),
        ("1,2,0\n3,1e40,1\n", None, ["line 2, column 2", "finite", "'1e40'"]),
        ("1,2,0\n3,4,nan\n", None, ["line 2, column 3", "finite", "nan"]),
        ("a,b,c\n1,2,0\n3,4,-1\n", None, ["line 3, column 3", ">= 0", "-1"]),
        ("1,2,0\n3,4,\n", None, ["line 2, column 3", "label", "empty"]),
        ("1,2,0\n3,4,1\n5,6,a\n", None, ["line 3, column 3", "all numbers or all words", "'a'"]),
        ("1,2,b\n3,4,a\n5,6,0\n", None, ["line 3, column 3", "all numbers or all words", "'0'"]),
        ("a,b,c\n1,2,0\n", "d", ["'d'", "the columns a, b, c"]),
        ("1,2,0\n1,2,0\n", "d", ["'d'", "no header", "0 to 2"]),
        ("1,2,0\n1,2,0\n", 3, ["0 to 2", "got 3"]),
        ("1,2,0\n1,2,0\n", -4, ["0 to 2", "got -4"]),
        ("1,2,0\n", None, ["at least two rows"]),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_csv_refused(tmp_path, text, label, words, ending):
    path = csv(tmp_path / f"bad{ending}", text)
    with says(str(path), *words):
        load(path, label=label)


def test_csv_damaged(tmp_path):
    text = "".join(f"{i},{i * i},{i % 2}\n" for i in range(5000))
    zipped = gzip.compress(text.encode())
    path = tmp_path / "a.csv.gz"
    for content in (zipped[:-20], zipped[: len(zipped) // 2], b"1,2,0\n3,4,1\n"):
        path.write_bytes(content)
        with says(str(path), "comma-separated values", "damaged"):
            load(path)
    plain = tmp_path / "a.csv"
    plain.write_bytes(b"1,2,0\n\xff\xfe\x00,4,1\n")
    with says(str(plain), "comma-separated values", "no text"):
        load(plain)
    with says("a folder"):
        read_csv(tmp_path)


def test_csv_rows_to_predict(tmp_path):
    path = csv(tmp_path / "a.csv", "1,2,3\n4,5,6\n7,8,9\n")
    rows = load_rows(path, 3)
    assert rows.stored.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert not rows.labelled
    assert rows.y.dtype == np.int64
    rows = load_rows(path, 2)
    assert rows.stored.tolist() == [[1, 2], [4, 5], [7, 8]]
    assert rows.y.tolist() == [3, 6, 9]
    assert load_rows(path, 2, label=0).y.tolist() == [1, 4, 7]
    for features in (1, 4):
        with says(str(path), f"expected {features} columns, or {features + 1} with labels", "got 3"):
            load_rows(path, features)
    assert len(load_rows(path, 3, label="kind")) == 3
    named = csv(tmp_path / "b.csv", "a,b,c\n1,2,3\n")
    assert load_rows(named, 3).stored.tolist() == [[1, 2, 3]]
    assert load_rows(named, 2, label="b").y.tolist() == [2]
    with says("the separator"):
        load_rows(csv(tmp_path / "c.csv", "1;2\n"), 2)
    with says("line 1, column 2", "'?'"):
        load_rows(csv(tmp_path / "d.csv", "1,?,3\n4,5,6\n"), 3)


# dispatch


def test_load_by_name():
    train, test = load("digits")
    assert (len(train), len(test)) == (1437, 360)
    np.testing.assert_array_equal(load_rows("digits", 64).stored, test.stored)
    with says("expected 65 features", "got 64"):
        load_rows("digits", 65)


@pytest.mark.parametrize("reader", [load, lambda path: load_rows(path, 2)])
def test_load_of_what_is_not_understood(tmp_path, reader):
    with says("nothing-here.csv", "no such file", "digits", "IDX", ".npz", ".csv"):
        reader(tmp_path / "nothing-here.csv")
    (tmp_path / "a.txt").write_text("1,2\n")
    with says("a.txt", "digits", "IDX", ".npz", ".csv", "ends in .txt"):
        reader(tmp_path / "a.txt")


@pytest.mark.parametrize("cell", ["", "x", "1e"])
def test_a_damaged_label_in_the_first_line_is_no_header(cell, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"1.5,2,{cell}\n3,4,1\n5,6,0\n")
    with pytest.raises(DataError, match="line 1, column 3: expected a label"):
        read_csv(path)
