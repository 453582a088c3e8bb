"""How to check a kind of layer: how it is made, its inputs, and what its forward must give."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handgrad.checking.points import Sizes
from handgrad.params import Array

SIZES = {"N": 4, "D": 5, "M": 3}


@dataclass(frozen=True)
class Specimen:
    """A layer to check at many sizes."""

    arguments: Callable[[Sizes], tuple[Any, ...]] = lambda sizes: ()
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=lambda: {"x": "N D"})
    sizes: Mapping[str, int] = field(default_factory=lambda: SIZES)
    extra: Callable[[Sizes, np.random.Generator], tuple[Array, ...]] | None = None
    at_kink: str | None = None
    forward: Callable[..., Any] | None = None
    """The reference: (layer, *inputs, *extra) -> what forward must give, None where that cannot be said."""
    mathematics: Mapping[str, str] = field(default_factory=dict)
    """For each gradient its formula, and where it comes from."""
    domain: Mapping[str, tuple[float | None, float | None]] | None = None
    """The intervals in which the layer is defined."""
    about: str = ""
    only_ours: bool = False
    """Whether another's class of that name may well be something else."""

    def suits(self, cls: type) -> bool:
        """Whether to check `cls` this way: what is beyond the usual is asked of this package's own layers only."""
        usual = not self.about and not self.only_ours
        return usual or any(base.__module__.startswith("handgrad.layers") for base in cls.__mro__[:-1])

    def make(self, cls: type, sizes: Sizes, rng: np.random.Generator) -> Any:
        """A layer of this kind, from `rng` where its class takes one.

        An option that the class calls otherwise is given by its place: LeakyReLU(0.2).
        """
        parameters = inspect.signature(cls).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        named = {name: value for name, value in self.options.items() if takes_any or name in parameters}
        placed = [value for name, value in self.options.items() if name not in named]
        if "rng" in parameters:
            named["rng"] = rng
        return cls(*self.arguments(sizes), *placed, **named)
