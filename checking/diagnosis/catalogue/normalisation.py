"""Mistakes in batch, layer and instance normalisation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from handgrad.checking.diagnosis.catalogue.mistake import Mistake, parameter
from handgrad.checking.diagnosis.evidence import Case
from handgrad.params import Array


def mistakes(case: Case) -> Sequence[Mistake]:
    """Those of this gradient, where forward normalises its input over some axes."""
    found = normal(case)
    if found is None:
        return ()
    return _of_input("N" if 0 in found.axes else "D") if case.is_input else _of_parameter(case.name)


def _of_parameter(name: str) -> list[Mistake]:
    return [
        Mistake(
            cause,
            f"{{d}} is the sum of upstream * ({what}): the normalised xhat belongs there.",
            _normalised(lambda n, part=part: _over_batch(n, part(n), name)),  # type: ignore[misc]
        )
        for cause, what, part in (
            ("x-for-xhat", "x", lambda n: n.case.u * n.case.x),
            ("x-for-xhat", "x - mean", lambda n: n.case.u * n.centred),
            ("output-for-xhat", "y", lambda n: n.case.u * n.case.y),
        )
    ]


@dataclass(frozen=True)
class Normal:
    """x normalised over `axes`: xhat = (x - mean) / sqrt(var + eps)."""

    axes: tuple[int, ...]
    eps: float
    ddof: int
    """0 where the variance is a mean, 1 where its sum is divided by one less."""
    case: Case

    @property
    def other_axes(self) -> tuple[int, ...]:
        return tuple(i for i in range(self.case.x.ndim) if i not in self.axes) or self.axes

    @property
    def count(self) -> int:
        """How many numbers each mean is of."""
        return int(np.prod([self.case.x.shape[axis] for axis in self.axes]))

    @property
    def other_count(self) -> int:
        return int(np.prod([self.case.x.shape[axis] for axis in self.other_axes]))

    @property
    def centred(self) -> Array:
        return self.case.x - self.mean(self.case.x)

    @property
    def variance(self) -> Array:
        return self.mean(self.centred**2) * self.count / (self.count - self.ddof)

    def projection(self, dxhat: Array) -> Array:
        """What comes by the path through the variance."""
        return self.xhat * self.mean(dxhat * self.xhat) * self.count / (self.count - self.ddof)

    @property
    def inverse(self) -> Array:
        return 1 / np.sqrt(self.variance + self.eps)

    @property
    def xhat(self) -> Array:
        return self.centred * self.inverse

    def mean(self, a: Array) -> Array:
        return np.asarray(a.mean(axis=self.axes, keepdims=True))

    @property
    def gamma(self) -> Array:
        scale = parameter(self.case, "gamma", "g", "scale", "weight")
        if scale is None:
            return np.ones(())
        return _spread(scale, self.case.x)

    @property
    def inner(self) -> Array:
        return self.case.u * self.gamma


def _axes(x: Array) -> list[tuple[int, ...]]:
    axes: list[tuple[int, ...]] = [(0,), (x.ndim - 1,)]
    if x.ndim == 4:
        axes += [(0, 2, 3), (1, 2, 3), (2, 3)]
    elif x.ndim == 3:
        axes += [(0, 1), (1, 2)]
    return axes


def _spread(parameter: Array, x: Array) -> Array:
    """A vector of one entry per channel, along the axis of x that it belongs to."""
    if parameter.ndim == 1 and x.ndim == 4 and parameter.size == x.shape[1]:
        return parameter[None, :, None, None]
    return parameter


def normal(case: Case) -> Normal | None:
    """How forward normalises its input; None when it does not."""
    if case.y.shape != case.x.shape or case.x.ndim < 2:
        return None
    gamma, beta = parameter(case, "gamma", "g", "scale", "weight"), parameter(case, "beta", "b", "shift", "bias")
    try:
        bare = case.y - (0 if beta is None else _spread(beta, case.x))
        bare = bare / (1 if gamma is None else _spread(gamma, case.x))
    except ValueError:
        return None
    if bare.shape != case.x.shape:
        return None
    for axes, ddof in itertools.product(_axes(case.x), (0, 1)):
        centred = case.x - case.x.mean(axis=axes, keepdims=True)
        count = case.x.size // centred.sum(axis=axes).size
        usable = np.abs(bare) > 1e-6
        if count <= ddof or not usable.any() or not (np.abs(centred) > 1e-9).any():
            continue
        variance = (centred**2).sum(axis=axes, keepdims=True) / (count - ddof)
        with np.errstate(all="ignore"):
            eps = float(np.median(((centred / bare) ** 2 - variance)[usable]))
        if abs(eps) < 1e-9:
            eps = 0.0
        if eps > -1e-6 and np.allclose(centred / np.sqrt(variance + eps), bare, rtol=1e-5, atol=1e-8):
            own = [v for v in vars(case.subject.layer).values() if isinstance(v, float)]
            eps = min(own, key=lambda v: abs(v - eps)) if own and min(abs(v - eps) for v in own) < 1e-6 else eps
            return Normal(axes, eps, ddof, case)
    return None


def _normalised(formula: Callable[[Normal], Array | None]) -> Callable[[Case], Array | None]:
    def gradient(case: Case) -> Array | None:
        found = normal(case)
        return None if found is None else formula(found)

    return gradient


def _over_batch(n: Normal, array: Array, parameter: str) -> Array | None:
    shape = n.case.point[parameter].shape
    spread = _spread(n.case.point[parameter], n.case.x)
    full = (1,) * (n.case.x.ndim - spread.ndim) + spread.shape
    axes = tuple(i for i, size in enumerate(full) if size == 1 and n.case.x.shape[i] != 1)
    return np.asarray(array.sum(axis=axes)).reshape(shape)


def _of_input(batch_or_features: str) -> list[Mistake]:
    return [
        Mistake(
            "statistics-as-constants",
            "{d} treats mean and variance as constants: it is upstream * gamma / std only. Both depend on x, the mean "
            "path and the variance path are missing.",
            _normalised(lambda n: n.inner * n.inverse),
        ),
        Mistake(
            "variance-path-forgotten",
            "{d} lacks the path through the variance: the term - xhat * mean(upstream * gamma * xhat) is missing.",
            _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner))),
        ),
        Mistake(
            "mean-path-forgotten",
            "{d} lacks the path through the mean: the term - mean(upstream * gamma) is missing.",
            _normalised(lambda n: n.inverse * (n.inner - n.projection(n.inner))),
        ),
        Mistake(
            "gamma-forgotten",
            "{d} lacks the factor gamma: right is dxhat = upstream * gamma.",
            _normalised(lambda n: n.inverse * (n.case.u - n.mean(n.case.u) - n.projection(n.case.u))),
        ),
        Mistake(
            "eps-omitted",
            "{d} omits eps: it divides by sqrt(var) where forward divides by sqrt(var + eps).",
            _normalised(
                lambda n: (
                    (
                        n.inner
                        - n.mean(n.inner)
                        - n.centred / np.sqrt(n.variance) * n.mean(n.inner * n.centred) / np.sqrt(n.variance)
                    )
                    / np.sqrt(n.variance)
                )
            ),
        ),
        Mistake(
            "eps-omitted",
            "{d} omits eps in one place: it divides by sqrt(var) where forward divides by sqrt(var + eps).",
            _normalised(lambda n: (n.inner - n.mean(n.inner) - n.projection(n.inner)) / np.sqrt(n.variance)),
        ),
        Mistake(
            "variance-path-sign",
            "{d} has the wrong sign in the path through the variance.",
            _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner) + n.projection(n.inner))),
        ),
        Mistake(
            "mean-path-sign",
            "{d} has the wrong sign in the path through the mean.",
            _normalised(lambda n: n.inverse * (n.inner + n.mean(n.inner) - n.projection(n.inner))),
        ),
        Mistake(
            f"missing-1/{batch_or_features}",
            f"{{d}} lacks the 1/{batch_or_features} in the path through the variance (a sum where a mean belongs).",
            _normalised(
                lambda n: (
                    n.inverse
                    * (n.inner - n.mean(n.inner) - n.xhat * (n.inner * n.xhat).sum(axis=n.axes, keepdims=True))
                )
            ),
        ),
        Mistake(
            f"missing-1/{batch_or_features}",
            f"{{d}} lacks the 1/{batch_or_features} in the path through the mean (a sum where a mean belongs).",
            _normalised(
                lambda n: n.inverse * (n.inner - n.inner.sum(axis=n.axes, keepdims=True) - n.projection(n.inner))
            ),
        ),
        Mistake(
            "xhat-for-x",
            "{d} uses the centred x where the normalised xhat belongs in the path through the variance.",
            _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner) - n.centred * n.mean(n.inner * n.centred))),
        ),
        Mistake(
            "gamma-misplaced",
            "{d} multiplies by gamma after the means are taken; gamma belongs inside them: dxhat = upstream * gamma "
            "first.",
            _normalised(lambda n: n.gamma * n.inverse * (n.case.u - n.mean(n.case.u) - n.projection(n.case.u))),
        ),
        *(
            Mistake(
                "wrong-axis",
                f"{{d}} takes its means over axes {axes}: these are not the axes that forward normalises over.",
                _normalised(lambda n, axes=axes: _with_means_over(n, axes)),  # type: ignore[misc]
            )
            for axes in ((0,), (1,), (2,), (3,), (0, 1), (1, 2), (2, 3), (0, 2, 3), (1, 2, 3), (0, 1, 2, 3))
        ),
        Mistake(
            "missing-1/std",
            "{d} is not divided by the standard deviation: the factor 1 / sqrt(var + eps) before the bracket is "
            "missing.",
            _normalised(lambda n: n.inner - n.mean(n.inner) - n.projection(n.inner)),
        ),
        Mistake(
            "wrong-count",
            "{d} divides the sums of its means by the wrong number: by the size of the batch where the number of "
            "features belongs, or the other way round (1/N for 1/D).",
            _normalised(lambda n: _with_means_of(n, n.other_count / n.count)),
        ),
        Mistake(
            "std-for-variance",
            "{d} divides by the variance where the standard deviation belongs: 1 / sqrt(var + eps), once.",
            _normalised(lambda n: n.inverse**2 * (n.inner - n.mean(n.inner) - n.projection(n.inner))),
        ),
        Mistake(
            "wrong-count",
            "{d} divides by N in the path through the variance where forward divides by N - 1, or the other way round.",
            _normalised(_with_the_other_ddof),
        ),
        Mistake(
            "mean-path-forgotten",
            "{d} lacks the mean path and gamma.",
            _normalised(lambda n: n.inverse * (n.case.u - n.projection(n.case.u))),
        ),
        Mistake(
            "std-for-variance",
            "{d} has the wrong power of the standard deviation in the path through the variance.",
            _normalised(lambda n: n.inverse * (n.inner - n.mean(n.inner)) - n.projection(n.inner)),
        ),
    ]


def _with_means_over(n: Normal, axes: tuple[int, ...]) -> Array | None:
    if max(axes) >= n.case.x.ndim or axes == n.axes:
        return None

    def mean(a: Array) -> Array:
        return np.asarray(a.mean(axis=axes, keepdims=True))

    return np.asarray(n.inverse * (n.inner - mean(n.inner) - n.xhat * mean(n.inner * n.xhat)))


def _with_means_of(n: Normal, factor: float) -> Array:
    return np.asarray(n.inverse * (n.inner - (n.mean(n.inner) + n.projection(n.inner)) / factor))


def _with_the_other_ddof(n: Normal) -> Array | None:
    if n.count < 2:
        return None
    factor = (n.count - n.ddof) / (n.count - 1 + n.ddof)
    return np.asarray(n.inverse * (n.inner - n.mean(n.inner) - n.projection(n.inner) * factor))
