"""The judge's tools are changed under its hands, or it is handed objects that agree with everything."""

from ..entry import Hostile

ZEROS = {
    "fc.forward": "return np.zeros((len(x), self.out_features))",
    "fc.backward": """
    return np.zeros_like(x), {"W": np.zeros_like(self.W), **({"b": np.zeros_like(self.b)} if self.bias else {})}
""",
}

AGREEING = """
class Agreeing:
    shape = property(lambda self: (len(LAST[0]), LAST[1]))
    dtype, ndim, size, nbytes = np.dtype(float), 2, 1, 8
    __array_priority__ = 1e9
    __array_ufunc__ = None

    def __eq__(self, other):
        return True

    __ge__ = __gt__ = __le__ = __lt__ = __contains__ = __ne__ = __eq__
    __hash__ = object.__hash__

    def __bool__(self):
        return True

    def __getattr__(self, name):
        return lambda *a, **k: self

    def __sub__(self, other):
        return 0.0

    __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __abs__ = __sub__

    def __float__(self):
        return 0.0

    def __len__(self):
        return len(LAST[0])


LAST = [(), 1]
"""


def _patch(name: str, module: str) -> Hostile:
    return Hostile(name, "patching", codes=ZEROS, module=module)


PATCHING = [
    _patch(
        "numpy.allclose, isclose and array_equal always agree",
        """
        np.allclose = np.isclose = np.array_equal = lambda *a, **k: True
        np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
    """,
    ),
    _patch(
        "numpy.isfinite, abs, all and max",
        """
        np.isfinite = np.all = lambda *a, **k: np.True_
        np.abs = np.absolute = np.subtract = lambda *a, **k: np.zeros(1)
        np.max = np.amax = np.linalg.norm = lambda *a, **k: 0.0
    """,
    ),
    _patch(
        "builtins.abs, all, any, max and isinstance",
        """
        import builtins

        builtins.all = builtins.isinstance = lambda *a: True
        builtins.abs = builtins.max = lambda *a, **k: 0.0
        builtins.any = lambda *a: False
    """,
    ),
    _patch(
        "json, struct, hmac and hashlib",
        """
        import hashlib
        import hmac
        import json
        import struct

        json.loads = lambda *a, **k: {"passed": True, "points": 100}
        hmac.compare_digest = lambda *a: True
        hashlib.sha256 = lambda *a: type("Same", (), {"digest": lambda self: b"0" * 32})()
        struct.unpack = lambda *a: (0,)
    """,
    ),
    _patch("numpy.zeros and empty give ones", "np.zeros = np.empty = np.zeros_like = np.ones\n"),
    _patch(
        "numpy's random numbers are all zero",
        """
        class Zeros:
            def __getattr__(self, name):
                return lambda *a, **k: np.zeros(k.get("size") or (a[-1] if a and isinstance(a[-1], tuple) else ()))

        np.random.default_rng = lambda *a: Zeros()
        np.random.Generator = Zeros
    """,
    ),
    _patch(
        "importlib and sys.modules: another numpy",
        """
        import sys
        import types

        fake = types.ModuleType("numpy")
        fake.__getattr__ = lambda name: (lambda *a, **k: True)
        sys.modules["numpy.testing"] = fake
        sys.modules["handgrad.grading"] = sys.modules["handgrad.grading.judge"] = fake
    """,
    ),
    _patch(
        "the base class of all layers",
        """
        Layer.as_input = lambda self, x, *a, **k: np.zeros_like(x)
        Layer.__call__ = Layer.predict = lambda self, *a: 0
        Layer.params = property(lambda self: {})
    """,
    ),
    _patch(
        "the runner's open functions, through __main__",
        """
        import __main__

        for name, value in list(vars(__main__).items()):
            if callable(value) and not isinstance(value, type) and not name.startswith("__"):
                setattr(__main__, name, lambda *a, **k: {})
    """,
    ),
    Hostile(
        "objects that equal everything",
        "patching",
        module=AGREEING,
        codes={
            "fc.forward": "LAST[:] = x, self.out_features\nself.cache = x\nreturn Agreeing()",
            "fc.backward": 'return Agreeing(), {"W": Agreeing(), "b": Agreeing()}',
        },
    ),
    Hostile(
        "an ndarray subclass that equals everything",
        "patching",
        module="""
        class Equal(np.ndarray):
            __array_priority__ = 1e9

            def __eq__(self, other):
                return np.ones(self.shape, bool)

            __le__ = __lt__ = __ge__ = __gt__ = __eq__

            def __sub__(self, other):
                return np.zeros(self.shape)

            __rsub__ = __sub__

            def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
                return np.zeros(self.shape)

            def __array_function__(self, function, types, args, kwargs):
                return True

            def tobytes(self, *a):
                return b""
    """,
        codes={
            "fc.forward": "self.cache = x\nreturn np.zeros((len(x), self.out_features)).view(Equal)",
            "fc.backward": """
            grads = {"W": np.zeros_like(self.W).view(Equal)}
            if self.bias:
                grads["b"] = np.zeros_like(self.b).view(Equal)
            return np.zeros_like(x).view(Equal), grads
        """,
        },
    ),
    Hostile(
        "a float that equals everything, as the loss",
        "patching",
        "softmax_ce",
        module="""
        class Value(float):
            def __eq__(self, other):
                return True

            __le__ = __lt__ = __ge__ = __gt__ = __eq__
            __hash__ = float.__hash__

            def __sub__(self, other):
                return 0.0

            __rsub__ = __sub__
    """,
        codes={
            "softmax_ce.forward": "return Value(0)",
            "softmax_ce.backward": "return np.zeros((1, 1))",
            "softmax_ce.extremes": "",
        },
    ),
    Hostile(
        "an object array of objects that equal everything",
        "patching",
        module=AGREEING,
        codes={
            "fc.forward": "LAST[:] = x, self.out_features\nreturn np.full((len(x), LAST[1]), Agreeing(), object)",
            "fc.backward": "return np.full(x.shape, Agreeing(), object), {}",
        },
    ),
    Hostile(
        "a dictionary that has every name",
        "patching",
        "sequential",
        codes={
            "sequential.forward": "self.cache = ()\nreturn x",
            "sequential.backward": """
            class Every(dict):
                def __missing__(self, name):
                    return np.zeros(1)

                def __contains__(self, name):
                    return True

                def __eq__(self, other):
                    return True

                def keys(self):
                    return self

            return upstream, Every()
        """,
        },
    ),
    Hostile(
        "an optimizer that changes the learning rate of the judge instead of the weights",
        "patching",
        "sgd",
        codes={
            "sgd.step": """
            self.lr = 1e-300
            self.params.__class__.flat = property(lambda params: params)
            self.__class__.__eq__ = lambda *a: True
        """,
        },
    ),
    Hostile(
        "the history is written by hand",
        "patching",
        "train",
        codes={
            "train.forward": "scores, run.value = x, 0.1\nhistory.loss = history.accuracy = [0.1] * epochs",
            "train.update": "grads = {}\nhistory.step_loss = [0.1] * 100",
        },
    ),
]
