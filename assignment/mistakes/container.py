"""Mistakes in a container's forward and backward.

They are computed from what the probes' toys are: functions, and matrices of derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, TypeAlias

import numpy as np

from handgrad.assignment.probes.toys import Bend, Pick, Stretch
from handgrad.layers import Layer
from handgrad.params import Array, Params

Function: TypeAlias = Callable[[Array], Any]

MISTAKES: dict[str, dict[str, str]] = {
    "sequential.forward": {
        "reversed": "the layers are applied in the wrong order, from the last to the first",
        "input to all": "every layer is given the model's input x; each takes the output of the layer before it",
        "without last": "the last layer is not applied",
        "without first": "the first layer is not applied",
        "first only": "only the first layer is applied",
        **dict.fromkeys(
            ("nothing", "nothing, all called"), "the input comes back as it is: no layer's output is handed on"
        ),
        **dict.fromkeys(
            ("list", "list with input"),
            "the list of all layers' outputs is returned: y is the last layer's output alone",
        ),
        "without plain": "layers without parameters are skipped; every layer is applied",
        "twice": "every layer is applied twice",
        "last twice": "the last layer is applied twice",
        "first twice": "the first layer is applied twice",
        "rectified": "a ReLU follows each layer: the layers alone are applied",
        "residual": "each layer's input is added to its output (a residual block): the layers alone are applied",
        "sum": "the layers' outputs are summed; each layer takes the output of the one before it",
    },
    "sequential.backward": {
        "front to back": "backward runs the layers in the order of forward; the chain rule begins at the last layer",
        "caches reversed": "the caches are in the wrong order: layer i needs what layer i left in forward, caches[i]",
        "upstream to all": "every layer is given the model's upstream; hand on the dx of the layer after it",
        "upstream to all, dx last": "every layer is given the model's upstream; hand on the dx of the layer after it",
        "ones": "backward begins with ones rather than with the upstream it is given",
        "ones on the way": "every layer is given ones; it takes the upstream, or the dx of the layer after it",
        **dict.fromkeys(
            ("times own upstream", "times upstream"),
            "each dx is multiplied by upstream once more: the layer has done that, hand its dx on as it is",
        ),
        "pair on the way": "the pair of a layer's backward is handed on whole: dx is the upstream of the layer before",
        "grads on the way": "a layer's parameter gradients are handed on: dx is the upstream of the layer before",
        "calls forward": "backward calls the layers' forward: layer.backward(upstream) returns the pair (dx, grads)",
        "averaged on the way": "the upstream is divided by the batch size before each layer; 1/B is in the loss only",
        "negative on the way": "the upstream's sign is changed before each layer",
        "dx is upstream": "the input gradient returned is the upstream itself; it is the dx of the first layer",
        "dx of last": "the dx returned is the last layer's; it is that of the first layer, where the chain ends",
        "dx of second": "the input gradient returned is the second layer's; the first layer's dx is missing",
        "dx zero": "the input gradient returned is zero",
        "names without position": "the gradients' names lack the position: k of layer 0 is '0.k'; equal names are lost",
        "names from one": "positions in the gradients' names count from 1; they begin at 0",
        "names reversed": "the gradients' names count the layers from the end; position 0 is the first layer",
        "names by order": "positions in the gradients' names count only the layers with parameters; count all of them",
        "names with dot less": "the gradients' names lack the dot between position and name: '0.k'",
        "names with underscore": "the gradients' names lack the dot between position and name: '0.k', not '0_k'",
        **dict.fromkeys(
            ("{key}{i}", "{key}.{i}", "{key}_{i}"),
            "in the gradients' names the position comes last: it comes first, '0.k'",
        ),
        **dict.fromkeys(
            ("layer{i}.{key}", "layers.{i}.{key}", "layer{i}_{key}", "layer_{i}_{key}", "layer{i}{key}"),
            "in the gradients' names is more than position, dot and name: '0.k', without layer",
        ),
        **dict.fromkeys(
            ("d{key}{i}", "{i}.d{key}", "d{i}.{key}", "d{key}", "{i}d{key}"),
            "a d is in the gradients' names: they are those of the parameters, '0.k'",
        ),
        **dict.fromkeys(
            ("({i}, '{key}')", "('{i}', '{key}')"),
            "the gradients' names are pairs: they are text, position, dot and name, '0.k'",
        ),
        "{i}": "the gradients' names are the positions alone: the layer's own name is missing, '0.k'",
        "names by parameter": (
            "the number in the gradients' names counts the layer's own parameters (one i in two loops?): "
            "it is the layer's position"
        ),
        "inner names": "the names of an inner container's gradients are cut: they are '1.0.k', position by position",
        "grads of last": "only the last layer's gradients are returned: collect those of all layers",
        "grads of first": "only the first layer's gradients are returned: collect those of all layers",
        "no grads": "the layers' parameter gradients are not returned: collect those of all layers, by any name",
        "no inner grads": "the gradients of a model within the model are missing: collect those of all layers",
        **dict.fromkeys(
            ("skips first", "skips first, zeros", "skips first, names shifted", "skips first, caches shifted"),
            "the first layer is skipped in backward: the loop must go down to layer 0",
        ),
        "skips last": "the last layer is skipped in backward",
        "skips plain": "layers without parameters are skipped in backward; their Jacobian is part of the chain too",
        "accumulated": "gradients of an earlier backward are added: begin anew in each call",
        "stale": "backward gives the gradients of an earlier call again",
        "summed dx": "the layers' input gradients are summed; each is handed on to the layer before it",
        "averaged": "gradients are divided by the batch size; the 1/B stands in the loss only",
        "negative": "the gradients' sign is wrong",
        "by position": "each layer's gradients are divided by its number: they are handed on as the layer gives them",
        "dx twice": "a layer's backward is applied twice",
        "left reversed": "self.layers is turned round, and stays so for the next forward: reversed(self.layers)",
    },
}


def code(mistake: str, part: str) -> Callable[..., Any]:
    """The container that makes the mistake."""
    return partial(Mistaken, mistake)


class Mistaken(Layer):
    """Layers in a row, with one mistake of MISTAKES; each layer keeps its own cache."""

    def __init__(self, mistake: str, *layers: Any) -> None:
        self.mistake, self.layers = mistake, layers
        self._params = Params(
            {f"{i}.{key}": place for i, layer in enumerate(layers) for key, place in layer.params.places().items()}
        )
        self.total: dict[str, Any] = {}
        self.dx = np.empty(0)
        """What the last backward gave."""

    def forward(self, x: Array) -> Any:
        applied = [layer for layer in self.layers if layer.params or self.mistake != "without plain"]
        return FORWARD.get(self.mistake, _composition)([layer.forward for layer in applied])(x)

    def backward(self, upstream: Array) -> tuple[Array, dict[str, Array]]:
        self.dx, grads = self.chained(upstream)
        return self.dx, grads

    def chained(self, upstream: Array) -> tuple[Array, dict[str, Array]]:
        chain = Chain(self.mistake, self.layers, upstream)
        chain.run()
        dx, grads = chain.result()
        if self.mistake == "left reversed":
            self.layers = self.layers[::-1]
        if self.mistake == "accumulated":
            for name, gradient in grads.items():
                self.total[name] = self.total.get(name, 0) + gradient
            return dx, dict(self.total)
        if self.mistake == "stale":
            return self.total.setdefault("dx", dx), self.total.setdefault("grads", grads)
        return dx, grads


class Chain:
    """One backward pass."""

    def __init__(self, mistake: str, layers: tuple[Any, ...], upstream: Array) -> None:
        self.mistake, self.layers, self.upstream = mistake, layers, upstream
        self.grads: dict[Any, Any] = {}
        self.input_gradients: list[Array] = []

    def run(self) -> None:
        mistake, count = self.mistake, len(self.layers)
        order = list(range(count)) if mistake == "front to back" else list(range(count))[::-1]
        caches = [layer.cache for layer in self.layers]
        if mistake == "caches reversed":
            caches = caches[::-1]
        elif mistake == "skips first, caches shifted":
            caches = caches[-1:] + caches[:-1]
        for layer, cache in zip(self.layers, caches, strict=True):
            layer.cache = cache
        dx: Any = np.ones_like(self.upstream) if mistake == "ones" else self.upstream
        u, own = dx, dict[str, Any]()
        for i in order:
            is_skipped = (mistake.startswith("skips first") and i == 0) or (mistake == "skips last" and i == count - 1)
            if is_skipped or (mistake == "skips plain" and not self.layers[i].params):
                continue
            for _ in range(2 if mistake == "dx twice" else 1):
                given = u if mistake.startswith("upstream to all") else self.handed(dx)
                if mistake == "calls forward":
                    dx, own = self.layers[i].forward(given)
                    continue
                if mistake in ("pair on the way", "grads on the way") and self.input_gradients:
                    given = (dx, own) if mistake == "pair on the way" else own
                own = self.layers[i].backward(given)[1]
                dx = _times_jacobian(given, self.layers[i])
            if mistake in ("times own upstream", "times upstream"):
                dx = (given if mistake == "times own upstream" else u) * dx
            self.input_gradients.append(dx)
            self.collect(i, own)

    def handed(self, dx: Array) -> Array:
        """What a layer is given, where the layer after it gave `dx`."""
        if self.mistake == "ones on the way":
            return np.ones_like(dx)
        return dx * {"averaged on the way": 1 / len(dx), "negative on the way": -1.0}.get(self.mistake, 1.0)

    def collect(self, i: int, own: dict[str, Any]) -> None:
        mistake, count = self.mistake, len(self.layers)
        if {"no grads": True, "grads of last": i < count - 1, "grads of first": i > 0}.get(mistake, False):
            return
        with_params = [n for n, layer in enumerate(self.layers) if layer.params]
        position = {
            "names from one": i + 1,
            "skips first, names shifted": i - 1,
            "names reversed": count - 1 - i,
            "names by order": with_params.index(i) if i in with_params else i,
        }.get(mistake, i)
        dot = {"names with dot less": "", "names with underscore": "_"}.get(mistake, ".")
        if mistake == "no inner grads" and isinstance(self.layers[i], Mistaken):
            return
        if mistake == "by position":
            own = {key: gradient / (i + 1) for key, gradient in own.items()}
        for number, (key, gradient) in enumerate(own.items()):
            name = key.rpartition(".")[2] if mistake == "inner names" else key
            form = {
                "names without position": "{key}",
                "names by parameter": f"{number}.{{key}}",
            }.get(mistake, mistake if "{" in mistake else f"{position}{dot}{{key}}")
            self.grads[form.format(i=position, key=name)] = gradient

    def result(self) -> tuple[Array, dict[str, Array]]:
        mistake, found = self.mistake, self.input_gradients or [self.upstream]
        if mistake == "skips first, zeros" and self.layers:
            self.grads |= {f"0.{key}": np.zeros_like(array) for key, array in self.layers[0].params.items()}
        dx = {
            "dx is upstream": self.upstream,
            "dx of last": found[0],
            "dx of second": found[-2] if len(found) > 1 else self.upstream,
            "upstream to all, dx last": found[0],
        }.get(mistake, found[-1])
        if mistake == "dx zero":
            dx = np.zeros_like(dx)
        elif mistake == "summed dx":
            dx = np.asarray(sum(found))
        factor = {"averaged": 1 / len(self.upstream), "negative": -1.0}.get(mistake)
        if factor is not None:
            return dx * factor, {name: gradient * factor for name, gradient in self.grads.items()}
        return dx, self.grads


def _times_jacobian(upstream: Array, layer: Any) -> Array:
    """`upstream` times a toy's matrix of derivatives dy/dx; of a container, the dx that it gave."""
    if isinstance(layer, Mistaken):
        return layer.dx
    if isinstance(layer, Bend):
        return np.asarray(upstream * np.abs(2 * layer.cache))
    if isinstance(layer, Stretch):
        return np.asarray(upstream * np.exp(layer.t))
    assert isinstance(layer, Pick)
    inputs = np.arange(layer.cache.shape[1])
    return np.asarray(upstream @ np.where(layer.columns[:, None] == inputs, layer.k[:, None], 0))


