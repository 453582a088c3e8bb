"""Right work in an odd form: full marks for every one, whatever a grader thinks of the style."""

import re
from textwrap import dedent

from .entry import Correct
from .plain import PLAIN, plain


def _latin(text: str) -> bytes:
    return ("# -*- coding: latin-1 -*-\n# Übung von Jürgen Groß, naïve Lösung\n" + text).encode("latin-1")


def _blanks(text: str) -> str:
    return text.replace("\n\n\n", "  \n\f\n\n").replace(":\n", ":   \n")


def _without_docstrings(text: str) -> str:
    return re.sub(r'^ +""".*?"""\n', "", text, flags=re.DOTALL | re.MULTILINE)


OWN_FC = """
import math
import numpy as np
from handgrad.layers.base import Layer, Param


class FC(Layer):
    W = Param()
    b = Param()

    def __init__(self, in_features, out_features, *, bias=True, init="he", rng=None, dtype=np.float32):
        self.in_features = in_features
        self.out_features = out_features
        self.bias = bias
        self.init = init
        self.dtype = np.dtype(dtype)
        rng = np.random.default_rng(rng)
        self.W = rng.normal(0, math.sqrt(2 / in_features), (out_features, in_features))
        if bias:
            self.b = np.zeros(out_features)

    def forward(self, x):
        self.cache = np.asarray(x, dtype=self.dtype)
        out = self.cache.dot(self.W.T)
        return out + self.b if self.bias else out

    def backward(self, upstream):
        d = np.asarray(upstream, dtype=self.dtype)
        grads = {"W": d.T.dot(self.cache)}
        if self.bias:
            grads["b"] = d.sum(0)
        return d.dot(self.W), grads
"""

OWN_RELU = """
import numpy as np
from handgrad.layers import Layer

class ReLU(Layer):

\tdef forward(self, x):
\t\tx = np.asarray(x)
\t\tself.cache = x > 0
\t\treturn np.where(self.cache, x, 0).astype(x.dtype)

\tdef backward(self, upstream):
\t\treturn upstream * self.cache, {}
"""

OWN_SIGMOID = """
import numpy as np
from scipy import special

from handgrad.layers import base


class Sigmoid(base.Layer):
    def forward(self, x):
        self.cache = special.expit(x)
        return self.cache.copy()

    def backward(self, upstream):
        y = self.cache
        return y * (1 - y) * upstream, {}
"""

FC, RELU, SIGMOID, SOFTMAX_CE = plain("fc"), plain("relu"), plain("sigmoid"), plain("softmax_ce")

