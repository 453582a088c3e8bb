"""The Jacobian row by row from backward, each row from a one-hot upstream."""

from __future__ import annotations

from typing import Any

import numpy as np

from handgrad.checking.subject import BadReturn, LayerError, Point, Subject, describe
from handgrad.checking.values import handed
from handgrad.params import Array

OTHER_POINTS = 6
"""Random points at which it is asked, too, what is zero: ReLU's zeros move, those beside the diagonal stay."""


def from_backward(subject: Subject, point: Point, name: str, upstream: Array) -> tuple[Array, Array]:
    """The Jacobian [outputs x entries of `name`], and what backward makes of `upstream`."""
    layer = subject.at(point)
    subject.forward(layer, point)

    def gradient(given: Array) -> Array:
        told: dict[str, str] = {}
        gradients = subject.named(_of_inputs(subject.backward(layer, handed([given])), subject), told)
        if name not in gradients:
            raise BadReturn(f"{describe(layer)}: {told.get(name, f'backward must return a gradient for {name}')}")
        found, wanted = gradients[name], point[name].shape
        if found.shape != wanted:
            raise BadReturn(f"{describe(layer)}: backward must return d{name} of shape {wanted}, got {found.shape}")
        return np.array(found, np.float64)

    one_hot, matrix = np.zeros(upstream.shape), np.empty((upstream.size, point[name].size))
    for row in range(upstream.size):
        one_hot.flat[row] = 1
        matrix[row] = gradient(one_hot).ravel()
        one_hot.flat[row] = 0
    return matrix, gradient(upstream)


def _of_inputs(returned: Any, subject: Subject) -> Any:
    """What backward returned without the gradients of `extra`, such as the zeros that a graph gives for labels."""
    if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], tuple)):
        return returned
    by_input, by_name = returned
    if subject.extra and len(by_input) == len(subject.inputs) + len(subject.extra):
        by_input = by_input[: len(subject.inputs)]
    return (by_input if len(by_input) > 1 else by_input[0]), by_name


def elsewhere(
    subject: Subject, point: Point, name: str, upstream: Array, rng: np.random.Generator
) -> tuple[list[Point], list[Array]]:
    """Some points of random inputs and parameters, and the Jacobian at each; none outside the layer's domain."""
    points, matrices = [], []
    for _ in range(OTHER_POINTS):
        other = {key: np.asarray(rng.standard_normal(value.shape)) for key, value in point.items()}
        try:
            matrix, _gradient = from_backward(subject, other, name, upstream)
        except (LayerError, BadReturn):
            continue
        if np.isfinite(matrix).all():
            points.append(other)
            matrices.append(matrix)
    return points, matrices
