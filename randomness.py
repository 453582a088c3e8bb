"""Random numbers: always of a generator that was passed in, never of NumPy's global state."""

from __future__ import annotations

import numpy as np


def generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """`rng` itself, or a new generator seeded with that number (None: by the operating system)."""
    if rng is None or isinstance(rng, np.random.Generator):
        return np.random.default_rng(rng)
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise TypeError(f"rng must be a np.random.Generator or a seed >= 0, got {rng!r}")
    return np.random.default_rng(int(rng))
