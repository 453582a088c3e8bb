"""Mistakes in the fully connected layer, and other right ways to write it."""

from ..entry import Bug, Correct
from ..plain import PLAIN

FORWARD, BACKWARD = "fc.forward", "fc.backward"


def _forward(y: str) -> str:
    return f"self.cache = x\nb = self.b if self.bias else 0\nreturn {y}"


def _backward(dx: str = "upstream @ self.W", dW: str = "upstream.T @ x", db: str = "upstream.sum(axis=0)") -> str:
    return f"""
grads = {{"W": {dW}}}
if self.bias:
    grads["b"] = {db}
return {dx}, grads
"""


BUGS = [
    Bug("bias inside the product: X @ (W + b)", FORWARD, _forward("x @ (self.W.T + b)"), r"bias|\bb\b"),
    Bug("bias forgotten", FORWARD, _forward("x @ self.W.T"), r"bias|\bb\b"),
    Bug("bias subtracted", FORWARD, _forward("x @ self.W.T - b"), r"bias|\bb\b|sign"),
    Bug("bias added once more for every input", FORWARD, _forward("x @ self.W.T + len(self.W.T) * b"), r"bias|\bb\b"),
    Bug("W not transposed", FORWARD, _forward("x @ self.W + b"), r"transpos|shape|W\.T|\[out x in\]|matmul|aligned"),
    Bug(
        "sums begin with what np.empty holds",
        FORWARD,
        """
        self.cache = x
        y = np.empty((len(x), len(self.W)))
        for k in range(x.shape[1]):
            y += np.outer(x[:, k], self.W[:, k])
        return y + self.b if self.bias else y
    """,
        r"np\.empty.*np\.zeros",
    ),
    Bug(
        "W reshaped instead of transposed",
        FORWARD,
        _forward("x @ self.W.reshape(self.W.shape[::-1]) + b"),
        r"W is reshaped",
    ),
    Bug(
        "a batch of one is squeezed",
        FORWARD,
        _forward("np.squeeze(x @ self.W.T + b)"),
        r"shape|batch of (one|1)|squeez|dimension",
    ),
    Bug(
        "a layer without bias adds it all the same",
        FORWARD,
        _forward("x @ self.W.T + self.params['b']"),
        r"bias|KeyError|\bb\b",
    ),
    Bug(
        "ten classes hard-coded",
        FORWARD,
        """
        self.cache = x
        y = np.zeros((len(x), 10))
        for i in range(10):
            y[:, i] = x @ self.W[i] + (self.b[i] if self.bias else 0)
        return y
        """,
        r"shape|IndexError|out of bounds|10|sizes?",
    ),
    Bug(
        "result cut to whole numbers",
        FORWARD,
        """
        self.cache = x
        y = np.zeros((len(x), self.out_features), dtype=int)
        y[:] = x @ self.W.T
        if self.bias:
            y = y + self.b
        return y
        """,
        r"integer|whole number|truncat|round|dtype|int64",
    ),
    Bug(
        "result mean instead of sum over the inputs",
        FORWARD,
        _forward("x @ self.W.T / self.in_features + b"),
        r"divided|factor|mean|1/|scale|times|in_features|number of inputs",
    ),
    Bug(
        "output divided by the root of the inputs",
        FORWARD,
        _forward("x @ self.W.T / np.sqrt(self.in_features) + b"),
        r"square root of the number of inputs",
    ),
    Bug(
        "input edited in place by the forward",
        FORWARD,
        """
        self.cache = x.copy()
        y = x @ self.W.T
        x[:] = 0  # no longer needed
        return y + self.b if self.bias else y
        """,
        r"in place|edit|chang|input",
    ),
    Bug(
        "the same buffer is returned by every call",
        FORWARD,
        """
        self.cache = x
        if getattr(self, "buffer", None) is None or self.buffer.shape != (len(x), self.out_features):
            self.buffer = np.zeros((len(x), self.out_features), self.dtype)
        np.matmul(x, self.W.T, out=self.buffer)
        if self.bias:
            self.buffer += self.b
        return self.buffer
        """,
        r"buffer|later call|second call|reuse|overwrit|chang|shar|same (array|memory)",
    ),
    Bug(
        "nothing cached",
        FORWARD,
        "return x @ self.W.T + (self.b if self.bias else 0)",
        r"cache",
        spreads=True,
    ),
    Bug(
        "output cached in place of the input",
        FORWARD,
        """
        y = x @ self.W.T
        if self.bias:
            y = y + self.b
        self.cache = y
        return y
        """,
        r"cache|shape|output|\bx\b",
        spreads=True,
    ),
    Bug("return forgotten", FORWARD, "self.cache = x\ny = x @ self.W.T", r"None|return"),
    Bug("dW transposed", BACKWARD, _backward(dW="x.T @ upstream"), r"transpos|shape"),
    Bug(
        "dW of the previous batch",
        BACKWARD,
        """
        used = getattr(self, "last", x)
        self.last = x
        if used.shape != x.shape:
            used = x
        grads = {"W": upstream.T @ used}
        if self.bias:
            grads["b"] = upstream.sum(axis=0)
        return upstream @ self.W, grads
    """,
        r"previous|last|earlier|first call|stale|call|state|again|dW",
    ),
    Bug(
        "dW divided by the batch as well",
        BACKWARD,
        _backward(dW="upstream.T @ x / len(x)"),
        r"batch.*(sum|mean)|(divided|mean).*batch|1/[NB]|len\(x\)",
    ),
    Bug(
        "dW and db divided by the batch as well",
        BACKWARD,
        _backward(dW="upstream.T @ x / len(x)", db="upstream.mean(axis=0)"),
        r"batch.*(sum|mean)|(divided|mean).*batch|1/[NB]",
    ),
    Bug(
        "dW of the first row only",
        BACKWARD,
        _backward(dW="np.outer(upstream[0], x[0])"),
        r"first row|row 0|one row|batch|rows",
    ),
    Bug(
        "db mean instead of sum",
        BACKWARD,
        _backward(db="upstream.mean(axis=0)"),
        r"batch.*(sum|mean)|(divided|mean).*batch|1/[NB]|mean",
    ),
    Bug("x in db", BACKWARD, _backward(db="(upstream.T @ x).sum(axis=1)"), r"x is in db"),
    Bug("db summed over the wrong axis", BACKWARD, _backward(db="upstream.sum(axis=1)"), r"axis|shape"),
    Bug("db not summed at all", BACKWARD, _backward(db="upstream"), r"shape|sum|batch"),
    Bug("db of shape [1 x out]", BACKWARD, _backward(db="upstream.sum(axis=0, keepdims=True)"), r"shape|keepdims"),
    Bug(
        "db missing: the bias is never updated",
        BACKWARD,
        'return upstream @ self.W, {"W": upstream.T @ x}',
        r"\bb\b|\bdb\b|bias",
    ),
    Bug(
        "db is zero: the bias is never updated",
        BACKWARD,
        _backward(db="np.zeros_like(self.b)"),
        r"db.*(zero|0)|zero.*db|bias",
    ),
    Bug(
        "db takes up the bias: regularised",
        BACKWARD,
        _backward(db="upstream.sum(axis=0) + 0.01 * self.b"),
        r"\bdb\b|bias",
    ),
    Bug(
        "dW takes up the weights: regularised",
        BACKWARD,
        _backward(dW="upstream.T @ x + 0.01 * self.W"),
        r"\bdW\b|weight|decay|regular",
    ),
    Bug("dx with W transposed", BACKWARD, _backward(dx="upstream @ self.W.T"), r"transpos|shape|matmul|aligned|W\.T"),
    Bug("dx of the wrong sign", BACKWARD, _backward(dx="-upstream @ self.W"), r"sign|minus|-1|negat"),
    Bug("dx forgets the upstream", BACKWARD, _backward(dx="np.ones_like(upstream) @ self.W"), r"upstream"),
    Bug(
        "db forgets the upstream",
        BACKWARD,
        _backward(db="np.full(self.out_features, float(len(x)))"),
        r"upstream|\bdb\b",
    ),
    Bug(
        "names in small letters",
        BACKWARD,
        'return upstream @ self.W, {"w": upstream.T @ x, "b": upstream.sum(axis=0)}',
        r"name|missing|unexpected|\bW\b|key",
    ),
    Bug(
        "names swapped",
        BACKWARD,
        'return upstream @ self.W, {"W": upstream.sum(axis=0), "b": upstream.T @ x}',
        r"shape|swap|name",
    ),
    Bug(
        "gradients accumulated over calls",
        BACKWARD,
        """
        if getattr(self, "dW", None) is None:
            self.dW, self.db = np.zeros_like(self.W), np.zeros(self.out_features, self.dtype)
        self.dW = self.dW + upstream.T @ x
        self.db = self.db + upstream.sum(axis=0)
        return upstream @ self.W, {"W": self.dW, "b": self.db} if self.bias else {"W": self.dW}
    """,
        r"accumulat|second (call|time)|again|twice|call|add",
    ),
    Bug(
        "update done in the layer",
        BACKWARD,
        """
        dW, db = upstream.T @ x, upstream.sum(axis=0)
        dx = upstream @ self.W
        self.W -= 0.01 * dW
        if not self.bias:
            return dx, {"W": dW}
        self.b -= 0.01 * db
        return dx, {"W": dW, "b": db}
    """,
        r"updat|chang|in place|parameter|edit|\bW\b",
    ),
    Bug(
        "upstream scaled in place",
        BACKWARD,
        """
        upstream *= 2
        dx, dW = upstream @ self.W / 2, upstream.T @ x / 2
        return dx, {"W": dW, "b": upstream.sum(axis=0) / 2} if self.bias else {"W": dW}
    """,
        r"upstream.*(chang|place|edit)|(chang|place|edit).*upstream",
    ),
    Bug(
        "only the gradients returned",
        BACKWARD,
        'return {"W": upstream.T @ x, "b": upstream.sum(axis=0)}',
        r"return|pair|tuple|\(dx|unpack",
    ),
    Bug(
        "the dictionary comes first",
        BACKWARD,
        'return {"W": upstream.T @ x, "b": upstream.sum(axis=0)}, upstream @ self.W',
        r"return|order|pair|tuple|\(dx|swap|dict",
    ),
    Bug(
        "the layer without bias is forgotten",
        BACKWARD,
        'return upstream @ self.W, {"W": upstream.T @ x, "b": upstream.sum(axis=0)}',
        r"bias|\bb\b|\bdb\b",
    ),
]

