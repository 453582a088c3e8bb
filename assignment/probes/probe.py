"""A probe as plain data, which goes over a pipe as JSON and arrays; and the record of what it gave.

The code that is asked may be hostile: change NumPy's names, handgrad's or Python's own. So what it returns is looked at
with functions that were bound before it was imported, are written in C and so cannot be changed, and ask the object
nothing that its class could answer otherwise. (grading/sandbox/asking.py keeps these modules themselves out of its
reach.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy import array as new_array
from numpy import asarray, generic, ndarray, shares_memory

from handgrad.params import Array

CHECKS = ("values", "other sizes", "special values", "contract")
ALONE, BESIDE, MOVED = "alone", "beside", "moved"
"""Further attempts at a probe: `alone` does without the part's other task, `beside` spares it what the check is about,
`moved` hands what forward left to another object, on which it was not called."""

OTHERWISE = "otherwise: "
"""Before the names of what the second attempt gave; twice for the third."""

Step = Sequence[Any]

NUMBERS = (bool, int, float, complex, generic)
IN_MEMORY: Callable[[Array, Array], bool] = getattr(shares_memory, "_implementation", shares_memory)
"""`shares_memory` itself, without what NumPy wraps around it in Python."""


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
    """Steps, each a word and what it needs. After ["or", kind] a further attempt begins, of one of the kinds above; it
    counts in the first one's place where another task of the part is wrong."""

    @property
    def is_single(self) -> bool:
        """Whether its arrays are of single precision, so that answers cannot be better."""
        return any(array.dtype == np.float32 for array in self.arrays.values())

    def attempts(self) -> list[tuple[str, list[Step]]]:
        """Each attempt's kind, "" for the first, and its script."""
        found: list[tuple[str, list[Step]]] = [("", [])]
        for step in self.script:
            if step[0] == "or":
                found.append((step[1], []))
            else:
                found[-1][1].append(step)
        return found

    def only(self, number: int = 0) -> Probe:
        """The probe with one attempt only."""
        return replace(self, script=self.attempts()[number][1])


class ForwardRaised(RuntimeError):
    """What stands in for the error of a forward, where it is backward that is asked for."""


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
        self.grads: dict[str, tuple[Mapping[str, Any], str]] = {}

    def report(self, name: str, value: Any) -> None:
        if name in self.results:  # the second would hide the first
            raise TypeError(f"{name} was returned twice")
        self.results[name] = taken(value, name)
        self.returned[name] = value

    def report_grads(self, label: str, grads: Mapping[str, Any]) -> None:
        """Reports gradients, each under the label with the parameter's name in it."""
        for parameter, gradient in grads.items():
            name = label.format(parameter)
            self.report(name, gradient)
            self.grads[name] = grads, parameter

    def after(self, held: Mapping[str, Array], names: Sequence[str]) -> None:
        """The arrays that were handed in as they are now."""
        self.results.update({f"{name} afterwards": held[name].copy() for name in names})

    def kept(self) -> None:
        """Every earlier result as it is now; of gradients what their dictionary holds now."""
        for name, value in self.returned.items():
            grads, parameter = self.grads.get(name, ({"": value}, ""))
            if parameter in grads:
                self.results[f"{name} later"] = taken(grads[parameter], name)

    def shared(self, given: Sequence[Array]) -> None:
        """Whether a result shares memory with another, or with one of the arrays that were handed in."""
        arrays = [_arrays_in(value) for value in self.returned.values()]
        others = [(a, b) for i, own in enumerate(arrays) for a in own for those in (*arrays[:i], given) for b in those]
        self.results["shared memory"] = new_array(float(any(IN_MEMORY(a, b) for a, b in others)))


def taken(value: Any, what: str) -> Array:
    """A copy of what the code returned, as a plain array; TypeError unless it is one of real numbers."""
    try:
        array = new_array(_plain(value, what))
    except ValueError:
        raise TypeError(f"{what} must be an array of numbers, got rows that differ") from None
    if array.dtype.kind not in "buif":
        raise TypeError(f"{what} must be an array of real numbers, got {_kind(value)}")
    return array


def _plain(value: Any, what: str) -> Any:
    """`value` without classes of the code's own, whose objects could be another thing at each look."""
    kind = type(value)
    if issubclass(kind, ndarray):
        return asarray(value)
    if kind in (list, tuple):
        return [_plain(one, what) for one in value]
    if issubclass(kind, NUMBERS):
        return value
    raise TypeError(f"{what} must be an array of real numbers, got {_kind(value)}")


def _arrays_in(value: Any) -> list[Array]:
    """The arrays of at least one dimension in what `_plain` takes."""
    if type(value) in (list, tuple):
        return [array for one in value for array in _arrays_in(one)]
    array = asarray(value)
    return [array] if issubclass(type(value), ndarray) and array.ndim else []


def pair(returned: Any, what: str) -> tuple[Any, Mapping[str, Any]]:
    """What a backward returned as (input gradient, gradients by name); TypeError for anything else."""
    if not isinstance(returned, tuple) or len(returned) != 2 or not isinstance(returned[1], Mapping):
        raise TypeError(f"{what} must return (dx, {{name: gradient}}), got {_kind(returned)}")
    dx, grads = returned
    return dx, grads


def _kind(value: Any) -> str:
    if value is None:
        return "None (no return statement?)"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(one).__name__ for one in value)}"
    return f"an array of dtype {value.dtype}" if isinstance(value, ndarray) else type(value).__name__
