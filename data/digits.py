"""The embedded handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from handgrad.data.dataset import Dataset


def digits() -> tuple[Dataset, Dataset]:
    """(training, test): 1,437 and 360 handwritten digits of 8 x 8 pixels, x [N x 64] in 0..1, y in 0..9.

    UCI "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998), its test part, as
    scikit-learn ships it; see README.md beside the file. The split was drawn once, by a permutation of
    `default_rng(0)`, and the test rows are stored in the file: NumPy does not promise that a generator draws
    the same permutation in every version.
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as archive:
        x, y, test = archive["x"], archive["y"].astype(np.int64), archive["test"]
    data = Dataset(x, y, 1 / 16, tuple("0123456789"))
    return data.rows(np.setdiff1d(np.arange(len(data)), test)), data.rows(test)
