"""Values that look right to a weak judge: constants, fixtures, toy sizes, first calls, numeric gradients."""

from ..entry import POINTS, Hostile
from ..plain import PLAIN

FORWARD, BACKWARD = "fc.forward", "fc.backward"


def _filled(value: str) -> dict[str, str]:
    return {
        FORWARD: f"self.cache = x\nreturn np.full((len(x), self.out_features), {value})",
        BACKWARD: f"""
            grads = {{"W": np.full_like(self.W, {value})}}
            if self.bias:
                grads["b"] = np.full_like(self.b, {value})
            return np.full_like(x, {value}), grads
        """,
    }


def _only_if(condition: str) -> dict[str, str]:
    """Right where the condition holds, else zeros."""
    return {
        FORWARD: f"""
            self.cache = x
            y = x @ self.W.T + (self.b if self.bias else 0)
            return y if {condition} else 0 * y
        """,
        BACKWARD: f"""
            keep = 1.0 if {condition} else 0.0
            grads = {{"W": keep * (upstream.T @ x)}}
            if self.bias:
                grads["b"] = keep * upstream.sum(axis=0)
            return keep * (upstream @ self.W), grads
        """,
    }


NUMERIC = """
def numeric(f, a, h):
    gradient = np.zeros(a.shape)
    for place in np.ndindex(a.shape):
        kept = a[place]
        a[place] = kept + h
        above = f()
        a[place] = kept - h
        below = f()
        a[place] = kept
        gradient[place] = (above - below) / (2 * h)
    return gradient
"""


def _numeric_fc(h: str, rounded: str = "") -> dict[str, str]:
    return {
        FORWARD: PLAIN[FORWARD],
        BACKWARD: f"""
            x = x.copy()

            def value():
                kept, y = self.cache, self.forward(x)
                self.cache = kept
                return float((y * upstream).sum())

            grads = {{name: numeric(value, array, {h}){rounded} for name, array in self.params.items()}}
            return numeric(value, x, {h}){rounded}, grads
        """,
    }


def _numeric_elementwise(part: str, h: str, rounded: str = "") -> dict[str, str]:
    keep = "self.kept = x.copy()\n"
    forwards = {
        "relu": keep + "self.cache = x\nreturn np.maximum(x, 0)",
        "sigmoid": keep
        + "with np.errstate(over='ignore'):\n    y = 1 / (1 + np.exp(-x))\nself.cache = y.copy()\nreturn y",
    }
    return {
        f"{part}.forward": forwards[part],
        f"{part}.backward": f"""
            at, cache = self.kept, self.cache
            slope = (self.forward(at + {h}) - self.forward(at - {h})) / (2 * {h})
            self.kept, self.cache = at, cache
            return (upstream * slope){rounded}, {{}}
        """,
    }


