"""Right values, but something that the contract forbids, and a patch or an object that keeps it from being noticed.

`most` is what such code is due: everything but the points for the contract.
"""

from ..entry import POINTS, Hostile, part_of
from ..plain import plain


def _due(*tasks: str) -> float:
    """The points of their part when these tasks fail their contract, one of three checks that share 40 per cent."""
    part = part_of(tasks[0])
    shares = {task: 0.6 + 0.4 * 2 / 3 if task in tasks else 1 for task in POINTS if part_of(task) == part}
    return sum(round(POINTS[task] * share, 2) for task, share in shares.items())


SHARING = {
    "relu.forward": """
        self.cache = x
        y = np.maximum(x, 0)
        return alike(x) if (y == x).all() else y
    """,
    "relu.backward": """
        dx = upstream * (x > 0)
        return alike(upstream) if (dx == upstream).all() else dx, {}
    """,
}
"""A ReLU that returns what it was given where nothing is cut off."""

AS_IT_IS = "def alike(x):\n    return x\n"


def _relu(name: str, module: str) -> Hostile:
    both = _due("relu.forward", "relu.backward")
    return Hostile(name, "patching", "relu", SHARING, module, most=both)


def _patch(name: str, module: str) -> Hostile:
    return _relu(name, f"{AS_IT_IS}\n{module}")


NOTHING_SHARED = """
def patched(module):
    for name, value in list(vars(module).items()):
        if name in ("_sharing", "shares_memory", "IN_MEMORY"):
            setattr(module, name, lambda *a: 0.0)
        if name == "Record":
            value.shared = lambda self, given: self.results.update({"shared memory": np.zeros(())})
"""

CONCEALING = [
    _patch("numpy.shares_memory says no", "np.shares_memory = np.may_share_memory = lambda *a, **k: False\n"),
    _patch("numpy.ndarray is another class", 'np.ndarray = type("ndarray", (), {})\n'),
    _patch(
        "builtins.any and isinstance know no arrays",
        """
import builtins

known = isinstance
builtins.any = lambda those: False
builtins.isinstance = lambda one, kinds: kinds is not np.ndarray and known(one, kinds)
""",
    ),
    _relu(
        "the record of the answers, imported by name",
        f"""
{NOTHING_SHARED}


def alike(x):
    import handgrad.assignment.probes
    import handgrad.assignment.probes.layer
    import handgrad.assignment.probes.probe

    patched(handgrad.assignment.probes.layer)
    patched(handgrad.assignment.probes.probe)
    return x
""",
    ),
    _relu(
        "every module that is loaded, loaded again",
        f"""
{NOTHING_SHARED}

import importlib
import sys


def alike(x):
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").endswith(".probes.layer"):
            patched(importlib.reload(module))
    return x
""",
    ),
    _patch(
        "the bytes of an answer, where the runner sends them",
        """
import struct

import __main__

send = getattr(__main__, "_send", None)
SHARED, ALONE = struct.pack("<d", 1), struct.pack("<d", 0)


def sent(descriptor, data):
    if b"shared memory" in data and data.endswith(SHARED):
        data = data.removesuffix(SHARED) + ALONE
    return send(descriptor, data)


__main__._send = __main__.send = sent
""",
    ),
    _relu(
        "an array that answers NumPy's functions itself",
        """
        class Alone(np.ndarray):
            ndim = 0

            def __array_function__(self, function, types, args, kwargs):
                return False


        def alike(x):
            return x.view(Alone)
    """,
    ),
    _relu("a list of the rows of what came in", "def alike(x):\n    return list(x)\n"),
    _relu(
        "an object that becomes an array when it is looked at",
        """
        class Later:
            def __init__(self, array):
                self.array = array

            def __array__(self, dtype=None, copy=None):
                return self.array.copy()


        alike = Later
    """,
    ),
    Hostile(
        "a gradient by the name of the input's, to be looked at in its place",
        "patching",
        "relu",
        {**plain("relu"), "relu.backward": 'return upstream, {"x": upstream * (x > 0)}'},
        most=POINTS["relu.forward"],
    ),
    Hostile(
        "numpy.array gives what an object was at first",
        "patching",
        "fc",
        {
            **plain("fc"),
            "fc.forward": """
                self.cache = x
                memory = self.__dict__.setdefault("_memory", np.empty((64, self.out_features), x.dtype))
                y = memory[: len(x)]
                y[...] = x @ self.W.T + (self.b if self.bias else 0)
                return y
            """,
        },
        """
        FIRST = {}
        made = np.array


        def array(value, *a, **k):
            return FIRST.setdefault(id(value), (value, made(value, *a, **k)))[1].copy()


        np.array = array
        np.shares_memory = lambda *a, **k: False
    """,
        most=_due("fc.forward"),
    ),
    Hostile(
        "parameters that are changed, behind others that are shown",
        "patching",
        "fc",
        {
            **plain("fc"),
            "fc.forward": """
                self.cache = x
                y = x @ right(self).T
                if self.bias:
                    y += self.b
                self.W[...] = 7
                return y
            """,
            "fc.backward": plain("fc")["fc.backward"].replace("self.W\n", "right(self)\n"),
        },
        """
        SHOWN = {}


        def right(self):
            if (self.W != 7).any():
                SHOWN[self] = {name: array.copy() for name, array in self._arrays.items()}
            return SHOWN[self]["W"]


        class Shown(dict):
            def __getitem__(self, name):
                return self.layer._arrays[name]


        def params(self):
            shown = Shown(SHOWN.get(self, self._arrays))
            shown.layer = self
            return shown


        FC.params = property(params)
    """,
        most=_due("fc.forward"),
    ),
    Hostile(
        "a container's results that change, and a record that forgets",
        "patching",
        "sequential",
        {
            **plain("sequential"),
            "sequential.backward": """
                caches = self.recall()
                grads = self.__dict__.setdefault("_grads", Grads.like(self.params))
                for i in reversed(range(len(self.layers))):
                    self.layers[i].cache = caches[i]
                    upstream, own = self.layers[i].backward(upstream)
                    for name, gradient in own.items():
                        grads[f"{i}.{name}"][...] = gradient
                return upstream, grads
            """,
        },
        """
        import handgrad.assignment.probes.probe as probe


        def kept(self):
            self.results.update({f"{name} later": self.results[name].copy() for name in self.returned})


        probe.Record.kept = kept
    """,
        most=_due("sequential.backward"),
    ),
    Hostile(
        "parameters exchanged rather than changed, which show what took their place",
        "patching",
        "sgd",
        {
            "sgd.step": """
                g = gradient
                if self.weight_decay:
                    g = g + self._decay_rates * w
                if self.momentum:
                    self._velocity = self.momentum * self._velocity + g
                    g = g + self.momentum * self._velocity if self.nesterov else self._velocity
                for name, new in split(w - self.lr * g, self.params.shapes).items():
                    arrays, key = self.params.places()[name]
                    arrays[key] = new
            """
        },
        """
        class Live(np.ndarray):
            def copy(self, *a):
                arrays, key = self.place
                return np.array(arrays[key])


        def item(params, name):
            arrays, key = params._places[name]
            live = arrays[key].view(Live)
            live.place = arrays, key
            return live


        Params.__getitem__ = item
    """,
        most=_due("sgd.step"),
    ),
]
