"""The questions about layers and losses: sizes, values and calls at which a mistake shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from handgrad.assignment.draws.numbers import LARGE, mixed, sizes_apart
from handgrad.assignment.probes.probe import ALONE, BESIDE, MOVED, Probe, Step
from handgrad.checking.specimens import SPECIMENS
from handgrad.params import Array

CACHED = {"fc": "x", "relu": "x", "sigmoid": "y"}
"""What the handout's backward of these finds in the cache: the input, or an output, any numbers between 0 and 1."""

VIEWS = ("Flatten", "Transpose", "Sum")
"""Their results may be views of what came in."""


def draw(part: str, step: str, rng: np.random.Generator) -> Iterator[tuple[str, Probe]]:
    """The probes of a layer's forward or backward. ValueError for a class that the gradient checker does not know."""
    by_name = {name.lower(): name for name in SPECIMENS}
    cls = by_name.get(part.replace("_", ""))
    folder = next((f for f in ("layers", "losses") if find_spec(f"handgrad.{f}.{part}")), None)
    if cls is None or folder is None or step not in ("forward", "backward"):
        raise ValueError(f"{part}.{step}: nothing is known to ask of it; known are forward and backward of {by_name}")
    kind = Kind(part, cls, folder == "losses", SPECIMENS[cls][0], rng)
    for check, case in kind.cases():
        yield check, (kind.forward(case) if step == "forward" else kind.backward(case, check == "special values"))
    yield "values", kind.forward_many() if step == "forward" else kind.backward_many()
    yield "contract", kind.forward_contract() if step == "forward" else kind.backward_contract()
    yield "contract", (kind.forward if step == "forward" else kind.backward)(kind.single())
    if part == "relu":
        yield "contract", kind.forward_of_positive() if step == "forward" else kind.backward_of_positive()
    if part == "softmax_ce":
        yield (
            "special values",
            kind.forward_of_distributions() if step == "forward" else kind.backward_of_distributions(),
        )


class Case:
    """A layer at given sizes with given arrays: `inputs` in the order of forward, the labels among them."""

    def __init__(self, arguments: Sequence[Any], options: Mapping[str, Any], inputs: Mapping[str, Array]) -> None:
        self.arguments, self.options = list(arguments), dict(options)
        self.inputs = dict(inputs)
        self.params: dict[str, Array] = {}
        self.shape: tuple[int, ...] = ()


