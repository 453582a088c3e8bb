"""What is known of a wrong gradient: backward's numbers beside the numeric Jacobian, at several points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from handgrad.checking.comparison import Comparison
from handgrad.checking.diagnosis.jacobian import columns
from handgrad.checking.points import REALS, Interval, Sizes, nudged, ordinary, upstream_for
from handgrad.checking.subject import BadReturn, LayerError, Point, Subject
from handgrad.checking.values import PointCheck, flat, handed
from handgrad.params import Array

if TYPE_CHECKING:
    from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
    from handgrad.checking.options import Options
    from handgrad.checking.settings import Setting

TOLERANCE = 1e-8
MOST_COLUMNS = 160
"""Of larger arrays so many entries are differentiated,"""

FEW_COLUMNS = 24
"""and so many where forward itself is large, or for a hypothesis that needs derivatives of its own."""


@dataclass
class Case:
    """One gradient at one point: what backward says, and the numeric Jacobian to test hypotheses with."""

    subject: Subject
    point: Point
    upstream: list[Array]
    name: str
    sizes: Sizes
    domain: Mapping[str, Interval]
    including: list[int] = field(default_factory=list)
    """Entries that must be differentiated though the array is too large for all."""
    analytic: Array = field(init=False)
    known: list[int] = field(init=False)
    is_large: bool = field(init=False)

    def __post_init__(self) -> None:
        self.analytic = np.asarray(self.subject.gradients(self.point, handed(self.upstream))[self.name], np.float64)
        size = self.point[self.name].size
        rng = np.random.default_rng(0)
        self.known = list(range(size))
        self.is_large = sum(array.size for array in self.point.values()) > 20_000
        most = FEW_COLUMNS if self.is_large else MOST_COLUMNS
        if size > most:
            some = {int(k) for k in rng.choice(size, most, replace=False)}
            self.known = sorted(some | set(self.including))
        self.outputs = self.subject.outputs(self.point)
        self._columns: dict[str, tuple[Array, Array]] = {}
        self.jacobian, self.errors = self.columns_of(self.name)

    def columns_of(self, name: str) -> tuple[Array, Array]:
        entries = (
            self.known if self.point[name].size == self.point[self.name].size else list(range(self.point[name].size))
        )
        if name not in self._columns:
            self._columns[name] = columns(self.subject, self.point, name, entries, self.domain.get(name, REALS))
        return self._columns[name]

    @property
    def x(self) -> Array:
        return self.point[self.subject.inputs[0]]

    @property
    def y(self) -> Array:
        return np.asarray(self.outputs[0], np.float64)

    @property
    def u(self) -> Array:
        return self.upstream[0]

    @property
    def is_input(self) -> bool:
        """Whether this is the gradient of the first input."""
        return self.name == self.subject.inputs[0]

    @property
    def labels(self) -> Array:
        """Of a loss: what forward takes besides the scores."""
        return np.asarray(self.subject.extra[0])

    @property
    def rows(self) -> int:
        return len(self.x)

    @property
    def p(self) -> Array:
        """The softmax of the scores."""
        e = np.exp(self.x - self.x.max(axis=-1, keepdims=True))
        return np.asarray(e / e.sum(axis=-1, keepdims=True))

    @property
    def onehot(self) -> Array:
        return np.eye(self.x.shape[-1])[self.labels]

    @property
    def weights(self) -> Array:
        return flat(self.upstream)

    @property
    def numeric(self) -> Array:
        return self.gradient(self.weights)

    @cached_property
    def few(self) -> list[int]:
        """Some of the entries: enough to refute a hypothesis, with some of those that are wrong."""
        rng = np.random.default_rng(1)
        off = np.abs(self.analytic - self.numeric).ravel()
        wrong = [k for k in self.known if off[k] > 1e-7 * np.nanmax(np.abs(self.numeric), initial=0.0)]
        chosen: set[int] = set()
        for entries, most in ((wrong, FEW_COLUMNS // 2), (self.known, FEW_COLUMNS)):
            more = [k for k in entries if k not in chosen]
            chosen.update(rng.choice(more, min(most - len(chosen), len(more)), replace=False).tolist() if more else [])
        return sorted(chosen)

    def gradient(self, weights: Array, jacobian: Array | None = None, entries: list[int] | None = None) -> Array:
        """The numeric gradient for an upstream of `weights`; NaN at entries that were not differentiated."""
        whole = np.full(self.point[self.name].size, np.nan)
        whole[self.known if entries is None else entries] = weights @ (self.jacobian if jacobian is None else jacobian)
        return whole.reshape(self.point[self.name].shape)

    def with_values(self, **changed: Array) -> Array | None:
        """The numeric gradient with other values in some variables, at a few entries; None where forward refuses."""
        point = {**self.point, **changed}
        try:
            if not all(np.isfinite(y).all() for y in self.subject.outputs(point)):
                return None
            jacobian, _ = columns(self.subject, point, self.name, self.few, self.domain.get(self.name, REALS))
        except LayerError:
            return None
        return self.gradient(self.weights, jacobian, self.few)

    def fits(self, predicted: Array | None) -> bool:
        """Whether backward returned just this."""
        if predicted is None or np.shape(predicted) != self.analytic.shape:
            return False
        seen = np.isfinite(predicted)
        if not seen.any():
            return False
        scale = max(np.abs(self.analytic[seen]).max(), np.abs(predicted[seen]).max())
        return bool(np.all(np.abs(predicted - self.analytic)[seen] <= TOLERANCE * scale + self._error(scale)))

    def differs(self, predicted: Array | None) -> bool:
        """Whether this prediction is another than the right gradient."""
        if predicted is None:
            return False
        numeric = self.numeric
        seen = np.isfinite(predicted) & np.isfinite(numeric)
        scale = np.abs(numeric[seen]).max(initial=0.0)
        return bool(np.any(np.abs(predicted - numeric)[seen] > 3 * TOLERANCE * scale + 2 * self._error(scale)))

    def _error(self, scale: float) -> float:
        error = 10 * float(self.errors.max(initial=0.0)) * float(np.abs(self.weights).sum())
        return min(error, 1e-6 * scale)


@dataclass
class Evidence:
    """What is known of a wrong gradient."""

    name: str
    comparison: Comparison
    check: PointCheck
    cases: list[Case]
    values: str
    distant: Case | None = None
    """A point of large values, and"""
    resized: Case | None = None
    """one at other sizes: they serve to refute hypotheses."""

    def against(self, hypothesis: Hypothesis) -> list[Case]:
        """The cases that the hypothesis must hold for."""
        cases = [*self.cases, self.distant, self.resized if hypothesis.speaks_of_sizes else None]
        return [case for case in cases if case is not None]

    @classmethod
    def gathered(
        cls, setting: Setting, check: PointCheck, comparison: Comparison, values: str, options: Options
    ) -> Evidence:
        """The point at which the gradient was found wrong, one of ordinary values, and what may refute a hypothesis."""
        subject, name, rng = setting.subject, comparison.array, options.rng("diagnosis")
        shape = comparison.analytic.shape
        wrong = [int(np.ravel_multi_index(e.index, shape)) for e in comparison.with_verdict("wrong")] if shape else []
        evidence = cls(name, comparison, check, [], values)
        with suppress(LayerError, BadReturn):  # without a second point no cause is named
            at_hand = [np.asarray(u, np.float64) for u in check.upstream]
            first = Case(subject, check.point, at_hand, name, setting.sizes, options.domain, wrong)
            evidence.cases.append(first)
            second = _ordinary_case(setting, name, options, rng, wrong)
            evidence.cases.append(second)
            if not first.is_large and not options.domain and first.y.shape == first.x.shape:
                far = {key: 6 * second.point[key] for key in subject.inputs}  # beyond limits, where functions saturate
                at = {**second.point, **far}
                distant = Case(subject, at, second.upstream, name, setting.sizes, options.domain, wrong)
                if np.isfinite(distant.analytic).all() and np.isfinite(distant.numeric).any():
                    evidence.distant = distant
        for other in setting.resized():
            with suppress(LayerError, BadReturn, ValueError, TypeError, KeyError):
                evidence.resized = _ordinary_case(other, name, options, rng)
                break
        return evidence


def _ordinary_case(
    setting: Setting, name: str, options: Options, rng: np.random.Generator, including: Sequence[int] = ()
) -> Case:
    """The gradient at ordinary values, with parameters that are neither 0 nor 1."""
    subject, at_hand = setting.subject, setting.subject.at_hand
    inputs = {key: ordinary(at_hand[key].shape, options.domain.get(key, REALS), rng) for key in subject.inputs}
    point = {**inputs, **nudged({key: at_hand[key] for key in subject.params}, options.domain, rng)}
    outputs = subject.outputs(point)
    upstream = [
        np.asarray(2.3 if y.ndim == 0 else u, np.float64)
        for y, u in zip(outputs, upstream_for(outputs, rng), strict=True)
    ]
    if not subject.takes_upstream:
        upstream = [np.ones(y.shape) for y in outputs]
    return Case(subject, point, upstream, name, setting.sizes, options.domain, list(including))


def lengths_of(case: Case) -> dict[str, int]:
    """The sizes by symbol; without symbols the batch is N, the features D, the classes or outputs C."""
    if case.sizes:
        lengths = {k: v for k, v in case.sizes.items() if v > 1}
    else:
        lengths = {}
        if case.x.ndim:
            lengths["N"] = case.x.shape[0]
        for axis, size in enumerate(case.x.shape[1:]):
            lengths["D" if case.x.ndim == 2 else f"D{axis + 1}"] = size
        if case.y.ndim == 2 and case.y.shape[1] != lengths.get("D"):
            lengths["M"] = case.y.shape[1]
        lengths = {k: v for k, v in lengths.items() if v > 1}
    for axis, size in enumerate(case.y.shape):
        if size > 1 and size not in lengths.values():
            lengths[f"y.shape[{axis}]"] = size
    return lengths


def own_numbers(case: Case) -> dict[str, float]:
    """The layer's own real numbers, such as p or eps."""
    layer = case.subject.layer
    own = {
        **{k: v for cls in reversed(type(layer).__mro__) for k, v in vars(cls).items()},
        **getattr(layer, "__dict__", {}),
    }
    floats = {name: float(value) for name, value in own.items() if isinstance(value, float | np.floating)}
    return {name: value for name, value in floats.items() if 0 < abs(value) < 1e6 and value != 1.0}


def same(a: Array | None, b: Array, tolerance: float = 1e-9) -> bool:
    if a is None:
        return False
    seen = np.isfinite(b)  # where b is NaN nothing is known; where only a is, it is another
    least = 1e-3 * tolerance * (np.abs(b[seen]).max(initial=0) or 1)
    return bool(seen.any() and np.allclose(a[seen], b[seen], rtol=tolerance, atol=least))
