"""Mistakes in the sigmoid, and other right ways to write it."""

from ..entry import Bug, Correct
from ..plain import PLAIN

FORWARD, BACKWARD = "sigmoid.forward", "sigmoid.backward"


def _forward(y: str) -> str:
    return f"y = {y}\nself.cache = y.copy()\nreturn y"


BUGS = [
    Bug(
        "the sign of x forgotten",
        FORWARD,
        _forward("1 / (1 + np.exp(np.clip(x, -700, 700)))"),
        r"sign|exp\(-x\)|1 - y|-x|mirror|minus",
    ),
    Bug(
        "the tanh",
        FORWARD,
        _forward("np.tanh(x)"),
        r"tanh|\[?0,? ?(to|,|and|\.\.)? ?1|range|-1|exp\(-x\)|expected",
    ),
    Bug(
        "the tanh of x, not of x / 2",
        FORWARD,
        _forward("(1 + np.tanh(x)) / 2"),
        r"argument z is x / 2",
    ),
    Bug(
        "1 + forgotten",
        FORWARD,
        _forward("1 / np.exp(-np.clip(x, -700, 700))"),
        r"1 \+|exp\(-x\)|exp\(x\)|expected",
    ),
    Bug(
        "exp(x) / (1 + exp(x)): NaN at +1e4",
        FORWARD,
        _forward("np.exp(x) / (1 + np.exp(x))"),
        r"nan|overflow|not finite|1e\+?0?4|10000|exp",
    ),
    Bug(
        "x clipped too tightly",
        FORWARD,
        _forward("1 / (1 + np.exp(-np.clip(x, -10, 10)))"),
        r"clip|large|1e\+?0?4|10000|extreme|far|expected",
    ),
    Bug(
        "kept away from 0 and 1",
        FORWARD,
        _forward("np.clip(1 / (1 + np.exp(-np.clip(x, -700, 700))), 1e-7, 1 - 1e-7)"),
        r"1e-0?7|clip|large|1e\+?0?4|10000|extreme|far|expected",
    ),
    Bug(
        "a softmax over the row",
        FORWARD,
        """
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        y = e / e.sum(axis=-1, keepdims=True)
        self.cache = y.copy()
        return y
    """,
        r"softmax|row|elementwise|sum|exp\(-x\)|expected",
    ),
    Bug(
        "a straight line near 0",
        FORWARD,
        _forward("np.clip(0.25 * x + 0.5, 0, 1)"),
        r"hard|linear|line|exp\(-x\)|expected",
    ),
    Bug(
        "the input cached, where backward reads the output",
        FORWARD,
        """
        self.cache = x
        z = np.exp(-np.abs(x))
        return np.where(x >= 0, 1, z) / (1 + z)
    """,
        r"cache|\bx\b.*\by\b|output|input",
        spreads=True,
    ),
    Bug(
        "x kept for y",
        FORWARD,
        """
        z = np.exp(-np.abs(x))
        self.cache = x.copy()
        return np.where(x >= 0, 1, z) / (1 + z)
        """,
        r"self.cache does not hold the output y",
    ),
    Bug("1 - y forgotten", BACKWARD, "return upstream * y, {}", r"1 - y|\(1 ?-|factor|y \* \(1|times y"),
    Bug("y forgotten", BACKWARD, "return upstream * (1 - y), {}", r"\by\b|factor"),
    Bug("the root of y (1 - y)", BACKWARD, "return upstream * np.sqrt(y * (1 - y)), {}", r"the root of the sigmoid's"),
    Bug("upstream forgotten", BACKWARD, "return y * (1 - y), {}", r"upstream"),
    Bug("added instead of multiplied", BACKWARD, "return upstream + y * (1 - y), {}", r"add|upstream|plus|multipl|sum"),
    Bug("1 + y", BACKWARD, "return upstream * y * (1 + y), {}", r"sign|1 - y|1 \+ y|\(1 ?[-+]"),
    Bug("y - 1: wrong sign", BACKWARD, "return upstream * y * (y - 1), {}", r"sign|minus|negat|-1"),
    Bug(
        "derivative of the tanh",
        BACKWARD,
        "return upstream * (1 - y**2), {}",
        r"tanh|1 - y|y\*\*2|y \* \(1|square|y\^?2|y²",
    ),
    Bug(
        "sigmoid applied twice",
        BACKWARD,
        """
        s = 1 / (1 + np.exp(-y))
        return upstream * s * (1 - s), {}
    """,
        r"twice|again|sigmoid|second time|\by\b|output",
    ),
    Bug(
        "squared too far",
        BACKWARD,
        "return upstream * y * (1 - y) ** 2, {}",
        r"factor|1 - y|square|\*\*|twice|power|times",
    ),
    Bug(
        "mean over the batch",
        BACKWARD,
        "return upstream * y * (1 - y) / len(y), {}",
        r"batch.*(sum|mean)|(divided|mean).*batch|1/[NB]|factor",
    ),
    Bug(
        "cache used up in place",
        BACKWARD,
        """
        y *= 1 - y
        return upstream * y, {}
    """,
        r"cache|second|again|twice|in place|edit|chang|call",
    ),
]

CORRECT = [
    Correct(
        "the returned array is the cache: nobody is told that callers edit it",
        {
            FORWARD: """
        z = np.exp(-np.abs(x))
        y = np.where(x >= 0, 1, z) / (1 + z)
        self.cache = y
        return y
    """,
            BACKWARD: PLAIN[BACKWARD],
        },
    ),
    Correct(
        "scipy's expit",
        {
            FORWARD: """
            from scipy.special import expit

            y = expit(x)
            self.cache = np.array(y)
            return y
        """,
            BACKWARD: "return y * (1 - y) * upstream, {}",
        },
    ),
    Correct(
        "two masks",
        {
            FORWARD: """
            y = np.zeros_like(x)
            positive = x >= 0
            y[positive] = 1 / (1 + np.exp(-x[positive]))
            e = np.exp(x[~positive])
            y[~positive] = e / (1 + e)
            self.cache = y.copy()
            return y
        """,
            BACKWARD: "return upstream * (y - y * y), {}",
        },
    ),
    Correct(
        "half a tanh more",
        {
            FORWARD: """
            y = 0.5 * np.tanh(0.5 * x) + 0.5
            self.cache = y.copy()
            return y
        """,
            BACKWARD: "return np.multiply(np.multiply(upstream, y), 1.0 - y), {}",
        },
    ),
    Correct(
        "overflow with its warning switched off",
        {
            FORWARD: """
            with np.errstate(over="ignore"):
                y = 1 / (1 + np.exp(-x))
            self.cache = y.copy()
            return y
        """,
            BACKWARD: PLAIN[BACKWARD],
        },
    ),
    Correct(
        "a loop over the entries",
        {
            FORWARD: """
            import math

            y = np.empty_like(x)
            for place in np.ndindex(x.shape):
                z = math.exp(-abs(x[place]))
                y[place] = 1 / (1 + z) if x[place] >= 0 else z / (1 + z)
            self.cache = y.copy()
            return y
        """,
            BACKWARD: """
            dx = np.empty_like(y)
            for place in np.ndindex(y.shape):
                dx[place] = upstream[place] * y[place] * (1 - y[place])
            return dx, {}
        """,
        },
    ),
    Correct(
        "attributes of one's own",
        {
            FORWARD: """
            z = np.exp(-np.abs(x))
            self.output = np.where(x >= 0, 1, z) / (1 + z)
            self.cache = self.output
            return self.output.copy()
        """,
            BACKWARD: """
            slope = self.output * (1 - self.output)
            return slope * upstream, {}
        """,
        },
    ),
]