CORRECT = [
    Correct(
        "loops over everything",
        {
            FORWARD: """
            self.cache = x
            y = np.zeros((len(x), self.out_features), dtype=self.dtype)
            for n in range(len(x)):
                for o in range(self.out_features):
                    total = 0.0
                    for i in range(self.in_features):
                        total += x[n, i] * self.W[o, i]
                    y[n, o] = total + (self.b[o] if self.bias else 0.0)
            return y
        """,
            BACKWARD: """
            dx, dW = np.zeros(x.shape, self.dtype), np.zeros(self.W.shape, self.dtype)
            db = np.zeros(self.out_features, self.dtype)
            for n in range(len(x)):
                for o in range(self.out_features):
                    db[o] += upstream[n, o]
                    for i in range(self.in_features):
                        dx[n, i] += upstream[n, o] * self.W[o, i]
                        dW[o, i] += upstream[n, o] * x[n, i]
            return dx, {"W": dW, "b": db} if self.bias else {"W": dW}
        """,
        },
    ),
    Correct(
        "einsum",
        {
            FORWARD: """
            self.cache = x
            y = np.einsum("ni,oi->no", x, self.W)
            return y + self.b if self.bias else y
        """,
            BACKWARD: """
            grads = {"W": np.einsum("no,ni->oi", upstream, x)}
            if self.bias:
                grads["b"] = np.einsum("no->o", upstream)
            return np.einsum("no,oi->ni", upstream, self.W), grads
        """,
        },
    ),
    Correct(
        "float32 inside",
        {
            FORWARD: """
            self.cache = x
            y = x.astype(np.float32) @ self.W.astype(np.float32).T
            if self.bias:
                y += self.b.astype(np.float32)
            return y.astype(self.dtype)
        """,
            BACKWARD: """
            u, w, x32 = np.float32(upstream), np.float32(self.W), np.float32(x)
            grads = {"W": (u.T @ x32).astype(self.dtype)}
            if self.bias:
                grads["b"] = u.sum(axis=0).astype(self.dtype)
            return (u @ w).astype(self.dtype), grads
        """,
        },
    ),
    Correct(
        "another order: (W x' + b)'",
        {
            FORWARD: """
            self.cache = x
            y = self.W @ x.T
            if self.bias:
                y += self.b[:, np.newaxis]
            return y.T
        """,
            BACKWARD: """
            d = upstream.T
            dW = d @ x
            dx = (self.W.T @ d).T
            return (dx, {"W": dW, "b": d.sum(1)}) if self.bias else (dx, {"W": dW})
        """,
        },
    ),
    Correct(
        "input kept in an attribute of one's own as well",
        {
            FORWARD: """
            self.x = np.array(x)
            self.cache = self.x
            return np.dot(self.x, self.params["W"].T) + (self.params["b"] if self.bias else 0)
        """,
            BACKWARD: """
            self.dW = np.dot(upstream.T, self.x)
            self.db = np.ones(len(upstream), upstream.dtype) @ upstream
            return np.dot(upstream, self.params["W"]), {"W": self.dW, **({"b": self.db} if self.bias else {})}
        """,
        },
    ),
    Correct(
        "helper functions",
        {
            FORWARD: """
            self.cache = x
            return affine(x, self.W, self.b if self.bias else None)
        """,
            BACKWARD: """
            return affine_gradients(upstream, x, self.W, self.bias)
        """,
        },
        module="""
        def affine(x, W, b=None):
            y = np.matmul(x, np.transpose(W))
            return y if b is None else y + b


        def affine_gradients(d, x, W, bias):
            grads = dict(W=np.matmul(d.T, x))
            if bias:
                grads.update(b=d.sum(0))
            return np.matmul(d, W), grads
    """,
    ),
    Correct(
        "dW as a sum of outer products",
        {
            FORWARD: PLAIN[FORWARD],
            BACKWARD: """
            dW = sum(np.outer(d, row) for d, row in zip(upstream, x))
            db = sum(upstream)
            dx = np.array([self.W.T @ d for d in upstream])
            return dx, {"W": dW, "b": db + 0} if self.bias else {"W": dW}
        """,
        },
    ),
    Correct("forward of the plain kind alone", {FORWARD: PLAIN[FORWARD]}),
]
