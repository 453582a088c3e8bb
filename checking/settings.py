"""The layer under check at one choice of sizes, and where others come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.checking import points
from handgrad.checking.options import Options
from handgrad.checking.points import REALS, Sizes
from handgrad.checking.subject import LayerError, Subject
from handgrad.layers import Layer


@dataclass
class Setting:
    """A layer at one choice of sizes."""

    subject: Subject
    sizes: Sizes
    where: str
    """How messages name the sizes."""
    is_own: bool
    """Whether the user chose the sizes."""
    is_base: bool = True
    """Whether these are the sizes that came first."""
    reproduce: str = ""
    resized: Callable[[], Iterator[Setting]] = lambda: iter(())
    """The same layer at other sizes, as far as it can be had."""


class Builder:
    """Makes the layer and its inputs at given sizes."""

    def __init__(
        self,
        make: Callable[[Sizes, np.random.Generator], Any],
        inputs: Mapping[str, str],
        sizes: Mapping[str, int],
        extra: Callable[[Sizes, np.random.Generator], Sequence[Any]] | None,
        point: Callable[[Sizes, np.random.Generator], Sequence[npt.ArrayLike]] | None,
        options: Options,
    ) -> None:
        for what, function in (("make", make), ("extra", extra), ("point", point)):
            is_function = callable(function) and not isinstance(function, Layer)  # calling a layer is its forward
            if not is_function and (what == "make" or function is not None):
                raise TypeError(f"{what} must be a function of (sizes, rng), got {function!r}")
        if not isinstance(inputs, Mapping) or not inputs or not all(isinstance(v, str) for v in inputs.values()):
            raise TypeError(f'inputs must name each input and its shape, such as {{"x": "N D"}}, got {inputs!r}')
        if not isinstance(sizes, Mapping) or not all(map(_is_size, sizes.values())):
            raise TypeError(f'sizes must give each symbol a number >= 1, such as {{"N": 4, "D": 5}}, got {sizes!r}')
        self.make, self.inputs, self.sizes, self.extra, self.point = make, inputs, dict(sizes), extra, point
        self.options = options
        words = next(iter(inputs.values())).split()
        self.batch = words[0] if words else ""

    def __call__(self, partial: Mapping[str, int], *, draw: int = 0) -> Setting:
        """The layer at its sizes, changed as `partial` says; `draw` numbers the labels (extra) drawn for them."""
        sizes = {**self.sizes, **partial}
        where = ", ".join(f"{symbol}={size}" for symbol, size in sizes.items())
        where += ", other labels" if draw else ""
        shapes = {name: points.shape_of(text, sizes, name) for name, text in self.inputs.items()}
        layer = self.make(dict(sizes), self.options.rng("make"))
        if self.point is None:
            arrays = {
                name: points.ordinary(shape, self.options.domain.get(name, REALS), self.options.rng("point " + name))
                for name, shape in shapes.items()
            }
        else:
            given = self.point(dict(sizes), self.options.rng("point"))
            if not isinstance(given, tuple | list) or len(given) != len(shapes):
                came = len(given) if isinstance(given, tuple | list) else type(given).__name__
                raise ValueError(f"point must return a tuple of {len(shapes)} ({', '.join(shapes)}), got {came}")
            arrays = {name: np.asarray(value) for name, value in zip(shapes, given, strict=True)}
            for name, shape in shapes.items():
                if arrays[name].shape != shape:
                    raise ValueError(f"point: {name} must be {shape} for {where}, got {arrays[name].shape}")
        rng = self.options.rng(f"extra {draw}" if draw else "extra")
        more = () if self.extra is None else self.extra(dict(sizes), rng)
        if not isinstance(more, tuple | list):
            raise TypeError(f"extra must return a tuple of what forward takes after the inputs, got {more!r}")
        reproduce = f"sweep(make, {dict(self.inputs)}, {sizes}, variants=[]{self.options.as_arguments})"
        setting = Setting(
            Subject(layer, arrays, tuple(more)),
            sizes,
            where,
            is_own=not partial and not draw,
            is_base=sizes == self.sizes,
            reproduce=reproduce,
        )
        setting.resized = lambda: self._others(setting)
        return setting

    def relabelled(self, setting: Setting) -> Iterator[Setting]:
        """The same sizes with other labels; none where there are no labels, or always the same."""
        for draw in range(1, 6) if self.extra else ():
            other = self(setting.sizes, draw=draw)
            if repr(other.subject.extra) != repr(setting.subject.extra):
                other.subject.replays = setting.subject.replays
                yield other
                return

    def _others(self, setting: Setting) -> Iterator[Setting]:
        """The layer at other sizes, those that make, point and extra take."""
        for sizes in points.other_sizes(setting.sizes):
            try:
                other = self(sizes)
            except Exception:
                continue
            other.subject.replays = setting.subject.replays
            yield other


def check_variants(variants: Any, sizes: Sizes) -> None:
    if not isinstance(variants, Sequence | None):
        raise TypeError(f'variants must be a list of sizes such as [{{"N": 1}}], got {variants!r}')
    for partial in variants or ():
        if not isinstance(partial, Mapping) or not all(map(_is_size, partial.values())):
            raise TypeError(f'variants must be mappings such as {{"N": 1}}, got {partial!r}')
        for symbol in partial:
            if symbol not in sizes:
                raise ValueError(f"variants: there is no size {symbol!r}; sizes has {', '.join(sizes)}")


def _is_size(value: Any) -> bool:
    return isinstance(value, int | np.integer) and int(value) >= 1


def first_rows(setting: Setting, count: int, where: str) -> Setting | None:
    """The first rows of everything that has a row for each of the batch; None where there are no more of them."""
    subject = setting.subject
    x = subject.at_hand[subject.inputs[0]]
    if not x.ndim or len(x) <= count or count < 1:
        return None

    def first(value: Any) -> Any:
        has_rows = isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim)
        return value[:count] if has_rows and len(value) == len(x) else value

    inputs = {name: first(subject.at_hand[name]) for name in subject.inputs}
    fewer = Subject(subject.layer, inputs, [first(value) for value in subject.extra])
    fewer.replays, fewer.narrow = subject.replays, subject.narrow
    return Setting(fewer, {}, where, is_own=False, is_base=False, reproduce=setting.reproduce)


def has_rows_as_input(setting: Setting) -> bool:
    """Whether forward takes it and gives a row for each row of the input: then rows are a batch."""
    subject = setting.subject
    try:
        outputs = subject.outputs(subject.at_hand)
    except LayerError:
        return False
    return all(y.shape[:1] in ((), subject.at_hand[subject.inputs[0]].shape[:1]) for y in outputs)


def one_row_fewer(own: Setting) -> Iterator[Setting]:
    rows = np.shape(own.subject.at_hand[own.subject.inputs[0]])[:1]
    fewer = first_rows(own, rows[0] - 1, "one row fewer") if rows else None
    if fewer is not None:
        yield fewer
