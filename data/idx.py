"""The IDX files of MNIST, Fashion-MNIST and their kin, gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from handgrad.data.checks import class_names, class_numbers, pixel_scale, require_file, require_finite
from handgrad.data.dataset import Array, DataError, Dataset, PathLike

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: PathLike) -> Array:
    """The array in an IDX file, in native byte order; DataError says what is wrong with the file.

    The format (Y. LeCun, "The MNIST database of handwritten digits"): two zero bytes, one for the type, one
    for the number of axes; the length of each axis in four bytes; the entries. The first byte comes first.
    """
    content = _bytes(require_file(path))
    if content[:2] != b"\0\0" or len(content) < 4:
        start = content[:4].hex(" ") or "nothing"
        raise DataError(f"{path}: expected an IDX file, which starts with 00 00, got {start}")
    if content[2] not in TYPES:
        known = ", ".join(f"{code:02x}" for code in TYPES)
        raise DataError(f"{path}: expected an IDX type in byte 2, one of {known}, got {content[2]:02x}")
    dtype, axes = np.dtype(TYPES[content[2]]), content[3]
    start_of_entries = 4 + 4 * axes
    if len(content) < start_of_entries:
        raise DataError(
            f"{path}: truncated: expected a header of {start_of_entries} bytes, the file has {len(content)}"
        )
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", axes, 4))
    sizes = " x ".join(map(str, shape)) or "no"
    if not shape or not math.prod(shape):
        raise DataError(f"{path}: empty: expected at least one entry, but its header says {sizes} entries")
    expected = start_of_entries + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "truncated" if len(content) < expected else "trailing bytes"
        raise DataError(
            f"{path}: {fault}: {sizes} entries of {dtype.itemsize} bytes make "
            f"a file of {expected} bytes, it has {len(content)}"
        )
    entries = np.frombuffer(content, dtype, offset=start_of_entries)
    return entries.reshape(shape).astype(dtype.newbyteorder("="))


def read_idx_folder(folder: PathLike) -> tuple[Dataset, Dataset]:
    """(training, test) of a folder with the four files of MNIST: images [N x (H W)] and labels [N].

    The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    `t10k-labels-idx1-ubyte`, also spelt `train-images.idx3-ubyte`, each with or without `.gz`. Pixels of one
    byte are scaled by 1/255.
    """
    if not Path(folder).is_dir():
        raise DataError(f"{folder}: expected a folder of IDX files, but there is no such folder")
    images, labels = _read_part(Path(folder), "train")
    test_images, test_labels = _read_part(Path(folder), "t10k")
    if images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{folder}: expected training and test images of one size, "
            f"got {_size(images)} for training and {_size(test_images)} for the test"
        )
    classes = class_names(labels, test_labels)
    return _dataset(images, labels, classes), _dataset(test_images, test_labels, classes)


def _bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        if path.suffix.lower() == ".gz":
            start = content[:2].hex(" ") or "nothing"
            raise DataError(f"{path}: expected a gzip file, which starts with 1f 8b, got {start}")
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: expected a whole gzip file, truncated or damaged: {error}") from None


def _dataset(images: Array, labels: Array, classes: tuple[str, ...]) -> Dataset:
    return Dataset(images.reshape(len(images), -1), labels, pixel_scale(images), classes)


def _read_part(folder: Path, part: str) -> tuple[Array, Array]:
    image_file, label_file = _find(folder, part, "images", 3), _find(folder, part, "labels", 1)
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim < 2:
        raise DataError(f"{image_file}: expected images [N x H x W], got {images.shape}: labels?")
    if labels.ndim != 1:
        raise DataError(f"{label_file}: expected labels [N], got {labels.shape}: images?")
    if len(images) != len(labels):
        raise DataError(
            f"{image_file}: expected as many images as labels, "
            f"got {len(images)}, but {len(labels)} labels in {label_file.name}"
        )
    require_finite(images, lambda *i: f"{image_file}: pixel {list(i)}")
    numbers = class_numbers(labels, lambda i: f"{label_file}: label [{i}]")
    if numbers.dtype.kind == "f":
        first = int(np.argmax(numbers != np.floor(numbers)))
        raise DataError(f"{label_file}: label [{first}]: expected a whole number, got {numbers[first]}")
    return images, numbers


def _size(images: Array) -> str:
    return " x ".join(map(str, images.shape[1:]))


def _find(folder: Path, part: str, kind: str, axes: int) -> Path:
    names = [f"{part}-{kind}{sign}idx{axes}-ubyte{ending}" for sign in "-." for ending in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path.name for path in folder.iterdir())
    listing = ", ".join(found[:6]) + (", ..." if len(found) > 6 else "")
    raise DataError(f"{folder}: expected one of {', '.join(names)}, but it holds {listing or 'nothing'}")