class Kind:
    """Draws the probes of one class."""

    def __init__(self, part: str, cls: str, is_loss: bool, specimen: Any, rng: np.random.Generator) -> None:
        self.part, self.cls, self.is_loss, self.specimen, self.rng = part, cls, is_loss, specimen, rng
        self.module = f"{'losses' if is_loss else 'layers'}.{part}"

    # Where to look.

    def cases(self) -> Iterator[tuple[str, Case]]:
        symbols = list(self.specimen.sizes)
        apart = dict(zip(symbols, sizes_apart(self.rng, len(symbols), 3), strict=True))
        yield "values", self.case(apart)
        if len(symbols) < 4:
            yield "values", self.case(dict(zip(symbols, sizes_apart(self.rng, len(symbols), 9, 17), strict=True)))
        batch, *features = symbols
        some = int(self.rng.integers(2, 6))
        yield "other sizes", self.case({**apart, batch: 1})
        yield "other sizes", self.case(dict.fromkeys(symbols, some))
        if not self.is_loss:
            yield "other sizes", self.case({**apart, features[0]: 1})
            yield "other sizes", self.case({**apart, features[-1]: 1})
            yield "other sizes", self.case(dict.fromkeys(symbols, 1))
        else:
            yield "other sizes", self.case({**apart, features[0]: 2})
        if self.specimen.inputs == {"x": "N D"} and not self.specimen.domain and self.part != "fc":
            yield "other sizes", self.shaped(some + 1)
            yield "other sizes", self.shaped(2, 1, some, 3)
        special = getattr(self, f"special_{self.part}", self.special)
        for case in special(apart):
            yield "special values", case

    def case(self, sizes: Mapping[str, int], labels: Array | None = None) -> Case:
        specimen, rng = self.specimen, self.rng
        inputs = {}
        for name, shape in specimen.inputs.items():
            inputs[name] = self.ordinary(name, [sizes[symbol] for symbol in shape.split()])
        if labels is not None:
            inputs["labels"] = labels
        elif specimen.extra is not None:
            inputs.update({f"labels{i or ''}": np.asarray(e) for i, e in enumerate(specimen.extra(sizes, rng))})
        options = dict(specimen.options)
        if self.cls == "Dropout":
            options["rng"] = int(rng.integers(2**31))
        if self.part == "fc":
            options["dtype"] = "float64"
        case = Case(specimen.arguments(sizes), options, inputs)
        if self.part == "fc":
            self.give_params(case, sizes["D"], sizes["M"])
            case.shape = (sizes["N"], sizes["M"])
        return case

    def ordinary(self, name: str, shape: Sequence[int]) -> Array:
        """Values of the input `name` that are special in nothing."""
        low, high = (self.specimen.domain or {}).get(name, (None, None))
        x = mixed(self.rng, *shape)
        return x if low is None and high is None else np.abs(x) / (2.5 if high is not None else 1) + (low or 0)

    def give_params(self, case: Case, inputs: int, outputs: int) -> None:
        case.params = {"W": mixed(self.rng, outputs, inputs)}
        if case.options.get("bias", True):
            case.params["b"] = mixed(self.rng, outputs)

    def shaped(self, *shape: int) -> Case:
        """The case of an elementwise layer, or a softmax, which takes any shape."""
        return Case(self.specimen.arguments(self.specimen.sizes), self.specimen.options, {"x": mixed(self.rng, *shape)})

    def single(self) -> Case:
        """In single precision throughout."""
        case = self.case(
            dict(zip(self.specimen.sizes, sizes_apart(self.rng, len(self.specimen.sizes), 3), strict=True))
        )
        if "dtype" in case.options:
            case.options["dtype"] = "float32"
        for arrays in (case.inputs, case.params):
            arrays.update({n: a.astype(np.float32) for n, a in arrays.items() if a.dtype.kind == "f"})
        return case

    def special(self, sizes: Mapping[str, int]) -> Iterator[Case]:
        case = self.case(sizes)
        for name in self.specimen.inputs:
            if not self.specimen.domain and case.inputs[name].dtype.kind == "f":
                case.inputs[name] = np.round(case.inputs[name] * 2) * 8
        yield case

    def special_fc(self, sizes: Mapping[str, int]) -> Iterator[Case]:
        case = self.case(sizes)
        case.inputs["x"][0] = 0
        case.inputs["x"][1] *= 1e3
        yield case
        case = self.case(sizes)
        case.options["bias"] = False
        del case.params["b"]
        yield case

    def special_relu(self, sizes: Mapping[str, int]) -> Iterator[Case]:
        x = mixed(self.rng, 6, 4)
        x[self.rng.permutation(6)[:4], [0, 1, 2, 3]] = 0.0, -0.0, 0.0, -0.0
        yield Case([], {}, {"x": x})
        yield Case([], {}, {"x": np.zeros((3, 4))})
        tiny = np.array([1e-30, -1e-30, 1e-12, -1e-12])
        yield Case([], {}, {"x": self.rng.permutation(np.tile(tiny, (3, 1)))})
        yield Case([], {}, {"x": self.rng.permutation(np.array([[1e30, -1e30], [3e20, -3e20], [0.0, 1e30]]))})

    def special_sigmoid(self, sizes: Mapping[str, int]) -> Iterator[Case]:
        yield Case([], {}, {"x": self.rng.permutation(np.array([1e4, -1e4, 800, -800, 0.0, 30, -30, 90, -90]))[None]})
        yield Case([], {}, {"x": -np.abs(mixed(self.rng, 3, 4)) * 1e3})
        yield Case([], {}, {"x": np.abs(mixed(self.rng, 3, 4)) * 1e3})

    def special_softmax_ce(self, sizes: Mapping[str, int]) -> Iterator[Case]:
        rows, classes = sizes["N"], sizes["C"]
        for labels in (
            self.rng.dirichlet(np.ones(classes), rows),
            self.rng.permuted(np.eye(classes)[[0] * rows], axis=1),
        ):
            yield self.case(sizes, labels)
        square = dict.fromkeys(sizes, classes)
        yield self.case(square, self.rng.dirichlet(np.ones(classes), classes))
        for size in (50.0, 1000.0, 2.0**13):  # whole numbers, which single precision has, too
            case = self.case(sizes)
            case.inputs["scores"] = np.rint(case.inputs["scores"] * 4) * size / 4
            yield case
        case = self.case(sizes, self.rng.dirichlet(np.ones(classes), rows))
        case.inputs["scores"] = np.rint(case.inputs["scores"] * 4) * 256
        yield case
        for offset in (-1000.0, 1000.0):
            case = self.case(sizes)
            case.inputs["scores"] = np.rint(case.inputs["scores"] * 4) / 4 + offset
            yield case
        case = self.case(sizes)
        case.inputs["scores"] = np.zeros((rows, classes))
        yield case
        case = self.case(sizes)  # narrow rows far apart, which no one maximum suits
        case.inputs["scores"] = (
            np.rint(case.inputs["scores"] * 4) / 4 + 1000.0 * np.where(np.arange(rows) % 2, 1, -1)[:, None]
        )
        yield case
        case = self.case(sizes)  # wide rows whose label is the largest, which no minimum suits
        case.inputs["scores"] = np.rint(case.inputs["scores"] * 4) * 256
        case.inputs["labels"] = case.inputs["scores"].argmax(axis=1)
        yield case

    # What to do there.

    def made(self, case: Case, name: str = "a") -> list[Step]:
        return [["make", name, case.arguments, case.options], *[["set", name, p, p] for p in case.params]]

    def probe(self, case: Case, script: Sequence[Step], more: Mapping[str, Array] | None = None) -> Probe:
        arrays = {**case.inputs, **case.params, **(more or {})}
        return Probe("layer", self.module, self.cls, {}, arrays, script)

    def forward(self, case: Case) -> Probe:
        return self.probe(case, [*self.made(case), ["forward", "a", "y", list(case.inputs)]])

    def upstream(self, case: Case) -> Any:
        """An upstream gradient of the output's shape; for a loss a number."""
        if self.is_loss:
            return float(mixed(self.rng))
        dtype = next(iter(case.inputs.values())).dtype
        return mixed(self.rng, *(case.shape or self.output_shape(case))).astype(dtype)

    def output_shape(self, case: Case) -> tuple[int, ...]:
        if self.part in ("relu", "sigmoid"):
            return next(iter(case.inputs.values())).shape
        layer = getattr(import_module(f"handgrad.{self.module}"), self.cls)(*case.arguments, **case.options)
        return np.shape(layer.forward(*case.inputs.values()))

    def grads_of(self, case: Case) -> list[str]:
        return ["dscores"] if self.is_loss else [f"d{name}" for name in self.specimen.inputs]

    def backward(self, case: Case, is_special: bool = False) -> Probe:
        """`is_special` says that the values of the inputs are, and may be too much for forward."""
        names = self.grads_of(case)
        more: dict[str, Array] = {}
        forward: Step = ["forward", "a", None, list(case.inputs)]
        script = [*self.made(case), forward]
        if self.is_loss:  # forward comes anew: what a backward does to the cache is a matter of the contract
            script += [["backward", "a", "", None, names], forward]
            script += [["backward", "a", " scaled", self.upstream(case), names]]
            if is_special:
                more = {
                    f"ordinary {name}": self.ordinary(name, case.inputs[name].shape) for name in self.specimen.inputs
                }
                ins = [f"ordinary {name}" if name in self.specimen.inputs else name for name in case.inputs]
                script += [["or", BESIDE], *[[*step[:3], ins] if step[0] == "forward" else step for step in script]]
        else:
            more["upstream"] = self.upstream(case)
            script.append(["backward", "a", "", "upstream", names])
        more |= self.cached(case, "")
        return self.probe(case, self.further(script), more)

    def cached(self, case: Case, suffix: str) -> dict[str, Array]:
        """What further attempts find in the cache."""
        x = next(iter(case.inputs.values()))
        if CACHED.get(self.part) == "y":
            return {f"cached x{suffix}": self.rng.uniform(0.05, 0.95, x.shape).astype(x.dtype)}
        if self.part == "softmax_ce":
            return self.probabilities(case, suffix)
        return {f"cached x{suffix}": x} if self.part in CACHED else {}

    def probabilities(self, case: Case, suffix: str) -> dict[str, Array]:
        """Probabilities, the scores that they are the softmax of, and all that may be kept on the way."""
        rows, classes = case.inputs["scores"].shape
        labels = case.inputs["labels"]
        p = self.rng.dirichlet(np.full(classes, 2.0), rows)
        total = 1 / p.max(axis=1)
        shift = mixed(self.rng, rows)
        arrays = {"p": p, "exp": p * total[:, None], "total": total, "log total": np.log(total), "log p": np.log(p)}
        arrays |= {"z": np.log(arrays["exp"]), "maximum": shift}
        arrays |= {
            "scores": arrays["z"] + shift[:, None],
            "targets": labels if labels.ndim == 2 else np.eye(classes)[labels],
        }
        return {f"{name} of another{suffix}": a.astype(case.inputs["scores"].dtype) for name, a in arrays.items()}

    def further(self, script: Sequence[Step], *, is_contract: bool = False) -> list[Step]:
        """The script, and attempts whose cache does not come from forward, or is right without it."""
        first = script[: next((i for i, step in enumerate(script) if step[0] == "or"), len(script))]

        def instead(of_forward: Callable[[Any, Any, Any], Sequence[Step]]) -> list[Step]:
            return [new for step in first for new in (of_forward(*step[1:]) if step[0] == "forward" else [step])]

        found = list(script)
        if self.part in CACHED:
            found += [["or", ALONE], *instead(lambda a, _, inputs: [["cache", a, f"cached {inputs[0]}"]])]
        elif is_contract:
            found += [["or", BESIDE], *instead(lambda a, _, inputs: [["try", a, inputs]])]
        if self.part == "softmax_ce":
            for labels in ("targets", "labels"):
                found += [["or", ALONE], *instead(partial(_mended, labels))]
        if not is_contract:
            found += [["or", MOVED], *_moved(first)]
        return found

    def upstreams(self, cases: Mapping[str, Case], more: dict[str, Array]) -> dict[str, Any]:
        """What backward is handed for each case; its arrays, and those a cache may hold, are added to `more`."""
        ups: dict[str, Any] = {suffix: self.upstream(case) for suffix, case in cases.items()}
        for suffix, case in cases.items():
            more.update(self.cached(case, suffix))
        if self.is_loss:
            return ups
        more.update({f"upstream{suffix}": up for suffix, up in ups.items()})
        return {suffix: f"upstream{suffix}" for suffix in ups}

    def forward_many(self) -> Probe:
        """Many calls of a small and a large object, each several times, in any order."""
        case, *_, other, more = self.four_cases(LARGE)
        script = [*self.made(case), *self.made_other(other)]
        for n, (name, suffix) in enumerate(self.calls(), 1):
            script.append(["forward", name, f"y{suffix} at call {n}", [x + suffix for x in case.inputs]])
        return self.probe(case, script, more)

    def backward_many(self) -> Probe:
        """The same of forward and backward by turns."""
        case, second, later, other, more = self.four_cases(LARGE)
        ups = self.upstreams({"": case, " second": second, " later": later, " other": other}, more)
        script = [*self.made(case), *self.made_other(other)]
        for n, (name, suffix) in enumerate(self.calls(), 1):
            script.append(["forward", name, None, [x + suffix for x in case.inputs]])
            script.append(["backward", name, f"{suffix} at call {n}", ups[suffix], self.grads_of(case)])
        return self.probe(case, self.further(script), more)

    def calls(self) -> list[tuple[str, str]]:
        """(object, suffix of the batch's arrays): the object's three batches three times, the other's twice."""
        calls = [("a", ""), ("a", " second"), ("a", " later")] * 3 + [("b", " other")] * 2
        return [calls[i] for i in self.rng.permutation(len(calls))]

    def made_other(self, other: Case) -> list[Step]:
        return [
            ["make", "b", other.arguments, other.options],
            *[["set", "b", p, f"{p} other"] for p in other.params],
        ]

    def forward_contract(self) -> Probe:
        """Several objects and calls: nothing handed in or out changes."""
        case, second, later, other, more = self.four_cases()
        ins, second_ins, later_ins = ([name + suffix for name in case.inputs] for suffix in ("", " second", " later"))
        script: list[Step] = [
            *self.made(case, "a"),
            *self.made_other(other),
            ["forward", "a", "y", ins],
            ["forward", "b", "y other", [f"{name} other" for name in other.inputs]],
            ["forward", "a", "y of the second batch", second_ins],
            ["forward", "a", "y of a batch of another size", later_ins],
            ["forward", "a", "y of the first batch again", ins],
            ["after", [*ins, *second_ins, *later_ins]],
            ["params", "a", ""],
            *[["set", "a", p, f"{p} new"] for p in case.params],
            ["forward", "a", "y with new parameters", ins],
            ["kept"],
        ]
        if self.cls not in VIEWS:
            script.append(["shared"])
        return self.probe(case, script, more)

    def backward_contract(self) -> Probe:
        """Backward for any upstream, any number of times, always of the last forward; nothing accumulates."""
        case, second, later, other, more = self.four_cases()
        names = self.grads_of(case)
        ins, second_ins, later_ins = ([name + suffix for name in case.inputs] for suffix in ("", " second", " later"))
        cases = {"": case, " again": case, " second": second, " later": later, " other": other}
        ups = self.upstreams(cases, more)
        handed = [up for up in ups.values() if isinstance(up, str)]
        script: list[Step] = [
            *self.made(case, "a"),
            *self.made_other(other),
            ["forward", "a", "", ins],
            ["forward", "b", "", [f"{name} other" for name in other.inputs]],
            ["backward", "a", "", ups[""], names],
            ["backward", "b", " of another object", ups[" other"], names],
            ["backward", "a", " of a second backward", ups[" again"], names],
            ["backward", "a", " of the first upstream again", ups[""], names],
            ["forward", "a", "", second_ins],
            ["backward", "a", " of the second batch", ups[" second"], names],
            ["forward", "a", "", later_ins],
            ["backward", "a", " of a batch of another size", ups[" later"], names],
            ["after", [*ins, *second_ins, *later_ins, *handed]],
            ["params", "a", ""],
            ["kept"],
        ]
        if self.cls not in VIEWS:
            script.append(["shared"])
        return self.probe(case, self.further(script, is_contract=True), more)

    def forward_of_positive(self) -> Probe:
        """Where nothing is cut off, the output equals the input, and must be another array all the same."""
        case = Case([], {}, {"x": np.abs(mixed(self.rng, 3, 4))})
        return self.probe(case, [*self.made(case), ["forward", "a", "y", ["x"]], ["shared"]])

    def backward_of_positive(self) -> Probe:
        case = Case([], {}, {"x": np.abs(mixed(self.rng, 3, 4))})
        more = {"upstream": mixed(self.rng, 3, 4), **self.cached(case, "")}
        script: list[Step] = [*self.made(case), ["forward", "a", "", ["x"]]]
        script += [["backward", "a", "", "upstream", ["dx"]], ["shared"]]
        return self.probe(case, self.further(script, is_contract=True), more)

    def forward_of_distributions(self) -> Probe:
        """Labels that are distributions are not changed either."""
        case = self.of_distributions()
        ins = list(case.inputs)
        return self.probe(case, [*self.made(case), ["forward", "a", "y", ins], ["after", ins]])

    def backward_of_distributions(self) -> Probe:
        case = self.of_distributions()
        ins = list(case.inputs)
        more: dict[str, Array] = {}
        upstream = self.upstreams({"": case}, more)[""]
        script: list[Step] = [*self.made(case), ["forward", "a", "", ins]]
        script += [["backward", "a", "", upstream, self.grads_of(case)], ["after", ins]]
        return self.probe(case, self.further(script, is_contract=True), more)

    def of_distributions(self) -> Case:
        rows, classes = sizes_apart(self.rng, 2, 3)
        return self.case({"N": rows, "C": classes}, self.rng.dirichlet(np.ones(classes), rows))

    def four_cases(self, others: tuple[int, int] | None = None) -> tuple[Case, Case, Case, Case, dict[str, Array]]:
        """A layer's batches, the third of another size, another layer's, and all arrays but the first batch's.

        The other layer is as large as the first, or between `others`.
        """
        symbols = list(self.specimen.sizes)
        drawn = sizes_apart(self.rng, len(symbols) + 1, 2)
        sizes = dict(zip(symbols, drawn, strict=False))
        case, second, other = self.case(sizes), self.case(sizes), self.case(sizes)
        if others is not None and len(symbols) < 4:
            other = self.case(dict(zip(symbols, sizes_apart(self.rng, len(symbols), *others), strict=True)))
        later = self.case({**sizes, symbols[0]: drawn[-1]})
        more = {f"{name} other": array for name, array in {**other.inputs, **other.params}.items()}
        for suffix, one in ((" second", second), (" later", later)):
            more.update({name + suffix: array for name, array in one.inputs.items()})
        more.update({f"{name} new": mixed(self.rng, *array.shape) for name, array in case.params.items()})
        return case, second, later, other, more


def _mended(labels: str, a: str, _: Any, inputs: Sequence[str]) -> list[Step]:
    """A forward of other scores, and what it left mended; `labels` is what the cache gets where it left nothing."""
    scores, given = inputs
    of = f" of another{scores.removeprefix('scores')}"
    return [["try", a, [f"scores{of}", given]], ["mend", a, of, given if labels == "labels" else f"targets{of}"]]


def _moved(script: Sequence[Step]) -> list[Step]:
    """Each forward on one object, and backward on another like it, which is given what forward left in the cache."""
    moved: list[Step] = []
    for word, a, *rest in script:
        moved.append([word, a, *rest])
        if word in ("make", "set"):
            moved[-1:] = [[word, a, *rest], [word, f"{a} too", *rest]]
        elif word == "forward":
            moved[-1:] = [[word, f"{a} too", *rest], ["move", f"{a} too", a]]
    return moved
