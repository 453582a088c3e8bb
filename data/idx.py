"""The IDX files of MNIST, Fashion-MNIST and their kin, gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from handgrad.data.dataset import DataError, Dataset
from handgrad.files import PathLike
from handgrad.params import Array

# IDX: two zero bytes, one for the type, one for the number of axes; each axis' length in four bytes; the entries.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: PathLike) -> Array:
    """The array in an IDX file. DataError says what is wrong with the file, OSError that it cannot be read."""
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path}: expected a whole gzip file, but it is truncated or damaged ({error})") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(
            f"{path}: expected an IDX file (00 00, type, axes), but it starts with {content[:4].hex(' ')!r}"
        )
    dtype, axes = np.dtype(TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{path}: expected a header of {start} bytes, the file has {len(content)}")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", axes, 4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "truncated" if len(content) < expected else "too long"
        sizes = " x ".join(map(str, shape))
        raise DataError(f"{path}: {fault}: {sizes} entries take {expected} bytes, the file has {len(content)}")
    if math.prod(shape) == 0 or not shape:
        raise DataError(f"{path}: empty: its header says {' x '.join(map(str, shape)) or 'no'} entries")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_idx_folder(folder: PathLike) -> tuple[Dataset, Dataset]:
    """(training, test) of a folder with the four files of MNIST: images [N x (W H)] and labels [N]."""
    train, test = _read_part(Path(folder), "train"), _read_part(Path(folder), "t10k")
    if train.stored.shape[1] != test.stored.shape[1]:
        raise DataError(
            f"{folder}: training images have {train.stored.shape[1]} pixels, test images {test.stored.shape[1]}"
        )
    return train, test


def _read_part(folder: Path, part: str) -> Dataset:
    image_file, label_file = _find(folder, part, "images", 3), _find(folder, part, "labels", 1)
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim < 2:
        raise DataError(
            f"{image_file}: expected images, [N x H x W], but it holds {images.shape}; are these the labels?"
        )
    if labels.ndim != 1:
        raise DataError(f"{label_file}: expected labels, [N], but it holds {labels.shape}; are these the images?")
    if len(images) != len(labels):
        raise DataError(f"{image_file}: {len(images)} images, but {label_file.name} holds {len(labels)} labels")
    if labels.dtype.kind == "f" or labels.min() < 0:
        raise DataError(f"{label_file}: expected whole labels >= 0, but it holds {labels.dtype} from {labels.min()}")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        image = int(np.argwhere(~np.isfinite(images))[0][0])
        raise DataError(f"{image_file}: expected finite pixels, but image {image} holds a NaN or an infinity")
    scale = 1 / 255 if images.dtype == np.uint8 else 1.0
    classes = tuple(map(str, range(int(labels.max()) + 1)))
    return Dataset(images.reshape(len(images), -1), labels.astype(np.int64), scale, classes)


def _find(folder: Path, part: str, kind: str, axes: int) -> Path:
    names = [f"{part}-{kind}{sign}idx{axes}-ubyte{ending}" for ending in ("", ".gz") for sign in "-."]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path.name for path in folder.iterdir())
    listing = ", ".join(found[:6]) + (", ..." if len(found) > 6 else "")
    raise DataError(f"{folder}: expected {names[0]} (or .gz) in this folder, but it holds {listing or 'nothing'}")
