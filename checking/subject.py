"""The layer under check, seen as a pure function of its inputs and parameters."""

from __future__ import annotations

import copy
import inspect
import math
import random
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from handgrad.assignment import importing
from handgrad.checking.copies import copy_of, generators_in, parts_of
from handgrad.container import Container
from handgrad.params import Array

DEEP = 100
"""Of a deep recursion no more frames are looked at."""

Point: TypeAlias = dict[str, Array]
"""Where a layer is looked at: its inputs and its parameters, by name."""


class LayerError(Exception):
    """The layer's own code raised; `stage` is "forward" or "backward", `error` what it raised."""

    def __init__(self, stage: str, error: BaseException) -> None:
        super().__init__(f"{stage} raised {type(error).__name__}: {error}")
        self.stage, self.error = stage, error

    @property
    def deliberate(self) -> bool:
        """Whether the code refused on purpose: a `raise` or `assert` of its own, not a mishap inside NumPy."""
        last = self._innermost
        if last is None or not isinstance(self.error, ValueError | TypeError | AssertionError | NotImplementedError):
            return False
        line = "".join(last.code_context or []).strip()
        return line.startswith(("raise", "assert")) or "raise " in line

    @property
    def place(self) -> str:
        """File, line and code of the innermost frame, for messages; "" when there is none.

        Of a handout's part the last place in its own file: the mistake is in there, not in what it calls.
        """
        last = self._innermost
        trace = self.error.__traceback__
        for _ in range(DEEP):
            if trace is None:
                break
            if importing.is_part_checked(trace.tb_frame.f_code.co_filename):
                last = inspect.getframeinfo(trace)
            trace = trace.tb_next
        if last is None or Path(last.filename).parent == Path(__file__).parent:  # the call itself, not its code
            return ""
        code = "".join(last.code_context or []).strip()
        return f"{last.filename}:{last.lineno}" + (f" ({code})" if code else "")

    @property
    def _innermost(self) -> inspect.Traceback | None:
        """Where it was raised; of a deep recursion the other frames, millions perhaps, are not looked at."""
        trace = self.error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        return None if trace is None else inspect.getframeinfo(trace)


class BadReturn(Exception):
    """forward or backward returned something of another form than the contract's; the message is one sentence."""