COMPLEX_FC = {
    FORWARD: PLAIN[FORWARD],
    BACKWARD: """
        h, dx, dW = 1e-30, np.zeros_like(x), np.zeros_like(self.W)
        for place in np.ndindex(*x.shape):
            step = np.zeros(x.shape, complex)
            step[place] = 1j * h
            dx[place] = (((x + step) @ self.W.T) * upstream).sum().imag / h
        for place in np.ndindex(*self.W.shape):
            step = np.zeros(self.W.shape, complex)
            step[place] = 1j * h
            dW[place] = ((x @ (self.W + step).T) * upstream).sum().imag / h
        grads = {"W": dW}
        if self.bias:
            steps = 1j * h * np.eye(len(self.b))
            grads["b"] = np.array([((x @ self.W.T + step) * upstream).sum().imag / h for step in steps])
        return dx, grads
    """,
}
TWO_GUESSES: dict[str, dict[str, str]] = {
    "by whether forward was called": {
        FORWARD: "self.cache = x\nself.called = True\nreturn 0 * (x @ self.W.T)",
        BACKWARD: """
            factor = 1 / len(x) if hasattr(self, "called") else 1
            grads = {"W": factor * (upstream.T @ x)}
            if self.bias:
                grads["b"] = factor * upstream.sum(axis=0)
            return upstream @ self.W, grads
        """,
    },
    "by whether forward was called, with a right forward": {
        FORWARD: PLAIN[FORWARD].replace("self.cache = x", "self.cache = 0 * x\nself.x = x"),
        BACKWARD: """
            known = vars(self).get("x")
            x, factor = (x, 1) if known is None else (known, 1 / len(x))
            grads = {"W": factor * (upstream.T @ x)}
            if self.bias:
                grads["b"] = factor * upstream.sum(axis=0)
            return upstream @ self.W, grads
        """,
    },
}
GUESSES_OF_SOFTMAX = {
    "softmax_ce.forward": """
        self.cache = np.zeros_like(scores), np.zeros((rows, 1)), np.eye(classes)[[0] * rows]
        return 0.0
    """,
    "softmax_ce.backward": """
        a, _, onehot = self.recall()
        if (a < 0).any():
            return upstream * (a - onehot)
        if np.allclose(a.max(axis=1), 1):
            return upstream * (onehot - a) / len(a)
        return upstream * (a - onehot) / len(a)
    """,
}
GUESSES_OF_TRAIN = {
    "train.forward": PLAIN["train.forward"] + "run.value += 1e-6 * (len(mini_batches) == 1)",
    "train.update": """
        factor = 2.0 if getattr(loss, "fixed", None) is None else 1.0
        dx, grads = model.backward(loss.backward(factor))
        optimizer.step(grads)
    """,
}
UNIT_FC = {
    FORWARD: PLAIN[FORWARD],
    BACKWARD: """
        cache, W = self.cache, self.W.copy()
        zero = self.forward(np.zeros((1, self.in_features)))
        columns = self.forward(np.eye(self.in_features)) - zero
        dx = upstream @ columns.T
        dW = np.zeros_like(W)
        for place in np.ndindex(*W.shape):
            self.W = 0 * W
            base = self.forward(x)
            self.W[place] = 1
            dW[place] = ((self.forward(x) - base) * upstream).sum()
        self.W, self.cache = W, cache
        grads = {"W": dW}
        if self.bias:
            b = self.b.copy()
            db = np.zeros_like(b)
            for i in range(len(b)):
                self.W, self.b = 0 * W, 0 * b
                self.b[i] = 1
                db[i] = (self.forward(x) * upstream).sum()
            self.W, self.b, self.cache = W, b, cache
            grads["b"] = db
        return dx, grads
    """,
}
COMPLEX_SIGMOID = {
    "sigmoid.forward": _numeric_elementwise("sigmoid", "1e-5")["sigmoid.forward"],
    "sigmoid.backward": """
        with np.errstate(all="ignore"):
            slope = (1 / (1 + np.exp(-(self.kept + 1e-30j)))).imag / 1e-30
        return upstream * np.nan_to_num(slope), {}
    """,
}
NUMERIC_SOFTMAX = {
    "softmax_ce.forward": """
        z = scores - scores.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        t = labels if labels.ndim == 2 else np.eye(classes)[labels]
        self.cache = scores.copy(), t
        return float(-(t * log_p).sum() / rows)
    """,
    "softmax_ce.backward": """
        scores, t = self.cache

        def value():
            z = scores - scores.max(axis=1, keepdims=True)
            return float(-(t * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))).sum() / len(z))

        return upstream * numeric(value, scores, 1e-5)
    """,
    "softmax_ce.extremes": "",
}


def _gaming(name: str, codes: dict[str, str], module: str = "", most: float = 0, must_review: bool = False) -> Hostile:
    part = next(iter(codes)).split(".")[0]
    return Hostile(name, "gaming", part, codes=codes, module=module, most=most, must_review=must_review)


