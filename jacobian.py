"""The full Jacobian of a layer at a tiny input: the matrix that backward multiplies by and never builds.

    print(jacobian(ReLU(), [1, -2, 3, -1]))         by the input (L16, L17)
    jacobian(FC(4, 3), x, by="W").tensor            by a parameter (L14)
    chain(model, x)                                 one for each layer of a Sequential (L18)

It is built twice: row by row from backward with one-hot upstreams, and column by column from differences of forward.
The parts are in the folder `jacobians`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.checking.subject import BadReturn, LayerError, Point, Subject, as_real, describe, input_names, quiet
from handgrad.files import PathLike
from handgrad.jacobians import picture, text
from handgrad.jacobians.differences import differences
from handgrad.jacobians.extent import Extent
from handgrad.jacobians.rows import elsewhere, from_backward
from handgrad.jacobians.structure import structure, zeros_everywhere
from handgrad.losses import Loss
from handgrad.model import Sequential
from handgrad.params import Array


@dataclass(frozen=True, eq=False)
class Jacobian:
    """d(output)/d(`by`) of a layer at one point, in double precision; `print` shows it.

    Numerator layout (L11): one row for each entry of the output, one column for each entry of `by`, in row-major order.
    """

    layer: str
    by: str
    """The input's or the parameter's name."""
    extent: Extent
    matrix: Array
    """[outputs x entries of `by`], from backward with one-hot upstreams."""
    differences: Array
    """The same from central differences of forward; NaN at a kink, where the slopes to the two sides differ."""
    error: float
    """What the differences may be off by."""
    structure: str
    """What the matrix is called, such as `diagonal: output i depends on input i alone`."""
    zeros_everywhere: int
    """Entries that are zero here and at all the random points that were tried."""
    upstream: Array
    """An upstream gradient, of the output's shape: the one given, or a random one."""
    gradient: Array
    """What backward makes of `upstream` for `by`."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        return self.extent.outputs

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of `by`."""
        return self.extent.entries

    @property
    def tensor(self) -> Array:
        """The matrix as [output's shape x shape of `by`]: for a loss, an array of the shape of `by` (L11)."""
        return self.matrix.reshape(self.output_shape + self.input_shape)

    @property
    def zeros(self) -> int:
        """How many entries are exactly zero."""
        return int(np.count_nonzero(self.matrix == 0))

    @property
    def nbytes(self) -> int:
        return self.matrix.nbytes

    @property
    def deviation(self) -> float:
        """The largest difference between the two ways it was built; kinks are left out."""
        return float(np.nan_to_num(np.abs(self.matrix - self.differences)).max(initial=0.0))

    @property
    def agrees(self) -> bool:
        """Whether that is no more than the differences may be off by."""
        return self.deviation <= 10 * self.error + 1e-9 * float(np.abs(self.matrix).max(initial=0.0))

    def product(self, upstream: npt.ArrayLike) -> Array:
        """upstream @ J, the upstream as a row [1 x outputs]: what backward computes, in the shape of `by`."""
        row = _as_upstream(upstream, self.output_shape).ravel()
        product: Array = (row @ self.matrix).reshape(self.input_shape)
        return product

    def plot(self, path: PathLike | None = None) -> Any:
        """Draws where it is zero; returns Matplotlib's figure, and writes it to `path` (.png, .svg, .pdf) if given.

        Needs the extra handgrad[plot].
        """
        return picture.draw(self, path)

    def __str__(self) -> str:
        return text.report(self)