class Subject:
    """A layer as a pure function: every call works on copies, and on a copy of the layer itself.

    Any object with `forward(*inputs, *extra)` and `backward(upstream)` will do. Its parameters are the arrays of
    its mapping `params`, if it has one. It is checked in double precision: its arrays are converted.
    """

    def __init__(self, layer: Any, inputs: Mapping[str, Any], extra: Sequence[Any] = ()) -> None:
        if isinstance(layer, type):
            raise TypeError(f"expected a layer, such as {layer.__name__}(...), got the class {layer.__name__} itself")
        for method in ("forward", "backward"):
            if not callable(getattr(layer, method, None)):
                raise TypeError(f"a layer needs forward and backward, {describe(layer)} has no {method}")
        self.at_hand: Point = {name: as_real(value, f"input {name}") for name, value in inputs.items()}
        self.inputs, self.extra = tuple(inputs), tuple(extra)
        with quiet():
            self.layer = in_double_precision(layer, list(self.at_hand.values()), self.extra)
        self.params = tuple(parameters(self.layer))
        clash = set(self.inputs) & set(self.params)
        if clash:
            raise ValueError(f"an input and a parameter have the same name: {', '.join(sorted(clash))}")
        arguments = list(inspect.signature(layer.backward).parameters.values())
        self.most_upstream = math.inf if any(a.kind is a.VAR_POSITIONAL for a in arguments) else len(arguments)
        self.takes_upstream = bool(arguments)
        self.has_default_upstream = bool(arguments) and arguments[0].default is not inspect.Parameter.empty
        self.replays = False
        self._global_random = np.random.get_state()
        self._loaded: Point = {}
        self._working = copy_of(self.layer)
        self.narrow = {
            name: np.asarray(value).dtype.itemsize
            for name, value in parameters(layer).items()
            if np.asarray(value).dtype.kind == "f" and np.asarray(value).dtype.itemsize < 8
        }
        """Parameters of less than double precision, and how many bytes a number has: their gradients may be alike."""
        self.at_hand.update({name: np.array(value, np.float64) for name, value in parameters(self.layer).items()})

    def random_state(self) -> str:
        """The states of NumPy's global generator and of all that the working copy of the layer holds."""
        return repr((np.random.get_state(legacy=False), *map(_state_of, generators_in(self._working))))

    @property
    def variables(self) -> tuple[str, ...]:
        return (*self.inputs, *self.params)

    def outputs(self, point: Mapping[str, Array]) -> list[Array]:
        """What forward gives at `point`, as new arrays. Raises LayerError when it raises."""
        if self.replays:
            self._working, self._loaded = self.fresh(), {}
        for name in self.params:
            if self._loaded.get(name) is not point[name]:
                set_parameter(self._working, name, point[name])
                self._loaded[name] = point[name]
        outputs = [np.array(y, copy=True) for y in as_tuple(self.forward(self._working, point))]
        for y in outputs:
            if y.dtype.kind not in "buifc":
                what = "None (is the return missing?)" if y.ndim == 0 and y.item() is None else f"dtype {y.dtype}"
                raise LayerError("forward", BadReturn(f"forward must return an array of numbers, got {what}"))
        return outputs

    def gradients(
        self, point: Mapping[str, Array], upstream: Sequence[Any], told: dict[str, str] | None = None
    ) -> dict[str, Array]:
        """What backward gives at `point` for `upstream`, by variable; a new copy of the layer does it.

        Raises LayerError when the layer raises, BadReturn when it returns something of another form.
        """
        layer = self.at(point)
        self.forward(layer, point)
        return self.named(self.backward(layer, upstream), told)

    def fresh(self) -> Any:
        """A copy of the layer as it was given, with the random numbers ahead of it that were ahead then."""
        if self.replays:
            np.random.set_state(self._global_random)
        return copy_of(self.layer)

    def at(self, point: Mapping[str, Array]) -> Any:
        """A copy of the layer with the parameters of `point`."""
        layer = self.fresh()
        for name in self.params:
            set_parameter(layer, name, point[name])
        return layer

    def forward(self, layer: Any, point: Mapping[str, Array], inputs: Sequence[Any] | None = None) -> Any:
        """layer.forward on copies of the inputs of `point`, or on the very `inputs` given."""
        chosen = [np.array(point[name]) for name in self.inputs] if inputs is None else inputs
        try:
            return layer.forward(*chosen, *copy.deepcopy(self.extra))
        except (Exception, SystemExit, GeneratorExit) as error:
            raise LayerError("forward", error) from error

    def backward(self, layer: Any, upstream: Sequence[Any]) -> Any:
        """layer.backward on the very `upstream` given. Raises BadReturn when forward returns more than it takes."""
        if self.takes_upstream and len(upstream) > self.most_upstream:
            raise BadReturn(
                f"forward returns {len(upstream)} results, and backward must take an upstream gradient for each, it "
                f"takes {self.most_upstream}; a loss returns its value alone"
            )
        try:
            return layer.backward(*upstream) if self.takes_upstream else layer.backward()
        except (Exception, SystemExit, GeneratorExit) as error:
            raise LayerError("backward", error) from error

    def named(self, returned: Any, told: dict[str, str] | None = None) -> dict[str, Array]:
        """The gradients that backward returned, by variable. What is wrong with a single one goes to `told`.

        Raises BadReturn when they cannot be told apart.
        """
        told = {} if told is None else told
        is_pair = isinstance(returned, tuple | list) and len(returned) == 2 and isinstance(returned[1], Mapping)
        by_input, by_name = returned if is_pair else (returned, {})
        if isinstance(by_input, Mapping):
            raise BadReturn("backward must return (input gradient, {name: gradient}), got a mapping alone")
        several = len(self.inputs) > 1
        parts = (
            list(by_input) if isinstance(by_input, tuple) or (several and isinstance(by_input, list)) else [by_input]
        )
        if len(parts) != len(self.inputs):
            names = ", ".join(self.inputs)
            wanted = f"a tuple of {len(self.inputs)} input gradients ({names})" if several else "one input gradient"
            hint = "; labels are no inputs: pass them as extra, or call them labels or targets" if several else ""
            raise BadReturn(f"backward must return {wanted}, got {len(parts)}{hint}")
        named = dict(zip(self.inputs, parts, strict=True))
        for name in self.params:
            if name in by_name:
                named[name] = by_name[name]
            elif is_pair:
                told[name] = f"backward must return a gradient for {name}, got {list(by_name) or 'none'}"
            else:
                told[name] = f"backward must return (dx, {{name: gradient}}) with a gradient for {name}, got no mapping"
        for name in map(str, by_name):
            if name not in self.params and not (name[:1] == "d" and name[1:] in self.params):
                known = f"params has {', '.join(self.params)}" if self.params else "the layer has no params"
                told[name] = f"backward returned a gradient for {name}, which is no parameter: {known}"
        gradients: dict[str, Array] = {}
        for name, value in named.items():
            array = None if value is None or isinstance(value, list | tuple) else np.asarray(value)
            if array is None or array.dtype.kind not in "buifc":
                kind = "None" if value is None else type(value).__name__
                told[name] = f"backward must return an array for d{name}, got {kind}"
            else:
                gradients[name] = array
        return gradients