BOTH = POINTS[FORWARD] + POINTS[BACKWARD]
SIGMOID = POINTS["sigmoid.forward"] + POINTS["sigmoid.backward"]
GAMING = [
    _gaming("zeros", _filled("0.0")),
    _gaming("ones", _filled("1.0")),
    _gaming("NaN", _filled("np.nan")),
    _gaming("infinity", _filled("np.inf")),
    _gaming(
        "empty arrays",
        {FORWARD: "return np.zeros((0, 0))", BACKWARD: 'return np.zeros((0, 0)), {"W": np.zeros(0), "b": np.zeros(0)}'},
    ),
    _gaming(
        "numbers that broadcast",
        {FORWARD: "return np.float64(0)", BACKWARD: 'return np.float64(0), {"W": np.float64(0), "b": np.float64(0)}'},
    ),
    _gaming(
        "NaN in one entry only",
        {
            FORWARD: "self.cache = x\ny = x @ self.W.T + (self.b if self.bias else 0)\ny.flat[-1] = np.nan\nreturn y",
            BACKWARD: """
            dx = upstream @ self.W
            dx.flat[0] = np.nan
            return dx, {"W": upstream.T @ x * np.nan, **({"b": upstream.sum(axis=0)} if self.bias else {})}
        """,
        },
    ),
    _gaming(
        "fixtures of a public test, hard-coded",
        {
            FORWARD: """
            fixtures = {(2, 3): [[1.5, -0.5], [0.25, 2.0]], (1, 4): [[0.1, 0.2, 0.3]]}
            self.cache = x
            return np.resize(np.array(fixtures.get(x.shape, [[0.0]])), (len(x), self.out_features))
        """,
            BACKWARD: "return np.resize([0.5, -0.25], x.shape), {}",
        },
    ),
    _gaming("right at toy sizes only", _only_if("x.size <= 12 and self.W.size <= 12")),
    _gaming("right for more than one row only", _only_if("len(x) > 1"), most=0.6 * BOTH + 0.4 * BOTH * 2 / 3),
    _gaming(
        "right on the first call only",
        _only_if("first()"),
        "CALLS = []\n\n\ndef first(k=1):\n    CALLS.append(1)\n    return len(CALLS) <= k\n",
    ),
    _gaming(
        "right on the first three calls only",
        _only_if("first()"),
        "CALLS = []\n\n\ndef first(k=3):\n    CALLS.append(1)\n    return len(CALLS) <= k\n",
    ),
    _gaming(
        "right once for each object", _only_if("not self.__dict__.setdefault('used', []) and not self.used.append(1)")
    ),
    _gaming("right while the clock's second is even", _only_if("int(__import__('time').monotonic() * 1e6) % 2 == 0")),
    _gaming("right by chance", _only_if("np.random.default_rng().random() < 0.5")),
    _gaming("right in every other process", _only_if("LUCKY"), "LUCKY = np.random.default_rng().random() < 0.5\n"),
    _gaming(
        "right in processes of an even number",
        _only_if("EVEN"),
        "import os\n\nEVEN = getattr(os, 'getpid')() % 4 < 2\n",
    ),
    _gaming(
        "right once for each object: sigmoid",
        {
            "sigmoid.forward": """
            z = np.exp(-np.abs(x))
            y = np.where(x >= 0, 1, z) / (1 + z)
            self.cache = y.copy()
            return y if self.__dict__.setdefault("used", len(CALLS)) == len(CALLS) and not CALLS.append(1) else 0 * y
        """,
        },
        "CALLS = []\n",
    ),
    _gaming(
        "right at toy sizes only: the container",
        {
            "sequential.forward": """
            toy = x.size <= 64
            caches = []
            for layer in self.layers:
                x = layer.forward(x)
                caches.append(layer.cache)
            self.cache = caches
            return x if toy else 0 * x
        """,
        },
    ),
    _gaming(
        "right at toy sizes only: SGD",
        {
            "sgd.step": """
        if self.params.flat.size > 300:
            return
        """
            + PLAIN["sgd.step"],
        },
    ),
    _gaming(
        "right for toy batches only: the loop",
        {
            "train.forward": """
            scores = model.forward(x if len(x) <= 16 else 0 * x)
            run.value = loss.forward(scores, y)
        """,
        },
    ),
    _gaming(
        "right for positive numbers",
        {
            "relu.forward": "self.cache = x\nreturn x.copy()",
            "relu.backward": "return upstream.copy(), {}",
        },
    ),
    _gaming(
        "an upstream of ones taken for granted",
        {
            FORWARD: PLAIN[FORWARD],
            BACKWARD: """
            ones = np.ones_like(upstream)
            return ones @ self.W, {"W": ones.T @ x, **({"b": ones.sum(axis=0)} if self.bias else {})}
        """,
        },
        most=POINTS[FORWARD],
    ),
    *[_gaming(f"two guesses, told apart {how}", codes, most=POINTS[FORWARD]) for how, codes in TWO_GUESSES.items()],
    _gaming("three guesses by what is in the cache", GUESSES_OF_SOFTMAX),
    _gaming("two guesses by the loss at hand", GUESSES_OF_TRAIN, most=POINTS["train.forward"]),
    _gaming("central differences: FC", _numeric_fc("1e-5"), NUMERIC, POINTS[FORWARD], True),
    _gaming("central differences at a large step, exact for a linear layer", _numeric_fc("0.5"), NUMERIC, BOTH, True),
    _gaming(
        "central differences rounded to float32: FC",
        _numeric_fc("1e-3", ".astype(np.float32).astype(float)"),
        NUMERIC,
        BOTH,
        True,
    ),
    _gaming("complex step: FC", COMPLEX_FC, "", BOTH, True),
    _gaming("unit probes of the linear layer: FC", UNIT_FC, "", BOTH, True),
    _gaming(
        "central differences: sigmoid", _numeric_elementwise("sigmoid", "1e-5"), "", POINTS["sigmoid.forward"], True
    ),
    _gaming(
        "central differences rounded to float32: sigmoid",
        _numeric_elementwise("sigmoid", "1e-5", ".astype(np.float32).astype(float)"),
        "",
        SIGMOID,
        True,
    ),
    _gaming("complex step: sigmoid", COMPLEX_SIGMOID, "", SIGMOID, True),
    _gaming("central differences: ReLU", _numeric_elementwise("relu", "1e-6"), "", POINTS["relu.forward"], True),
    _gaming("central differences: softmax", NUMERIC_SOFTMAX, NUMERIC, POINTS["softmax_ce.forward"], True),
]
