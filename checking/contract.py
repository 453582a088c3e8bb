"""What a layer must keep to besides the right numbers: its arguments, its memory, its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.checking.points import REALS, Interval, inside, integers, nudged
from handgrad.checking.report import Finding
from handgrad.checking.subject import BadReturn, LayerError, Point, Subject, as_tuple
from handgrad.checking.values import handed
from handgrad.params import Array

ITEMS = (
    "unchanged-arguments",
    "no-aliasing",
    "repeatable",
    "fresh-cache",
    "fresh-parameters",
    "stable-results",
    "linear",
    "layouts",
    "integer-input",
    "shapes",
    "dtype",
    "finite",
)
"""All that `skip` can name. shapes, dtype and finite are looked at wherever values are."""


@dataclass
class Place:
    """A layer at a point, and what it gives there when it is new: what every item is held against."""

    subject: Subject
    point: Point
    upstream: list[Any]
    domain: Mapping[str, Interval]
    rng: np.random.Generator
    tolerance: float
    """Relative difference that rounding may make."""
    rounding: Mapping[str, float]
    """For each gradient the size of its rounding errors."""

    def __post_init__(self) -> None:
        layer = self.subject.at(self.point)
        self.outputs = self.results(self.subject.forward(layer, self.point))
        self.gradients = self.subject.named(self.subject.backward(layer, handed(self.upstream)))
        self.gradients = {name: np.array(g) for name, g in self.gradients.items()}

    @staticmethod
    def results(returned: Any) -> list[Array]:
        return [np.array(y) for y in as_tuple(returned)]

    def run(
        self, layer: Any, point: Point, upstream: Sequence[Any], inputs: Sequence[Any] | None = None
    ) -> tuple[list[Array], dict[str, Array]]:
        """Forward and backward on `layer`: copies of the outputs, and of the gradients by name."""
        outputs = self.results(self.subject.forward(layer, point, inputs))
        gradients = self.subject.named(self.subject.backward(layer, upstream))
        return outputs, {name: np.array(g) for name, g in gradients.items()}

    def differing(self, outputs: Sequence[Array], gradients: Mapping[str, Array]) -> list[str]:
        """The names of the results that are not what a new layer gives."""
        return self.not_equal(outputs, gradients, self.outputs, self.gradients)

    def not_equal(
        self,
        outputs: Sequence[Array],
        gradients: Mapping[str, Array],
        other_outputs: Sequence[Array],
        other_gradients: Mapping[str, Array],
    ) -> list[str]:
        names = [] if all(map(self.close, outputs, other_outputs)) else ["y"]
        return names + ["d" + k for k, other in other_gradients.items() if not self.same(k, gradients[k], other)]

    def same(self, name: str, a: Array, b: Array, scale: float = 0.0) -> bool:
        """Whether two gradients of `name` differ by no more than rounding."""
        return self.close(a, b, scale, 100 * self.rounding[name])

    def close(self, a: Array, b: Array, scale: float = 0.0, least: float = 0.0) -> bool:
        if a.shape != b.shape:
            return False
        with np.errstate(all="ignore"):
            scale = max(scale, np.abs(b[np.isfinite(b)]).max(initial=0.0) if b.size else 0.0)
            same = np.abs(np.asarray(a, np.float64) - b) <= self.tolerance * scale + least + 1e-300
        return bool(np.all(same | (a == b) | (np.isnan(a) & np.isnan(b))))

    def another(self) -> Point:
        """The same parameters with other inputs: its numbers in another order, lest they leave forward's domain."""
        inputs = {}
        for name in self.subject.inputs:
            values = self.point[name]
            shuffled = self.rng.permutation(values.ravel()).reshape(values.shape)
            near = np.asarray(shuffled * self.rng.uniform(0.8, 1, values.shape))
            inputs[name] = near if inside(near, self.domain.get(name, REALS)) else np.asarray(shuffled)
        return {**self.point, **inputs}


Item = Callable[[Place], Iterator[Finding]]


def broken_items(place: Place, skip: Sequence[str]) -> Iterator[Finding]:
    """The findings of every item that is not skipped."""
    checks: dict[str, Item] = {
        "unchanged-arguments": unchanged_arguments,
        "no-aliasing": no_aliasing,
        "repeatable": repeatable,
        "fresh-cache": fresh_cache,
        "fresh-parameters": fresh_parameters,
        "stable-results": stable_results,
        "linear": linear,
        "layouts": layouts,
        "integer-input": integer_input,
    }
    for item, check in checks.items():
        if item in skip:
            continue
        try:
            for finding in check(place):
                finding.item = item
                yield finding
        except (LayerError, BadReturn) as error:
            text = f"{error}" + (f" at {error.place}" if isinstance(error, LayerError) else "")
            yield Finding(
                "y" if isinstance(error, LayerError) and error.stage == "forward" else _first(place),
                "crash" if isinstance(error, LayerError) else "contract",
                item,
                f"{text}; it did not at the first call, and does when {SITUATIONS[item]}",
                item=item,
            )


