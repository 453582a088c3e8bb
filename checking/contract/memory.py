"""Whose memory is whose: arguments that are edited, results that share memory, results overwritten by later calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.checking.contract.place import Place, first_input, parameter_arrays, same
from handgrad.checking.report import Finding
from handgrad.checking.subject import LayerError, as_tuple
from handgrad.checking.values import handed


def unchanged_arguments(place: Place) -> Iterator[Finding]:
    subject = place.subject
    layer = subject.at(place.point)
    held: dict[str, Any] = {f"the input {name}": place.point[name].copy() for name in subject.inputs}
    extra = [np.array(e) if isinstance(e, np.ndarray) else e for e in subject.extra]
    held.update({f"the argument {i} after the inputs (labels)": e for i, e in enumerate(extra)})
    parameters = {f"the parameter {name}": array for name, array in parameter_arrays(layer).items()}
    held.update(parameters)
    upstream = handed(place.upstream)
    held["the upstream gradient"] = upstream[0] if len(upstream) == 1 else upstream
    before = {name: _copied(value) for name, value in held.items()}
    try:
        returned = layer.forward(*[held[f"the input {name}"] for name in subject.inputs], *extra)
    except Exception as error:
        raise LayerError("forward", error) from error
    told: set[str] = set()
    for stage in ("forward", "backward"):
        if stage == "backward":
            subject.backward(layer, upstream)
        now = {f"the parameter {name}": array for name, array in parameter_arrays(layer).items()}
        for name, value in held.items():
            is_kept = same(value, before[name]) and same(now.get(name, value), before[name])
            if name in told or is_kept:
                continue
            told.add(name)
            cause = {"i": "input", "a": "labels", "p": "parameters", "u": "upstream"}[name.removeprefix("the ")[0]]
            array = "d" + name.rsplit(" ", 1)[1] if cause == "input" or cause == "parameters" else first_input(place)
            yield Finding(
                array,
                "contract",
                f"changes-{cause}",
                f"{stage} changes {name}: the update is the optimizer's."
                if name in parameters
                else f"{stage} edits {name} in place; whoever passed it in still needs it. Work on a copy, or write "
                "y = a * b rather than a *= b.",
            )
    del returned


def no_aliasing(place: Place) -> Iterator[Finding]:
    subject = place.subject
    layer = subject.at(place.point)
    inputs = [place.point[name].copy() for name in subject.inputs]
    upstream = handed(place.upstream)
    outputs = as_tuple(subject.forward(layer, place.point, inputs))
    gradients = subject.named(subject.backward(layer, upstream))
    given = {f"the input {name}": x for name, x in zip(subject.inputs, inputs, strict=True)}
    given.update({f"the parameter {name}": p for name, p in parameter_arrays(layer).items()})
    is_view = any(_shares(y, x) for y in outputs for x in inputs)
    for y in outputs:
        for name, array in given.items():
            if _shares(y, array) and not (name.startswith("the input") and _is_pure_view(y, array)):
                yield Finding(
                    "y",
                    "contract",
                    f"aliases-{'input' if 'input' in name else 'parameters'}",
                    f"the output shares memory with {name}: who edits one edits the other. Return a new array.",
                )
    own = dict(zip(subject.inputs, inputs, strict=True)) | parameter_arrays(layer)
    shapes = {name: np.shape(array) for name, array in own.items()}
    # One of a wrong shape must become another array anyway, such as a sum.
    arrays = {"d" + name: g for name, g in gradients.items() if np.shape(g) == shapes.get(name, np.shape(g))}
    for name, g in arrays.items():
        for u in upstream:
            if _shares(g, u) and g.flags.writeable and not (is_view and _is_pure_view(g, u)):
                yield Finding(
                    name,
                    "contract",
                    "aliases-upstream",
                    f"{name} shares memory with the upstream gradient: who edits one edits the other. Return a new "
                    "array, such as upstream.copy().",
                )
        for other, array in given.items():
            if _shares(g, array):
                yield Finding(
                    name,
                    "contract",
                    f"aliases-{'input' if 'input' in other else 'parameters'}",
                    f"{name} shares memory with {other}: an update would change it while it is read. Return a new "
                    "array.",
                )
        for other, h in arrays.items():
            if name < other and _shares(g, h):
                yield Finding(
                    name,
                    "contract",
                    "aliases-gradient",
                    f"{name} and {other} share memory (the same array is returned for both, aliasing): who edits or "
                    "accumulates into one changes the other. Return a copy.",
                )
        for y in outputs:
            if _shares(g, np.asarray(y)) and not is_view:
                yield Finding(
                    name,
                    "contract",
                    "aliases-output",
                    f"{name} shares memory with the output of forward: backward overwrites what it returned before.",
                )


def stable_results(place: Place) -> Iterator[Finding]:
    subject = place.subject
    layer = subject.at(place.point)
    outputs = as_tuple(subject.forward(layer, place.point))
    gradients = subject.named(subject.backward(layer, handed(place.upstream)))
    held = {"y": outputs[0], **{"d" + name: g for name, g in gradients.items()}}
    before = {name: np.array(array) for name, array in held.items()}
    other_upstream = [u * -1.5 if np.ndim(u) == 0 else -1.5 * np.asarray(u)[::-1] for u in place.upstream]
    for later in (place.another(), place.point):
        subject.forward(layer, later)
        subject.backward(layer, handed(other_upstream))
        overwritten = [name for name, array in held.items() if not same(array, before[name])]
        for name in overwritten:
            yield Finding(
                name,
                "contract",
                "reused-buffer",
                f"the array {name} that was returned is overwritten by a later call (a reused buffer): who kept it "
                "finds other numbers in it. Return a new array from every call.",
            )
        if overwritten:
            return


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(v) for v in value]
    return np.array(value) if isinstance(value, np.ndarray) else value


def _shares(a: Any, b: Any) -> bool:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or not a.size or not b.size:
        return False
    return bool(np.shares_memory(a, b))


def _is_pure_view(y: Any, x: Any) -> bool:
    """Whether y is x seen otherwise (reshaped, transposed), as Flatten's output is."""
    return isinstance(y, np.ndarray) and y.size == x.size and np.array_equal(np.sort(y.ravel()), np.sort(x.ravel()))