def jacobian(
    layer: Any,
    *inputs: npt.ArrayLike,
    by: int | str = 0,
    extra: Sequence[Any] = (),
    upstream: npt.ArrayLike | None = None,
    seed: int = 0,
) -> Jacobian:
    """The full Jacobian of `layer` at `inputs`, by the input number `by` or by the input or parameter of that name.

    `layer` is anything with `forward(*inputs, *extra)`, `backward(upstream)` and, if it has parameters, a mapping
    `params`; a loss may be called as jacobian(SoftmaxCE(), scores, labels). Copies of it are looked at, in double
    precision; a layer that draws random numbers draws the same ones each time, those that its next forward would.
    `upstream` is what the product is shown with, by default random; `seed` is of everything random.

    Raises ValueError or TypeError for arguments it cannot use, and for a Jacobian that is not finite or has
    more than 2^22 numbers.
    """
    if not inputs:
        raise ValueError("jacobian(layer, x, ...): expected the input at which to take it, got none")
    if isinstance(layer, Loss) and not extra:
        inputs, extra = inputs[:1], inputs[1:]
    subject = Subject(layer, dict(zip(input_names(layer, len(inputs)), inputs, strict=True)), extra)
    name, point = _chosen(by, subject), subject.at_hand
    with quiet(), _plain_errors():
        shape = _output_shape(subject, point)
        columns = "inputs" if name in subject.inputs and len(subject.inputs) == 1 else f"entries of {name}"
        extent = Extent(shape, point[name].shape, columns, name in subject.params)
        extent.must_be_small(f"{describe(layer)} by {name}")
        rng = np.random.default_rng(seed)
        chosen = _whole_numbers(shape, rng) if upstream is None else _as_upstream(upstream, shape)
        matrix, gradient = from_backward(subject, point, name, chosen)
        _must_be_finite(matrix, f"the Jacobian of {describe(layer)} by {name}")
        numeric, error = differences(subject, point, name)
        points, matrices = elsewhere(subject, point, name, chosen, rng)
        return Jacobian(
            layer=describe(layer),
            by=name,
            extent=extent,
            matrix=matrix,
            differences=numeric,
            error=error,
            structure=structure([matrix, *matrices], [point, *points], extent, name),
            zeros_everywhere=zeros_everywhere([matrix, *matrices]),
            upstream=chosen,
            gradient=gradient,
        )


def chain(model: Sequential, x: npt.ArrayLike) -> list[Jacobian]:
    """The Jacobian of each layer by its input, first to last, at the values that reach it.

    Their product, last layer first, is the model's: J = J_l ... J_2 J_1 (L18).
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"chain(model, x): expected a Sequential, got {describe(model)}")
    subject = Subject(model, {"x": x})
    h, factors = subject.at_hand["x"], []
    with quiet(), _plain_errors():
        subject.outputs(subject.at_hand)  # so that an input that does not fit is told with its place in the model
        for own, layer in zip(model.layers, subject.layer.layers, strict=True):
            factors.append(replace(jacobian(layer, h), layer=describe(own)))
            h = layer.forward(h)
    return factors


def _output_shape(subject: Subject, point: Point) -> tuple[int, ...]:
    """The shape of the one output; finds out, too, whether forward draws random numbers, which are then replayed."""
    before = subject.random_state()
    outputs = subject.outputs(point)
    subject.replays = subject.random_state() != before
    if len(outputs) != 1:
        raise ValueError(f"expected a layer of one output, {describe(subject.layer)} has {len(outputs)}")
    _must_be_finite(outputs[0], f"the output of {describe(subject.layer)}")
    return outputs[0].shape


def _must_be_finite(array: Array, what: str) -> None:
    if not np.isfinite(array).all():
        index = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise ValueError(f"{what} must be finite at this input, it is {array[tuple(index)]} at {index}")


def _chosen(by: int | str, subject: Subject) -> str:
    """The name of the input or parameter that `by` says."""
    known = ", ".join(subject.variables)
    if isinstance(by, str):
        if by not in subject.variables:
            raise ValueError(f"by must be one of {known}, got {by!r}")
        return by
    if isinstance(by, bool) or not isinstance(by, int | np.integer) or not 0 <= by < len(subject.inputs):
        raise ValueError(f"by must be one of {known}, or an input's number from 0, got {by!r}")
    return subject.inputs[by]


def _as_upstream(upstream: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    array = as_real(upstream, "upstream")
    if array.shape != shape:
        raise ValueError(f"upstream must have the output's shape {shape}, got {array.shape}")
    return array


def _whole_numbers(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Random whole numbers, their signs in turn: easy to follow through a product."""
    signs = 1 - 2 * (np.arange(math.prod(shape)) % 2)
    return np.asarray(rng.integers(1, 10, shape) * signs.reshape(shape), np.float64)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the layer itself raises comes out as it was raised; a return of a wrong form is a ValueError."""
    try:
        yield
    except LayerError as error:
        raise error.error from None
    except BadReturn as error:
        raise ValueError(str(error)) from None
