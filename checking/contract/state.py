"""What a layer keeps from call to call: nothing accumulates, nothing is stale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.checking.contract.place import Place
from handgrad.checking.points import nudged
from handgrad.checking.report import Finding
from handgrad.checking.subject import Point
from handgrad.checking.values import handed
from handgrad.params import Array


def repeatable(place: Place) -> Iterator[Finding]:
    subject, upstream = place.subject, place.upstream
    layer = subject.at(place.point)
    subject.forward(layer, place.point)
    first = {k: np.array(g) for k, g in subject.named(subject.backward(layer, handed(upstream))).items()}
    second = {k: np.array(g) for k, g in subject.named(subject.backward(layer, handed(upstream))).items()}
    wrong = place.not_equal([], second, [], first)
    for name in wrong:
        yield _not_repeatable(place, name, second[name[1:]], first[name[1:]], "a second backward")
    if wrong or subject.replays:
        return
    outputs, third = place.run(layer, place.point, handed(upstream))
    for name in place.differing(outputs, third):
        if name == "y":
            yield Finding(
                "y", "contract", "forward-keeps-state", "a second forward with the same input gives another output."
            )
        else:
            yield _not_repeatable(place, name, third[name[1:]], first[name[1:]], "a second forward and backward")


def _not_repeatable(place: Place, name: str, again: Array, first: Array, what: str) -> Finding:
    doubled = place.close(again, 2 * first) or place.close(again, 3 * first)
    if doubled:
        message = (
            f"{what} gives {name} larger by the first: it accumulates (+=) from call to call. Return the gradient of "
            "this call alone."
        )
    else:
        message = (
            f"{what} with the same arguments gives another {name}: backward changes what it works from, such as an "
            "array that forward keeps, by *= or -=; work on a copy."
        )
    return Finding(name, "contract", "accumulates" if doubled else "not-repeatable", message)


def fresh_cache(place: Place) -> Iterator[Finding]:
    subject = place.subject
    if subject.replays:
        return
    layer = subject.at(place.point)
    other = place.another()
    place.run(layer, other, handed(place.upstream))
    outputs, gradients = place.run(layer, place.point, handed(place.upstream))
    wrong = place.differing(outputs, gradients)
    if not wrong:
        layer = subject.at(place.point)
        subject.forward(layer, other)
        outputs, gradients = place.run(layer, place.point, handed(place.upstream))
        wrong = place.differing(outputs, gradients)
    if not wrong:
        layer, second = subject.at(place.point), subject.at(place.point)
        outputs = place.results(subject.forward(layer, place.point))
        subject.forward(second, other)
        gradients = subject.named(subject.backward(layer, handed(place.upstream)))
        for name in place.differing(outputs, gradients)[:1]:
            yield Finding(
                name,
                "contract",
                "shared-cache",
                f"after the forward of another layer of this class {name} is not what it was: the cache lies on the "
                "class, or outside. Keep it in self.",
            )
    for name in wrong[:1]:
        yield Finding(
            name,
            "contract",
            "stale-cache",
            f"after a call with another input {', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} not what a new "
            "layer gives: something is still of the first call (a stale cache). Let every forward overwrite it.",
        )


def fresh_parameters(place: Place) -> Iterator[Finding]:
    subject = place.subject
    if not subject.params or subject.replays:
        return
    params = {name: place.point[name] for name in subject.params}
    changed: Point = {**place.point, **nudged(params, place.domain, place.rng)}
    layer = subject.at(place.point)
    place.run(layer, place.point, handed(place.upstream))
    for name in subject.params:
        _write(layer, name, changed[name])
    outputs, gradients = place.run(layer, changed, handed(place.upstream))
    expected_outputs, expected = place.run(subject.at(changed), changed, handed(place.upstream))
    wrong = place.not_equal(outputs, gradients, expected_outputs, expected)
    for name in wrong[:1]:
        yield Finding(
            name,
            "contract",
            "stale-parameters",
            f"after the parameters were changed in place, as an optimizer does, {', '.join(wrong)} "
            f"{'are' if len(wrong) > 1 else 'is'} still of the old ones: a copy of the parameters was kept. Use "
            "the parameters themselves in every call.",
        )


def _write(layer: Any, name: str, value: Array) -> None:
    array = layer.params[name]
    if isinstance(array, np.ndarray):
        array[...] = value
    else:
        layer.params[name] = float(value)