ODDITIES = [
    Correct("CRLF", FC, edit=lambda text: text.replace("\n", "\r\n").encode()),
    Correct("old Macintosh line ends", RELU, edit=lambda text: text.replace("\n", "\r").encode()),
    Correct("a byte order mark", RELU, edit=lambda text: text.encode("utf-8-sig")),
    Correct("a byte order mark and CRLF", SIGMOID, edit=lambda text: text.replace("\n", "\r\n").encode("utf-8-sig")),
    Correct("latin-1 with a coding line", FC, edit=_latin),
    Correct("umlauts and emoji in UTF-8", SIGMOID, module="# größer als 0? 🙂 ∂L/∂x\nλ = 1.0\n"),
    Correct("no newline at the end", RELU, edit=lambda text: text.rstrip("\n")),
    Correct(
        "form feeds and blanks at line ends",
        FC,
        edit=_blanks,
    ),
    Correct("docstrings taken out", SOFTMAX_CE, edit=_without_docstrings),
    Correct(
        "prints in every call",
        {
            "fc.forward": "print('x', x.shape, x)\n" + dedent(PLAIN["fc.forward"]),
            "fc.backward": "print('upstream', upstream)\n" + dedent(PLAIN["fc.backward"]),
        },
        module="print('my layer is loaded')\nprint('[' * 3, '{\"score\": 0}')\n",
    ),
    Correct(
        "prints to standard error and flushes",
        {
            "relu.forward": """
            import sys

            sys.stderr.write("forward\\n")
            sys.stdout.flush()
            self.cache = x
            return np.maximum(x, 0)
        """,
            "relu.backward": PLAIN["relu.backward"],
        },
    ),
    Correct(
        "warnings filtered",
        {
            **SIGMOID,
            "sigmoid.forward": """
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = 1 / (1 + np.exp(-x))
        self.cache = y + 0
        return y
    """,
        },
    ),
    Correct(
        "np.seterr for the whole file",
        {
            **SIGMOID,
            "sigmoid.forward": """
        y = 1 / (1 + np.exp(-x))
        self.cache = y + 0
        return y
    """,
        },
        module="np.seterr(all='ignore')",
    ),
    Correct(
        "type hints and asserts",
        {
            "relu.forward": """
            assert isinstance(x, np.ndarray), type(x)
            y: np.ndarray = np.maximum(x, 0.0)
            assert y.shape == x.shape
            self.cache = x
            return y
        """,
            "relu.backward": """
            gate: np.ndarray = (x > 0).astype(upstream.dtype)
            no_parameters: dict[str, np.ndarray] = {}
            return gate * upstream, no_parameters
        """,
        },
    ),
    Correct(
        "lambdas",
        {
            "relu.forward": """
            f = lambda v: v if v > 0 else 0.0
            self.cache = x
            return np.vectorize(f, otypes=[x.dtype])(x)
        """,
            "relu.backward": "return (lambda u, v: u * (v > 0))(upstream, x), {}",
        },
    ),
    Correct(
        "imports that nobody needs",
        FC,
        module="""
        import collections
        import copy
        import functools
        import itertools
        import math
        import random
        import time

        import scipy
        import scipy.special
        from scipy.special import expit, log_softmax, softmax
    """,
    ),
    Correct(
        "matplotlib where it is installed",
        SIGMOID,
        module="""
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            plt = None


        def show(layer, low=-6, high=6):
            if plt is not None:
                x = np.linspace(low, high)
                plt.plot(x, layer.forward(x))
                plt.show()
    """,
    ),
    Correct(
        "code that nobody uses",
        SOFTMAX_CE,
        module="""
        OLD = '''
        def forward(self, x):
            return zeros
        '''


        class Softmax2:
            def forward(self, x):
                e = np.exp(x)
                return e / e.sum()


        def numeric_gradient(f, x, h=1e-5):
            grad = np.zeros_like(x)
            for i in np.ndindex(x.shape):
                above, below = x.copy(), x.copy()
                above[i] += h
                below[i] -= h
                grad[i] = (f(above) - f(below)) / (2 * h)
            return grad
    """,
    ),
    Correct(
        "tests of one's own under __main__",
        RELU,
        module="""
        if __name__ == "__main__":
            layer = ReLU()
            y = layer.forward(np.array([[-1.0, 2.0]]))
            assert y.tolist() == [[0.0, 2.0]]
            print(layer.backward(np.ones((1, 2))))
            print("all tests passed")
    """,
    ),
    Correct("the random numbers seeded", FC, module="np.random.seed(0)\nW0 = np.random.randn(4, 3)"),
    Correct("print options set", FC, module="np.set_printoptions(precision=3, suppress=True)"),
    Correct(
        "a decorator that measures the time",
        {
            "fc.forward": "return timed(lambda: plain_forward(self, x))",
            "fc.backward": "return timed(lambda: plain_backward(self, x, upstream))",
        },
        module="""
        import time

        SECONDS = []


        def timed(work):
            start = time.perf_counter()
            try:
                return work()
            finally:
                SECONDS.append(time.perf_counter() - start)


        def plain_forward(layer, x):
            layer.cache = x
            return x @ layer.W.T + (layer.b if layer.bias else 0)


        def plain_backward(layer, x, upstream):
            grads = {"W": upstream.T @ x, "b": upstream.sum(axis=0)}
            if not layer.bias:
                del grads["b"]
            return upstream @ layer.W, grads
    """,
    ),
    Correct(
        "float64 all through",
        {
            "fc.forward": """
            self.cache = x
            y = x.astype(np.float64) @ self.W.astype(np.float64).T
            if self.bias:
                y = y + self.b.astype(np.float64)
            return y.astype(self.dtype)
        """,
            "fc.backward": PLAIN["fc.backward"],
        },
    ),
    Correct(
        "np.matrix inside",
        {
            "fc.forward": """
            self.cache = x
            y = np.asarray(np.matrix(x) * np.matrix(self.W).T)
            return y + self.b if self.bias else y
        """,
            "fc.backward": """
            d = np.matrix(upstream)
            grads = {"W": np.asarray(d.T * np.matrix(x))}
            if self.bias:
                grads["b"] = np.asarray(d.sum(axis=0)).ravel()
            return np.asarray(d * np.matrix(self.W)), grads
        """,
        },
    ),
    Correct(
        "lists of Python numbers inside",
        {
            "relu.forward": """
            self.cache = x
            flat = [max(0.0, float(v)) for v in x.flatten()]
            return np.reshape(np.array(flat, dtype=x.dtype), x.shape)
        """,
            "relu.backward": PLAIN["relu.backward"],
        },
    ),
    Correct(
        "an attribute for every intermediate value",
        {
            **SOFTMAX_CE,
            "softmax_ce.forward": """
        self.scores = scores
        self.labels = labels
        self.z = scores - np.max(scores, axis=1, keepdims=True)
        self.e = np.exp(self.z)
        self.total = np.sum(self.e, axis=1, keepdims=True)
        self.p = self.e / self.total
        self.onehot = labels if labels.ndim == 2 else np.zeros(scores.shape, scores.dtype)
        if labels.ndim == 1:
            for i in range(rows):
                self.onehot[i][labels[i]] = 1
        self.cache = self.p, self.onehot
        self.loss = float(np.sum(self.onehot * (np.log(self.total) - self.z)) / rows)
        return self.loss
    """,
        },
    ),
    Correct(
        "loss as a NumPy number",
        {
            **SOFTMAX_CE,
            "softmax_ce.forward": PLAIN["softmax_ce.forward"].replace(
                "float(-(onehot * log_p).sum() / rows)", "-(onehot * log_p).sum() / rows"
            ),
        },
    ),
    Correct(
        "ReLU that keeps the gate alone",
        {"relu.forward": "self.cache = x > 0\nreturn x * self.cache", "relu.backward": "return upstream * x, {}"},
    ),
    Correct(
        "ReLU that keeps what it gave",
        {
            "relu.forward": "self.cache = np.maximum(x, 0)\nreturn self.cache.copy()",
            "relu.backward": "return upstream * (x > 0), {}",
        },
    ),
    Correct(
        "softmax that has its gradient ready",
        {
            "softmax_ce.forward": PLAIN["softmax_ce.forward"].replace(
                "self.cache = np.exp(log_p), onehot", "self.cache = (np.exp(log_p) - onehot) / rows"
            ),
            "softmax_ce.backward": "return self.recall() * upstream",
        },
    ),
    Correct("the whole file in one's own words: FC", FC, edit=lambda text: OWN_FC),
    Correct("the whole file in one's own words, with tabs: ReLU", RELU, edit=lambda text: OWN_RELU),
    Correct("the whole file in one's own words: Sigmoid", SIGMOID, edit=lambda text: OWN_SIGMOID),
]
