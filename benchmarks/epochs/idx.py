"""Fashion-MNIST's IDX files as arrays of bytes, for the scripts whose library brings no reader."""

import gzip
from pathlib import Path

import numpy as np


def read(folder, part, what, header):
    with gzip.open(Path(folder) / f"{part}-{what}.gz") as file:
        return np.frombuffer(bytearray(file.read()), np.uint8, offset=header)


def load(folder):
    """(x, y, test x, test y): x [N x 784] and y [N], both uint8."""
    arrays = []
    for part in ("train", "t10k"):
        arrays += [read(folder, part, "images-idx3-ubyte", 16).reshape(-1, 784)]
        arrays += [read(folder, part, "labels-idx1-ubyte", 8)]
    return arrays
