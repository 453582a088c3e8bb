"""How each kind of layer and loss of this package is checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from handgrad.checking.operations import OPERATIONS
from handgrad.checking.points import Sizes
from handgrad.checking.specimen import Specimen
from handgrad.params import Array


def _labels(sizes: Sizes, rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.integers(0, sizes["C"], sizes["N"]),)


def _distributions(sizes: Sizes, rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.dirichlet(np.ones(sizes["C"]), sizes["N"]),)


def _zeros_and_ones(sizes: Sizes, rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.integers(0, 2, (sizes["N"], sizes["K"])),)


def _targets(sizes: Sizes, rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.standard_normal((sizes["N"], sizes["D"])),)


def _affine(layer: Any, x: Array) -> Array | None:
    params = getattr(layer, "params", {})
    W = next((params[name] for name in ("W", "weight", "weights", "w") if name in params), None)
    if W is None or np.shape(W)[1:] != x.shape[1:] or len(W) == x.shape[-1]:
        return None  # of a square W, nothing says whether it is [out x in]
    y: Array = np.einsum("bi,oi->bo", x, W)
    return next((y + params[name] for name in ("b", "bias") if name in params), y)


def _number(layer: Any, *names: str) -> float | None:
    """The layer's own number, by one of the names that people give it."""
    return next((float(value) for name in names if (value := getattr(layer, name, None)) is not None), None)


def _leaky(layer: Any, x: Array) -> Array | None:
    slope = _number(layer, "negative_slope", "slope", "alpha", "a", "leak")
    return None if slope is None else np.where(x > 0, x, slope * x)


def _dropped(layer: Any, x: Array) -> Array | None:
    """What is kept must be 1 / (1 - p) times as large; which entries are is the layer's own choice."""
    p = _number(layer, "p", "rate", "drop")
    kept = np.asarray(layer.forward(x)) != 0
    return None if p is None else np.where(kept, x / (1 - p), 0.0)


def _cross_entropy(layer: Any, scores: Array, labels: Array) -> Any:
    log_p = scipy.special.log_softmax(scores, axis=1)
    if labels.ndim == 2:
        return -np.mean(np.sum(labels * log_p, axis=1))
    return -np.mean(log_p[np.arange(len(labels)), labels])


def _binary(layer: Any, scores: Array, labels: Array) -> Any:
    return np.mean(np.logaddexp(0, scores) - labels * scores)


SCORES = {"scores": "N C"}
CLASSES = {"N": 4, "C": 5}

SPECIMENS: dict[str, list[Specimen]] = {
    "FC": [
        Specimen(
            lambda s: (s["D"], s["M"]),
            forward=_affine,
            mathematics={
                "dx": "dx = upstream W, [B x in] (L14): dh/dh(l-1) = W",
                "dW": "dW = upstream' x, [out x in] (L14): dL/dw_i = dL/dh_i x', summed over the batch",
                "db": "db = sum of upstream over the batch, [out]: every row has the same b",
            },
        ),
        Specimen(lambda s: (s["D"], s["M"]), {"bias": False}, forward=_affine, about="without bias"),
    ],
    "ReLU": [
        Specimen(
            at_kink="left",
            forward=lambda layer, x: np.clip(x, 0, None),
            mathematics={"dx": "dx = upstream * (x > 0) (L16): the Jacobian is diagonal, 0 where x is exactly 0"},
        )
    ],
    "LeakyReLU": [
        Specimen(
            options={"negative_slope": 0.2},
            at_kink="left",
            forward=_leaky,
            mathematics={"dx": "dx = upstream * (1 where x > 0, else the slope)"},
        )
    ],
    "Sigmoid": [
        Specimen(
            forward=lambda layer, x: scipy.special.expit(x),
            mathematics={"dx": "dx = upstream * y * (1 - y), with the output y = s(x) (L19)"},
        )
    ],
    "Tanh": [
        Specimen(
            forward=lambda layer, x: np.tanh(x),
            mathematics={"dx": "dx = upstream * (1 - y^2), with the output y = tanh(x)"},
        )
    ],
    "Softmax": [
        Specimen(
            forward=lambda layer, x: scipy.special.softmax(x, axis=-1),
            mathematics={
                "dx": "dx = y * (upstream - sum(upstream * y)), sums over the row: dy_i/dx_j = y_i (d_ij - y_j)"
            },
        )
    ],
    "Flatten": [
        Specimen(
            inputs={"x": "N C W H"},
            sizes={"N": 2, "C": 3, "W": 2, "H": 4},
            forward=lambda layer, x: x.reshape(len(x), -1),
            mathematics={"dx": "dx = upstream, shaped as x was (L13)"},
        )
    ],
    "Dropout": [
        Specimen(
            options={"p": 0.4},
            forward=_dropped,
            mathematics={"dx": "dx = upstream * mask, the very mask of forward, 0 or 1 / (1 - p)"},
        )
    ],
    "SoftmaxCE": [
        Specimen(
            inputs=SCORES,
            sizes=CLASSES,
            extra=_labels,
            forward=_cross_entropy,
            mathematics={"dscores": "dscores = upstream * (softmax(scores) - onehot(labels)) / B (L23)"},
        ),
        Specimen(
            inputs=SCORES, sizes=CLASSES, extra=_distributions, forward=_cross_entropy, about="labels as distributions"
        ),
    ],
    "BinaryCE": [
        Specimen(
            inputs={"scores": "N K"},
            sizes={"N": 4, "K": 3},
            extra=_zeros_and_ones,
            forward=_binary,
            mathematics={"dscores": "dscores = upstream * (s(scores) - labels) / N, N entries (L19)"},
        )
    ],
    "MSE": [
        Specimen(
            inputs={"scores": "N D"},
            sizes={"N": 4, "D": 5},
            extra=_targets,
            forward=lambda layer, scores, targets: np.mean((scores - targets) ** 2),
            mathematics={"dscores": "dscores = upstream * 2 (scores - targets) / N, N entries"},
        )
    ],
} | OPERATIONS
"""By the name of the class, so that a handout's own FC is checked as this package's is."""