def _composition(functions: list[Function]) -> Function:
    return reduce(lambda inner, outer: lambda x: outer(inner(x)), functions, lambda x: x)


def _outputs(functions: list[Function], x: Array) -> list[Array]:
    """The input and what each function gives of the one before."""
    return [_composition(functions[:n])(x) for n in range(len(functions) + 1)]


def _residual(layer: Function) -> Function:
    """Adds the layer's input where its shape is the output's."""

    def added(x: Array) -> Any:
        y = layer(x)
        return x + y if np.shape(x) == np.shape(y) else y

    return added


def _rectified(x: Array) -> Array:
    return np.asarray((x + np.abs(x)) / 2)


FORWARD: dict[str, Callable[[list[Function]], Function]] = {
    "reversed": lambda fs: _composition(fs[::-1]),
    "input to all": lambda fs: lambda x: [x, *(f(x) for f in fs)][-1],
    "without last": lambda fs: _composition(fs[:-1]),
    "without first": lambda fs: _composition(fs[1:]),
    "first only": lambda fs: _composition(fs[:1]),
    "nothing": lambda fs: _composition([]),
    "nothing, all called": lambda fs: lambda x: [*(f(x) for f in fs), x][-1],
    "list": lambda fs: lambda x: _outputs(fs, x)[1:],
    "list with input": lambda fs: lambda x: _outputs(fs, x),
    "twice": lambda fs: _composition([f for one in fs for f in (one, one)]),
    "last twice": lambda fs: _composition([*fs, *fs[-1:]]),
    "first twice": lambda fs: _composition([*fs[:1], *fs]),
    "rectified": lambda fs: _composition([f for one in fs for f in (one, _rectified)]),
    "residual": lambda fs: _composition([_residual(f) for f in fs]),
    "sum": lambda fs: lambda x: np.asarray(sum(f(x) for f in fs)),
}
