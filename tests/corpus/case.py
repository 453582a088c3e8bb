"""What a case of the corpus is, and how a family of cases shares one correct layer."""

from collections.abc import Callable
from dataclasses import dataclass, fields


@dataclass(frozen=True, eq=False)
class Case:
    """A layer for the gradient checker: right in awkward conditions, or wrong in one known way.

    A layer is any object with `forward(*inputs, *extra)`, `backward(upstream)` and, if it has parameters, a dict
    `params` that its forward really reads.
    """

    name: str  # "fc: dW transposed"
    make: Callable  # make(sizes, rng) -> layer
    inputs: dict[str, str]  # {"x": "N D"}: symbols or whole numbers, split by spaces
    sizes: dict[str, int]  # {"N": 4, "D": 5, "M": 3}
    extra: Callable | None = None  # extra(sizes, rng) -> arrays passed after the inputs, not differentiated
    point: Callable | None = None  # point(sizes, rng) -> tuple of inputs; standard normal when absent
    domain: dict | None = None  # {"p": (0, 1)}: the open interval an input or a parameter must stay in
    variants: tuple | None = None  # partial size dicts to try; by default each symbol 1, all equal, co-prime
    at_kink: str | None = None  # "left": at a kink the left derivative is the convention
    array: str | None = None  # of a bug: the gradient ("dx", "dW") or the output ("y") of which it must be told
    causes: tuple[str, ...] = ()  # of a bug: the checker's words that name it; () when to locate it is all one can ask

    def arguments(self):
        """What `sweep` takes, by name."""
        names = ("make", "inputs", "sizes", "extra", "point", "domain", "variants", "at_kink")
        return {name: getattr(self, name) for name in names}

    def cause_in(self, report):
        """Of a bug: the cause that the report's line for its array names; "" where it names none."""
        return next((finding.cause for finding in report.findings if finding.array == self.array), "")

    def is_misnamed_by(self, cause):
        """Whether that cause is another than those that are true."""
        return bool(cause) and cause not in self.causes


FIELDS = frozenset(field.name for field in fields(Case))


class Family:
    """Cases around one correct layer, so that a case reads as its name and its mistake.

    A keyword that is a field of `Case` changes the case; any other replaces that method (or constant) of the layer:

        fc.bug("dx has the wrong sign", "dx", "sign", dx=lambda self, upstream: -upstream @ self.params["W"])
    """

    def __init__(self, name, layer, inputs, sizes, **common):
        self.name, self.layer = name, layer
        self.common = {"make": layer, "inputs": inputs, "sizes": sizes, **common}

    def correct(self, name, **changes):
        case = {key: value for key, value in changes.items() if key in FIELDS}
        methods = {key: value for key, value in changes.items() if key not in FIELDS}
        if methods:
            case["make"] = type(self.layer.__name__, (case.get("make", self.layer),), methods)
        return Case(**{**self.common, **case, "name": f"{self.name}: {name}"})

    def bug(self, name, array, *causes, **changes):
        return self.correct(name, array=array, causes=causes, **changes)


class Stateless:
    """The base of layers that have no parameters and nothing to set up."""

    def __init__(self, sizes, rng):
        pass