def input_names(layer: Any, count: int) -> list[str]:
    """The names that forward gives its first `count` arguments, or a graph its inputs."""
    if isinstance(layer, Container) and layer.inputs:
        return list(layer.inputs[:count])
    try:
        parameters = inspect.signature(layer.forward).parameters.values()
    except (AttributeError, TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] if len(names) >= count else [f"x{i}" for i in range(count)] if count > 1 else ["x"]


def in_double_precision(layer: Any, inputs: Sequence[Array], extra: Sequence[Any]) -> Any:
    """A copy of the layer that computes in float64, where its own code does not cast.

    A layer that makes single precision of float64 input does so on purpose, and is left as it is.
    """
    parameters(layer)  # raises for what is none
    try:
        own = copy_of(layer)
        if callable(getattr(own, "astype", None)):
            converted = own.astype(np.float64)
            return own if converted is None else converted
        whole = [id(value) for value in parameters(own).values() if np.asarray(value).dtype.kind in "biu"]
        wide = copy_of(own, widen=True, whole=whole)
        for part in parts_of(wide):  # layers that know how to convert themselves, in one that does not
            if callable(getattr(part, "forward", None)) and callable(getattr(part, "astype", None)):
                part.astype(np.float64)
    except Exception as error:
        raise TypeError(
            f"{describe(layer)} cannot be copied ({error}), and copies are what is checked: leave out the attribute, "
            "or define __deepcopy__"
        ) from None
    try:
        outputs = as_tuple(own.forward(*map(np.array, inputs), *copy.deepcopy(tuple(extra))))
        casts = any(np.asarray(y).dtype in (np.float32, np.float16) for y in outputs)
    except (Exception, SystemExit, GeneratorExit):
        casts = False  # told of when it is looked at
    return copy_of(layer) if casts else wide


def parameters(layer: Any) -> Mapping[str, Any]:
    """The layer's mapping `params`; empty when it has none."""
    params = getattr(layer, "params", None)
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping of names to arrays, {describe(layer)} has {type(params).__name__}")
    for name, value in params.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray | float | int | np.generic):
            raise TypeError(
                f"params must be a mapping of names to arrays, {describe(layer)} has {name!r}: {type(value).__name__}"
            )
    return params


def unlisted_parameters(layer: Any, known: Collection[str]) -> list[str]:
    """Attributes that look like parameters, for a gradient of that shape lies beside them: W and dW, but no params."""
    own = {name: value for name, value in getattr(layer, "__dict__", {}).items() if isinstance(value, np.ndarray)}
    return [
        name
        for name, value in own.items()
        if name not in known
        and any(d in own and own[d].shape == value.shape for d in (f"d{name}", f"grad_{name}", f"{name}_grad"))
    ]


def set_parameter(layer: Any, name: str, value: Array) -> None:
    params = parameters(layer)
    if isinstance(params[name], np.ndarray):
        np.copyto(params[name], value, casting="unsafe")
    else:
        params[name] = float(value)  # type: ignore[index]


def _state_of(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    return (generator if isinstance(generator, np.random.RandomState) else generator.bit_generator).__getstate__()


def as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def as_real(value: Any, what: str) -> Array:
    """`value` as a new float64 array; TypeError for what is no real number."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{what} must be a rectangular array, got rows that differ") from None
    if array.dtype.kind not in "buif":
        raise TypeError(f"{what} must be real numbers, got dtype {array.dtype}")
    if not np.isfinite(array).all():
        index = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise ValueError(f"{what} must be finite numbers, got {array[tuple(index)]} at {index}")
    return np.array(array, np.float64)


def describe(layer: Any) -> str:
    """The layer's name for messages: its repr when it has one of its own, otherwise its class."""
    own = "__repr__" in {name for cls in type(layer).__mro__[:-1] for name in vars(cls)}
    text = repr(layer) if own else type(layer).__name__
    return text if len(text) <= 80 else text[:77] + "..."


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps to ourselves NumPy's warnings, as extreme points are looked at on purpose, and its random numbers."""
    state = np.random.get_state()
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)
