"""A layer at a point, and what it gives there when it is new: what every item of the contract is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.checking.points import REALS, Interval, inside
from handgrad.checking.subject import Point, Subject, as_tuple
from handgrad.checking.values import handed
from handgrad.params import Array


@dataclass
class Place:
    """A layer at a point, and what it gives there when it is new: what every item is held against."""

    subject: Subject
    point: Point
    upstream: list[Any]
    domain: Mapping[str, Interval]
    rng: np.random.Generator
    tolerance: float
    """Relative difference that rounding may make."""
    rounding: Mapping[str, float]
    """For each gradient the size of its rounding errors."""

    def __post_init__(self) -> None:
        layer = self.subject.at(self.point)
        self.outputs = self.results(self.subject.forward(layer, self.point))
        self.gradients = self.subject.named(self.subject.backward(layer, handed(self.upstream)))
        self.gradients = {name: np.array(g) for name, g in self.gradients.items()}

    @staticmethod
    def results(returned: Any) -> list[Array]:
        return [np.array(y) for y in as_tuple(returned)]

    def run(
        self, layer: Any, point: Point, upstream: Sequence[Any], inputs: Sequence[Any] | None = None
    ) -> tuple[list[Array], dict[str, Array]]:
        """Forward and backward on `layer`: copies of the outputs, and of the gradients by name."""
        outputs = self.results(self.subject.forward(layer, point, inputs))
        gradients = self.subject.named(self.subject.backward(layer, upstream))
        return outputs, {name: np.array(g) for name, g in gradients.items()}

    def differing(self, outputs: Sequence[Array], gradients: Mapping[str, Array]) -> list[str]:
        """The names of the results that are not what a new layer gives."""
        return self.not_equal(outputs, gradients, self.outputs, self.gradients)

    def not_equal(
        self,
        outputs: Sequence[Array],
        gradients: Mapping[str, Array],
        other_outputs: Sequence[Array],
        other_gradients: Mapping[str, Array],
    ) -> list[str]:
        names = [] if all(map(self.close, outputs, other_outputs)) else ["y"]
        return names + [
            "d" + k
            for k, other in other_gradients.items()
            if k not in gradients or not self.same(k, gradients[k], other)
        ]

    def same(self, name: str, a: Array, b: Array, scale: float = 0.0) -> bool:
        """Whether two gradients of `name` differ by no more than rounding."""
        return self.close(a, b, scale, 100 * self.rounding[name])

    def close(self, a: Array, b: Array, scale: float = 0.0, least: float = 0.0) -> bool:
        if a.shape != b.shape:
            return False
        with np.errstate(all="ignore"):
            scale = max(scale, np.abs(b[np.isfinite(b)]).max(initial=0.0) if b.size else 0.0)
            same = np.abs(np.asarray(a, np.float64) - b) <= self.tolerance * scale + least + 1e-300
        return bool(np.all(same | (a == b) | (np.isnan(a) & np.isnan(b))))

    def another(self) -> Point:
        """The same parameters with other inputs: its numbers in another order, lest they leave forward's domain."""
        inputs = {}
        for name in self.subject.inputs:
            values = self.point[name]
            shuffled = self.rng.permutation(values.ravel()).reshape(values.shape)
            near = np.asarray(shuffled * self.rng.uniform(0.8, 1, values.shape))
            inputs[name] = near if inside(near, self.domain.get(name, REALS)) else np.asarray(shuffled)
        return {**self.point, **inputs}


def first_input(place: Place) -> str:
    return "d" + place.subject.inputs[0]


def parameter_arrays(layer: Any) -> dict[str, Array]:
    params = getattr(layer, "params", None) or {}
    return {name: array for name, array in params.items() if isinstance(array, np.ndarray)}


def same(value: Any, before: Any) -> bool:
    if isinstance(value, list):
        return all(map(same, value, before))
    if isinstance(value, np.ndarray):
        return value.shape == before.shape and np.array_equal(value, before, equal_nan=value.dtype.kind == "f")
    return bool(np.all(value == before))
