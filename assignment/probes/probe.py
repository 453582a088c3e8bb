"""A probe as plain data, which goes over a pipe as JSON and arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from handgrad.params import Array

CHECKS = ("values", "other sizes", "special values", "contract")
OTHERWISE = "otherwise: "
"""Before the names of what the second attempt gave; twice for the third."""

LARGE = (24, 36)
"""Sizes, from and to, beyond toys: values that are right for toys alone are not right."""

Step = Sequence[Any]


@dataclass(frozen=True)
class Probe:
    """One thing that is asked of a part's code."""

    kind: str
    """layer, container, optimizer or loop: who runs the script."""
    module: str
    """Where the code lies in the package: "layers.fc"."""
    name: str
    """The class or function there."""
    options: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    script: Sequence[Step] = ()
    """Steps, each a word and what it needs. After ["or"] a second attempt begins, which does not lean on the part's
    other tasks; it counts where one of those is wrong."""

    @property
    def is_single(self) -> bool:
        """Whether its arrays are of single precision, so that answers cannot be better."""
        return any(array.dtype == np.float32 for array in self.arrays.values())

    def scripts(self) -> Iterator[list[Step]]:
        """The script of each attempt."""
        script: list[Step] = []
        for step in self.script:
            if step[0] == "or":
                yield script
                script = []
            else:
                script.append(step)
        yield script


class Attempt(NamedTuple):
    """What one attempt at a probe gave."""

    number: int
    arrays: dict[str, Array]


def attempts(answer: Mapping[str, Array]) -> list[Attempt]:
    """The answer's arrays by attempt, each under their plain names; an attempt that raised is missing."""
    found: dict[int, dict[str, Array]] = {}
    for name, array in answer.items():
        plain = name
        while plain.startswith(OTHERWISE):
            plain = plain.removeprefix(OTHERWISE)
        found.setdefault((len(name) - len(plain)) // len(OTHERWISE), {})[plain] = array
    return [Attempt(number, found[number]) for number in sorted(found)]


class Record:
    """What a script gave, by name, and what was returned for it, to be looked at once more later."""

    def __init__(self) -> None:
        self.results: dict[str, Array] = {}
        self.returned: dict[str, Any] = {}

    def report(self, name: str, value: Any) -> None:
        self.results[name] = taken(value, name)
        self.returned[name] = value

    def after(self, held: Mapping[str, Array], names: Sequence[str]) -> None:
        """The arrays that were handed in as they are now."""
        self.results.update({f"{name} afterwards": held[name].copy() for name in names})

    def kept(self) -> None:
        """Every earlier result as it is now."""
        self.results.update({f"{name} later": taken(value, name) for name, value in self.returned.items()})


def taken(value: Any, what: str) -> Array:
    """A copy of what the code returned, as a plain array; TypeError unless it is one of real numbers."""
    try:
        array = np.array(value)
    except ValueError:
        raise TypeError(f"{what} must be an array of numbers, got rows that differ") from None
    if array.dtype.kind not in "buif":
        raise TypeError(f"{what} must be an array of real numbers, got {_kind(value)}")
    return array


def pair(returned: Any, what: str) -> tuple[Any, Mapping[str, Any]]:
    """What a backward returned as (input gradient, gradients by name); TypeError for anything else."""
    if not isinstance(returned, tuple) or len(returned) != 2 or not isinstance(returned[1], Mapping):
        raise TypeError(f"{what} must return (dx, {{name: gradient}}), got {_kind(returned)}")
    dx, grads = returned
    return dx, grads


def mixed(rng: np.random.Generator, *shape: int) -> Array:
    """Random numbers of both signs, none of them near zero."""
    return rng.choice((-1.0, 1.0), shape) * rng.uniform(0.2, 2.0, shape)


def sizes_apart(rng: np.random.Generator, count: int, low: int = 2, high: int = 8) -> list[int]:
    """Different sizes from low to high, so that no axis can be taken for another."""
    return [int(size) for size in rng.choice(np.arange(low, high + 1), count, replace=False)]


def _kind(value: Any) -> str:
    if value is None:
        return "None (no return statement?)"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(one).__name__ for one in value)}"
    return f"an array of dtype {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