SITUATIONS = {
    "unchanged-arguments": "it is called once more",
    "no-aliasing": "it is called once more",
    "repeatable": "forward and backward are called a second time",
    "fresh-cache": "another input came before",
    "fresh-parameters": "the parameters were changed in place between two calls",
    "stable-results": "it is called again with another input",
    "linear": "the upstream gradient is scaled",
    "layouts": "an array comes in another memory order (Fortran, strided or reversed)",
    "integer-input": "the input is of integers",
}


def unchanged_arguments(place: Place) -> Iterator[Finding]:
    subject = place.subject
    layer = subject.at(place.point)
    held: dict[str, Any] = {f"the input {name}": place.point[name].copy() for name in subject.inputs}
    extra = [np.array(e) if isinstance(e, np.ndarray) else e for e in subject.extra]
    held.update({f"the argument {i} after the inputs (labels)": e for i, e in enumerate(extra)})
    held.update({f"the parameter {name}": array for name, array in _parameter_arrays(layer).items()})
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
        for name, value in held.items():
            if name in told or _same(value, before[name]):
                continue
            told.add(name)
            cause = {"i": "input", "a": "labels", "p": "parameters", "u": "upstream"}[name.removeprefix("the ")[0]]
            array = "d" + name.rsplit(" ", 1)[1] if cause == "input" or cause == "parameters" else _first(place)
            yield Finding(
                array,
                "contract",
                f"changes-{cause}",
                f"{stage} edits {name} in place; whoever passed it in still needs it. Work on a copy, or write "
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
    given.update({f"the parameter {name}": p for name, p in _parameter_arrays(layer).items()})
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
    arrays = {"d" + name: g for name, g in gradients.items()}
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
        message = f"{what} with the same arguments gives another {name}: backward changes what it works from."
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
        overwritten = [name for name, array in held.items() if not _same(array, before[name])]
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


def linear(place: Place) -> Iterator[Finding]:
    subject, upstream = place.subject, place.upstream
    if not subject.takes_upstream:
        return
    if subject.has_default_upstream:
        layer = subject.at(place.point)
        subject.forward(layer, place.point)
        default = {k: np.array(g) for k, g in subject.named(subject.backward(layer, [])).items()}
        _, of_one = place.run(subject.at(place.point), place.point, [1.0])
        for name in place.not_equal([], default, [], of_one):
            yield Finding(
                name,
                "contract",
                "default-upstream",
                f"backward() without an argument is not backward(1): {name} is for another upstream gradient. A loss "
                "ends the chain, its own upstream is 1.",
            )
    nothing = [u * 0.0 for u in upstream]
    _, at_zero = place.run(subject.at(place.point), place.point, handed(nothing))
    told = set()
    for name, gradient in at_zero.items():
        scale = np.abs(place.gradients[name]).max(initial=0.0) if place.gradients[name].size else 0.0
        if np.any(np.abs(gradient) > place.tolerance * scale + 100 * place.rounding[name]) or np.isnan(gradient).any():
            told.add(name)
            yield Finding(
                "d" + name,
                "contract",
                "nonzero-at-zero-upstream",
                f"for an upstream gradient of zeros d{name} is not zero: something is added that does not depend on "
                "the upstream (weight decay belongs into the optimizer).",
            )
    # On a grid the sum of two upstream gradients is exact, and their multiples by powers of 2 are: no rounding is
    # taken for a lack of linearity.
    grid = [np.asarray(np.round(np.asarray(u) * 2**20) / 2**20) for u in upstream]
    other = [np.round(place.rng.permutation(np.ravel(u)).reshape(np.shape(u)) * -0.7 * 2**20) / 2**20 for u in grid]
    _, of_grid = place.run(subject.at(place.point), place.point, handed(grid))
    _, of_other = place.run(subject.at(place.point), place.point, handed(other))
    combinations = {
        "1024 times": ([1024.0 * u for u in grid], {k: 1024 * g for k, g in of_grid.items()}),
        "1/1024 of": ([u / 1024 for u in grid], {k: g / 1024 for k, g in of_grid.items()}),
        "the negative of": ([-u for u in grid], {k: -g for k, g in of_grid.items()}),
        "the sum of two": (
            [u + v for u, v in zip(grid, other, strict=True)],
            {k: g + of_other[k] for k, g in of_grid.items()},
        ),
    }
    for what, (combined, expected) in combinations.items():
        _, got = place.run(subject.at(place.point), place.point, handed(combined))
        by = 1024.0 if what == "1024 times" else 1.0
        for key, gradient in expected.items():
            name, scale = "d" + key, np.abs(place.gradients[key]).max(initial=0.0) * (1 if "two" in what else 0)
            if key in told or place.same(key, got[key] / by, gradient / by, float(scale)):
                continue
            told.add(name[1:])
            clipped = what == "1024 times" and np.abs(got[name[1:]]).max() < 0.9 * np.abs(expected[name[1:]]).max()
            yield Finding(
                name,
                "contract",
                "upstream-clipped" if clipped else "not-linear",
                f"for {what} the upstream gradient{'s' if 'two' in what else ''} {name} is not {what} itself: backward "
                + (
                    "clips; clipping belongs into the optimizer."
                    if clipped
                    else "must be linear in the upstream (no abs, square, sign or clip of it)."
                ),
            )


def layouts(place: Place) -> Iterator[Finding]:
    subject = place.subject
    if all(place.point[name].ndim == 0 for name in subject.inputs):
        return
    for layout, arrange in LAYOUTS.items():
        arranged = [
            arrange(place.point[name]) if place.point[name].ndim else place.point[name] for name in subject.inputs
        ]
        upstream = [u if np.ndim(u) == 0 else arrange(np.asarray(u)) for u in handed(place.upstream)]
        plain = [place.point[name].copy() for name in subject.inputs]
        for what, inputs, above in (("input", arranged, handed(place.upstream)), ("upstream", plain, upstream)):
            if all(np.ndim(a) == 0 for a in (inputs if what == "input" else above)):
                continue
            outputs, gradients = place.run(subject.at(place.point), place.point, above, inputs)
            wrong = place.differing(outputs, gradients)
            for name in wrong[:1]:
                yield Finding(
                    name,
                    "contract",
                    "memory-layout",
                    f"for {layout} {what} {', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} another than for the "
                    "same numbers in C order: the code relies on memory order (ravel order, strides, views). "
                    "Index by axes, or take np.ascontiguousarray first.",
                )
            if wrong:
                return


def _strided(array: Array) -> Array:
    wide = np.full(tuple(2 * n for n in array.shape), np.nan)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def _reversed(array: Array) -> Array:
    every = tuple(slice(None, None, -1) for _ in array.shape)
    return array[every].copy()[every]


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "a Fortran-ordered": lambda array: np.array(array, order="F"),
    "a strided": _strided,
    "a reversed": _reversed,
}


