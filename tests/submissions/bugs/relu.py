"""Mistakes in the rectified linear unit, and other right ways to write it."""

from ..entry import Bug, Correct

FORWARD, BACKWARD = "relu.forward", "relu.backward"


def _forward(y: str) -> str:
    return f"self.cache = x\nreturn {y}"


BUGS = [
    Bug("absolute value", FORWARD, _forward("np.abs(x)"), r"negative|abs|x < 0|max\(0|sign"),
    Bug("minimum", FORWARD, _forward("np.minimum(x, 0)"), r"min|max\(0|negative|positive|expected"),
    Bug("leaky", FORWARD, _forward("np.where(x > 0, x, 0.01 * x)"), r"leak|negative|slope|x < 0|max\(0"),
    Bug(
        "a gate instead of a value",
        FORWARD,
        _forward("(x > 0).astype(x.dtype)"),
        r"gate|step|0 (or|and) 1|max\(0|times x|without x|\bx\b",
    ),
    Bug("clipped at 1", FORWARD, _forward("np.clip(x, 0, 1)"), r"\b1\b|clip|large|above|upper|max\(0|expected"),
    Bug("clipped at 6", FORWARD, _forward("np.clip(x, 0, 6)"), r"\b6\b|clip|large|above|upper|max\(0|expected"),
    Bug(
        "one maximum of the whole batch",
        FORWARD,
        _forward("np.full_like(x, max(0, x.max()))"),
        r"each|element|largest|one (number|value)|max\(0|maximum|expected",
    ),
    Bug(
        "entries that are never set",
        BACKWARD,
        """
        dx = np.empty_like(upstream)
        dx[self.recall() > 0] = upstream[self.recall() > 0]
        return dx, {}
    """,
        r"np\.empty.*np\.zeros",
    ),
    Bug(
        "input edited in place",
        FORWARD,
        """
        x[x < 0] = 0
        self.cache = x
        return x
    """,
        r"in place|edit|chang|shar|copy|input",
    ),
    Bug(
        "input returned when nothing is negative",
        FORWARD,
        """
        self.cache = x
        return x if (x >= 0).all() else np.maximum(x, 0)
    """,
        r"shar|same (array|memory)|alias|copy|view|input itself|memory",
    ),
    Bug(
        "only for matrices",
        FORWARD,
        """
        self.cache = x
        y = np.zeros_like(x)
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                y[i, j] = max(0, x[i, j])
        return y
    """,
        r"shape|IndexError|index|dimension|TypeError|ValueError|sequence|ambiguous",
    ),
    Bug("gate at 0 is 1", BACKWARD, "return upstream * (x >= 0), {}", r">= ?0|exactly 0|at 0|x = 0|kink|zero"),
    Bug("gate of the upstream", BACKWARD, "return upstream * (upstream > 0), {}", r"upstream"),
    Bug("gate left out", BACKWARD, "return upstream, {}", r"gate|x > 0|negative|x <|passes|mask|not.*multipl"),
    Bug("gate alone", BACKWARD, "return (x > 0).astype(x.dtype), {}", r"upstream"),
    Bug(
        "gate reversed",
        BACKWARD,
        "return upstream * (x < 0), {}",
        r"revers|invert|x > 0|x < 0|wrong (side|way)|negat|gate|opposite",
    ),
    Bug(
        "times x instead of the gate",
        BACKWARD,
        "return upstream * np.maximum(x, 0), {}",
        r"\bx\b|gate|output|\by\b|factor",
    ),
    Bug(
        "leaky backward",
        BACKWARD,
        "return upstream * np.where(x > 0, 1, 0.01), {}",
        r"leak|slope|negative|x <|0\.01|gate",
    ),
    Bug(
        "upstream edited in place",
        BACKWARD,
        """
        upstream[x <= 0] = 0
        return upstream, {}
    """,
        r"upstream.*(chang|place|edit|shar|memory)|(chang|place|edit|shar|memory).*upstream",
    ),
    Bug(
        "mask by the row, not the entry",
        BACKWARD,
        "return upstream * (x.sum(axis=-1, keepdims=True) > 0), {}",
        r"row|entry|element|gate|x > 0|mask|x\[",
    ),
    Bug("empty dictionary forgotten", BACKWARD, "return upstream * (x > 0)", r"return|pair|tuple|\{\}|unpack|two"),
    Bug(
        "divided by the batch",
        BACKWARD,
        "return upstream * (x > 0) / len(x), {}",
        r"batch.*(sum|mean)|(divided|mean).*batch|1/[NB]|factor",
    ),
    Bug(
        "second backward gives nothing",
        BACKWARD,
        """
        dx = upstream * (x > 0)
        self.cache = None
        return dx, {}
    """,
        r"second|again|twice|any number|cache|two",
    ),
]

CORRECT = [
    Correct(
        "where",
        {
            FORWARD: "self.cache = x\nreturn np.where(x > 0, x, 0.0).astype(x.dtype)",
            BACKWARD: "return np.where(x > 0, upstream, 0).astype(x.dtype), {}",
        },
    ),
    Correct(
        "a mask times x",
        {
            FORWARD: """
            self.mask = x > 0
            self.cache = x
            return x * self.mask
        """,
            BACKWARD: """
            dx = upstream.copy()
            dx[~self.mask] = 0
            return dx, {}
        """,
        },
    ),
    Correct(
        "half of x + |x|",
        {
            FORWARD: "self.cache = x\nreturn x / 2 + np.abs(x) / 2",
            BACKWARD: "return upstream * np.heaviside(x, 0), {}",
        },
    ),
    Correct(
        "a loop over flat entries",
        {
            FORWARD: """
            self.cache = x
            y = np.array([value if value > 0 else 0.0 for value in x.ravel().tolist()], dtype=x.dtype)
            return y.reshape(x.shape)
        """,
            BACKWARD: """
            dx = np.empty_like(x)
            for place in np.ndindex(*x.shape):
                dx[place] = upstream[place] if x[place] > 0 else 0
            return dx, {}
        """,
        },
    ),
    Correct(
        "float32 inside",
        {
            FORWARD: "self.cache = x\nreturn np.maximum(x.astype(np.float32), 0).astype(x.dtype)",
            BACKWARD: "return (np.float32(upstream) * np.float32(x > 0)).astype(x.dtype), {}",
        },
    ),
    Correct(
        "the output cached rather than the input",
        {
            FORWARD: """
            y = np.maximum(0, x)
            self.cache = y.copy()
            return y
        """,
            BACKWARD: "return upstream * (self.cache > 0), {}",
        },
    ),
]
