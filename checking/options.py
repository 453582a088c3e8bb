"""How to check: what the user may choose, held against what there is."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handgrad.checking import points
from handgrad.checking.contract import GRADIENTS, ITEMS
from handgrad.checking.points import Interval
from handgrad.params import Array

KINK_CONVENTIONS = (None, "left", "right", "mean")


@dataclass
class Options:
    """How to check."""

    domain: Mapping[str, Interval] = field(default_factory=dict)
    at_kink: str | None = None
    skip: tuple[str, ...] = ()
    seed: int = 0

    @classmethod
    def checked(cls, domain: Any, at_kink: Any, skip: Any, seed: Any, reference: Any = None) -> Options:
        """The options as given; ValueError or TypeError for what is none."""
        if not isinstance(at_kink, str | None) or at_kink not in KINK_CONVENTIONS:
            raise ValueError(f"at_kink must be 'left', 'right', 'mean' or None, got {at_kink!r}")
        if not isinstance(skip, str | Sequence | Set):
            raise TypeError(f"skip must be a sequence of items such as ('layouts',), got {skip!r}")
        names = (skip,) if isinstance(skip, str) else tuple(skip)
        for name in names:
            if name not in (GRADIENTS, *ITEMS):
                raise ValueError(f"skip: there is no item {name!r}; there are {', '.join((GRADIENTS, *ITEMS))}")
        if not isinstance(domain, Mapping | None):
            raise TypeError(f'domain must be a mapping such as {{"p": (0, 1)}}, got {domain!r}')
        bounds = {name: points.interval(pair, name) for name, pair in (domain or {}).items()}
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed must be a whole number >= 0, got {seed!r}")
        if reference is not None and not callable(reference):
            raise TypeError(f"reference must be a function (layer, *inputs, *extra) -> output, got {reference!r}")
        return cls(bounds, at_kink, names, int(seed))

    def must_name(self, point: Mapping[str, Array]) -> None:
        """ValueError for a domain of something that is neither an input nor a parameter."""
        for name in self.domain:
            if name not in point:
                raise ValueError(f"domain: there is no input or parameter {name!r}; there are {', '.join(point)}")

    def must_hold(self, point: Mapping[str, Array]) -> None:
        """ValueError for a point outside its own domain, too."""
        self.must_name(point)
        for name, bounds in self.domain.items():
            if not points.inside(point[name], bounds):
                low, high = float(point[name].min()), float(point[name].max())
                raise ValueError(f"domain: {name} must lie inside {bounds}, the given one is from {low:g} to {high:g}")

    @property
    def as_arguments(self) -> str:
        """What of it a call must repeat to see the same, as text."""
        kink = f", at_kink={self.at_kink!r}" if self.at_kink else ""
        bounds = {name: tuple(b if math.isfinite(b) else None for b in pair) for name, pair in self.domain.items()}
        domain = f", domain={bounds!r}" if bounds else ""
        return f"{domain}{kink}, seed={self.seed}"

    def rng(self, label: str) -> np.random.Generator:
        """A generator for one step, the same whatever else is skipped."""
        return np.random.default_rng([self.seed, zlib.crc32(label.encode())])
