"""The nets that are measured, with their weights and batches, and how fast handgrad has to be on each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LR = 0.001
"""Small: however many steps are timed, no run diverges."""

BEST = "the best peer"
PRODUCTS = "matrix products"
NO_MOMENTUM = "handgrad without momentum"


@dataclass(frozen=True)
class Limit:
    """handgrad's step may take at most `factor` times the step of `against`: a peer's name, or one of the above."""

    factor: float
    against: str


@dataclass(frozen=True)
class Net:
    """Fully connected layers of these sizes with softmax and cross-entropy, trained by SGD with learning rate LR."""

    sizes: tuple[int, ...]
    activation: str
    """Between two layers: "ReLU", "sigmoid", or "" where there is one layer only."""
    batch: int
    momentum: float = 0.0
    dtype: str = "float32"
    limits: tuple[Limit, ...] = ()

    DISTINCT = 4
    """So many different batches are used, over and over, which a processor's cache can hold."""

    @property
    def name(self) -> str:
        text = f"{'-'.join(map(str, self.sizes))}{' ' * bool(self.activation)}{self.activation}, batch {self.batch}"
        text += f", momentum {self.momentum}" if self.momentum else ""
        return text if self.dtype == "float32" else f"{text}, {self.dtype}"

    @property
    def repeats(self) -> int:
        """How often a timed pass goes over the batches: for about 3 GFLOP, within bounds that keep it short."""
        flops = 6 * self.batch * sum(m * n for m, n in zip(self.sizes, self.sizes[1:], strict=False))
        steps = min(1000, 16384 // self.batch, max(24, 3 * 10**9 // flops))
        return max(1, steps // self.DISTINCT)

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """W [out x in] and b [out] of each layer; float32's values in any dtype, so that all begin alike."""
        rng = np.random.default_rng(0)
        layers = []
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            W = rng.normal(0, np.sqrt(2 / inputs), (outputs, inputs)).astype(np.float32)
            b = rng.normal(0, 0.1, outputs).astype(np.float32)
            layers.append((W.astype(self.dtype), b.astype(self.dtype)))
        return layers

    def stored(self) -> tuple[np.ndarray, np.ndarray, float]:
        """(x, y, scale) of the distinct batches as a data set holds them: pixels are one byte each."""
        rng = np.random.default_rng(1)
        rows, inputs = self.DISTINCT * self.batch, self.sizes[0]
        y = rng.integers(0, self.sizes[-1], rows)
        if inputs == 784:
            return rng.integers(0, 256, (rows, inputs), dtype=np.uint8), y, 1 / 256
        return rng.standard_normal((rows, inputs), dtype=np.float32), y, 1.0

    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The distinct batches in the net's dtype."""
        x, y, scale = self.stored()
        x = x.astype(self.dtype) * np.dtype(self.dtype).type(scale)
        return list(
            zip(np.split(x, self.DISTINCT), np.split(y, self.DISTINCT), strict=True),
        )


DEEP, WIDE, SHALLOW, TOY = (784, 256, 128, 10), (784, 1024, 1024, 10), (784, 128, 10), (4, 16, 3)
ONE_TENTH_MORE = Limit(1.1, NO_MOMENTUM)

NETS = [
    Net(DEEP, "ReLU", 64, limits=(Limit(0.75, BEST), Limit(1.35, PRODUCTS))),
    Net(DEEP, "ReLU", 256, limits=(Limit(0.92, BEST), Limit(1.25, PRODUCTS))),
    Net(WIDE, "ReLU", 256, limits=(Limit(0.97, BEST), Limit(1.13, PRODUCTS))),
    Net(WIDE, "ReLU", 64, limits=(Limit(0.9, BEST),)),
    Net(SHALLOW, "sigmoid", 64, limits=(Limit(0.85, BEST),)),
    Net((784, 10), "", 64, limits=(Limit(0.8, BEST),)),
    Net(TOY, "ReLU", 32, limits=(Limit(1.5, "JAX"), Limit(0.12, "PyTorch eager"))),
    Net(DEEP, "ReLU", 1, limits=(Limit(1.3, "JAX"),)),
    # "Momentum and float64 keep the same order": still ahead of every peer.
    Net(DEEP, "ReLU", 64, momentum=0.9, limits=(Limit(1, BEST), ONE_TENTH_MORE)),
    Net(DEEP, "ReLU", 256, momentum=0.9, limits=(Limit(1, BEST), ONE_TENTH_MORE)),
    Net(SHALLOW, "sigmoid", 64, momentum=0.9, limits=(Limit(1, BEST), ONE_TENTH_MORE)),
    Net(TOY, "ReLU", 32, momentum=0.9, limits=(ONE_TENTH_MORE,)),
    Net(DEEP, "ReLU", 64, dtype="float64", limits=(Limit(1, BEST),)),
    Net(SHALLOW, "sigmoid", 64, dtype="float64", limits=(Limit(1, BEST),)),
]