def integer_input(place: Place) -> Iterator[Finding]:
    subject = place.subject
    whole = {
        name: np.rint(integers(place.point[name].shape, place.domain.get(name, REALS), place.rng))
        for name in subject.inputs
    }
    if not all(inside(array, place.domain.get(name, REALS)) for name, array in whole.items()):
        return
    point: Point = {**place.point, **whole}
    try:
        outputs, gradients = place.run(subject.at(point), point, handed(place.upstream))
    except LayerError:
        return
    if not all(np.isfinite(y).all() for y in outputs):
        return
    as_integers = [whole[name].astype(np.int64) for name in subject.inputs]
    try:
        got_outputs, got = place.run(subject.at(point), point, handed(place.upstream), as_integers)
    except LayerError:
        return  # it refuses integers, loudly
    wrong = place.not_equal(got_outputs, got, outputs, gradients)
    for name in wrong[:1]:
        yield Finding(
            name,
            "contract",
            "integer-truncated",
            f"for an input of integers {', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} another than for the "
            "same numbers as floats: results are cut to integers on the way (zeros_like, empty_like or copy of an "
            "integer array). Convert the input to floats first, or refuse integers.",
        )


def _first(place: Place) -> str:
    return "d" + place.subject.inputs[0]


def _parameter_arrays(layer: Any) -> dict[str, Array]:
    params = getattr(layer, "params", None) or {}
    return {name: array for name, array in params.items() if isinstance(array, np.ndarray)}


def _write(layer: Any, name: str, value: Array) -> None:
    array = layer.params[name]
    if isinstance(array, np.ndarray):
        array[...] = value
    else:
        layer.params[name] = float(value)


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(v) for v in value]
    return np.array(value) if isinstance(value, np.ndarray) else value


def _same(value: Any, before: Any) -> bool:
    if isinstance(value, list):
        return all(map(_same, value, before))
    if isinstance(value, np.ndarray):
        return value.shape == before.shape and np.array_equal(value, before, equal_nan=value.dtype.kind == "f")
    return bool(np.all(value == before))


def _shares(a: Any, b: Any) -> bool:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or not a.size or not b.size:
        return False
    return bool(np.shares_memory(a, b))


def _is_pure_view(y: Any, x: Any) -> bool:
    """Whether y is x seen otherwise (reshaped, transposed), as Flatten's output is."""
    return isinstance(y, np.ndarray) and y.size == x.size and np.array_equal(np.sort(y.ravel()), np.sort(x.ravel()))
