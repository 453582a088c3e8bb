"""Mistakes in the softmax with cross-entropy, and other right ways to write it."""

from ..entry import Bug, Correct
from ..plain import PLAIN

FORWARD, BACKWARD, EXTREMES = "softmax_ce.forward", "softmax_ce.backward", "softmax_ce.extremes"


def _forward(
    z: str = "scores - scores.max(axis=1, keepdims=True)",
    log_p: str = "z - np.log(np.exp(z).sum(axis=1, keepdims=True))",
    value: str = "-(onehot * log_p).sum() / rows",
    onehot: str = "np.eye(classes, dtype=scores.dtype)[labels] if labels.ndim == 1 else labels",
) -> str:
    return f"""
z = {z}
log_p = {log_p}
onehot = {onehot}
self.cache = np.exp(log_p), onehot
return float({value})
"""


def _backward(dscores: str) -> str:
    return f"p, onehot = self.recall()\nreturn {dscores}"


INFINITE = r"nan|inf|overflow|not finite|large|1e\+?30|1e\+?0?[345]|max|shift|exp|extreme"
BATCH = r"batch.*(sum|mean)|(divided|mean).*batch|1/[NB]|len\(|rows|division by [NB]"

BUGS = [
    Bug("no shift before exp", FORWARD, _forward(z="scores"), INFINITE),
    Bug(
        "shift by the largest of the whole batch",
        FORWARD,
        _forward(z="scores - scores.max()"),
        INFINITE + r"|row",
    ),
    Bug(
        "log of a probability that became 0",
        FORWARD,
        _forward(log_p="np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))"),
        INFINITE + r"|log\(?0|underflow",
    ),
    Bug(
        "a small number inside the log",
        FORWARD,
        _forward(log_p="np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) + 1e-8)"),
        r"1e-0?8|small|log|constant|\beps|large|extreme|expected",
    ),
    Bug(
        "probabilities clipped",
        FORWARD,
        _forward(log_p="np.log(np.clip(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), 1e-12, 1))"),
        r"1e-?12|clip|small|log|large|extreme|expected",
    ),
    Bug("sum over the batch", FORWARD, _forward(value="-(onehot * log_p).sum()"), BATCH),
    Bug(
        "mean over batch and classes",
        FORWARD,
        _forward(value="-(onehot * log_p).mean()"),
        BATCH + r"|class|mean|factor|divided",
    ),
    Bug("sign of the loss", FORWARD, _forward(value="(onehot * log_p).sum() / rows"), r"sign|minus|negat"),
    Bug(
        "softmax over the batch axis",
        FORWARD,
        _forward(z="scores - scores.max(axis=0)", log_p="z - np.log(np.exp(z).sum(axis=0))"),
        r"axis|batch|row|column|each row",
    ),
    Bug(
        "exponentials summed over the whole batch",
        FORWARD,
        _forward(log_p="z - np.log(np.exp(z).sum())"),
        r"axis|batch|row|sum",
    ),
    Bug(
        "exponentials summed over the columns, each row's maximum taken off",
        FORWARD,
        _forward(log_p="z - np.log(np.exp(z).sum(axis=0))"),
        r"the sum of exp runs over the batch(?!.*maximum (off|from))",
    ),
    Bug(
        "labels smoothed",
        FORWARD,
        _forward(value="-((0.9 * onehot + 0.1 / classes) * log_p).sum() / rows"),
        r"smoothed by 0\.1 ",
    ),
    Bug(
        "a temperature",
        FORWARD,
        _forward(z="(scores - scores.max(axis=1, keepdims=True)) / 2"),
        r"scores are divided by 2 ",
    ),
    Bug(
        "the probability in place of its log",
        FORWARD,
        _forward(value="-(onehot * np.exp(log_p)).sum() / rows"),
        r"\blog",
    ),
    Bug("one minus the probability", FORWARD, _forward(value="1 - (onehot * np.exp(log_p)).sum() / rows"), r"\blog"),
    Bug(
        "logarithm to base 2",
        FORWARD,
        _forward(value="-(onehot * log_p).sum() / rows / np.log(2)"),
        r"log|base|factor|1\.44|times",
    ),
    Bug(
        "the largest probability, not the label's",
        FORWARD,
        _forward(value="-log_p.max(axis=1).sum() / rows"),
        r"label|largest|argmax|max",
    ),
    Bug(
        "labels off by one",
        FORWARD,
        _forward(onehot="np.eye(classes, dtype=scores.dtype)[labels - 1] if labels.ndim == 1 else labels"),
        r"label|off by one|class|onehot|neighbour",
    ),
    Bug(
        "ten classes hard-coded",
        FORWARD,
        _forward(onehot="np.eye(10)[labels] if labels.ndim == 1 else labels"),
        r"10|shape|class|broadcast",
        spreads=True,
    ),
    Bug(
        "distributions taken for one class",
        FORWARD,
        _forward(onehot="np.eye(classes, dtype=scores.dtype)[labels if labels.ndim == 1 else labels.argmax(axis=1)]"),
        r"distribution|argmax|\[B x C\]|soft|label",
    ),
    Bug(
        "distributions not thought of",
        FORWARD,
        """
        z = scores - scores.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        onehot = np.zeros_like(scores)
        onehot[np.arange(rows), labels] = 1
        self.cache = np.exp(log_p), onehot
        return float(-log_p[np.arange(rows), labels].mean())
    """,
        r"distribution|IndexError|index|\[B x C\]|label",
        spreads=True,
    ),
    Bug(
        "binary cross-entropy summed over classes",
        FORWARD,
        _forward(value="-(onehot * log_p + (1 - onehot) * np.log(1 - np.exp(log_p) + 1e-12)).sum() / rows"),
        r"binary|class|label|log|other|expected",
    ),
    Bug(
        "a loss for each row",
        FORWARD,
        PLAIN[FORWARD].replace("float(-(onehot * log_p).sum() / rows)", "-(onehot * log_p).sum(axis=1)"),
        r"mean|batch|number|float|shape|row",
    ),
    Bug("onehot is not subtracted", BACKWARD, _backward("upstream * p / len(p)"), r"onehot|label|p -"),
    Bug("sign: onehot - p", BACKWARD, _backward("upstream * (onehot - p) / len(p)"), r"sign|minus|negat"),
    Bug(
        "normalised over the columns as well",
        BACKWARD,
        _backward("upstream * (p / p.sum(axis=0) - onehot) / len(p)"),
        r"divided by their sums over the batch",
    ),
    Bug("1/B forgotten", BACKWARD, _backward("upstream * (p - onehot)"), BATCH),
    Bug("1/B twice", BACKWARD, _backward("upstream * (p - onehot) / len(p) ** 2"), BATCH + r"|twice|factor"),
    Bug(
        "divided by the classes",
        BACKWARD,
        _backward("upstream * (p - onehot) / p.shape[1]"),
        r"class|\bC\b|batch|1/[NBC]|factor",
    ),
    Bug(
        "divided by batch and classes",
        BACKWARD,
        _backward("upstream * (p - onehot) / p.size"),
        r"class|\bC\b|batch|1/|factor",
    ),
    Bug("upstream ignored", BACKWARD, _backward("(p - onehot) / len(p)"), r"upstream"),
    Bug("upstream added", BACKWARD, _backward("upstream + (p - onehot) / len(p)"), r"upstream"),
    Bug(
        "softmax applied twice",
        BACKWARD,
        _backward("upstream * (np.exp(p) / np.exp(p).sum(axis=1, keepdims=True) - onehot) / len(p)"),
        r"twice|softmax|again|\bp\b|probabilit",
    ),
    Bug(
        "scores - onehot",
        BACKWARD,
        "scores, onehot = self.recall()\nreturn upstream * (scores - onehot) / len(scores)",
        r"softmax|\bp\b|probabilit|scores|exp",
        beside={FORWARD: PLAIN[FORWARD].replace("np.exp(log_p), onehot", "scores, onehot")},
    ),
    Bug(
        "the derivative of the log alone: -onehot / p",
        BACKWARD,
        _backward("upstream * -onehot / np.maximum(p, 1e-300) / len(p)"),
        r"softmax|-?onehot / p|log|\bp\b|jacobian|p -",
    ),
    Bug(
        "the softmax's diagonal alone",
        BACKWARD,
        _backward("upstream * -onehot * (1 - p) / len(p)"),
        r"diagonal|other class|off-diagonal|onehot|label|\bp\b|softmax",
    ),
    Bug(
        "only the label's column",
        BACKWARD,
        _backward("upstream * (p - 1) * onehot / len(p)"),
        r"label|onehot|other|column|entr|\bp\b",
    ),
    Bug(
        "cache used up in place",
        BACKWARD,
        """
        p, onehot = self.recall()
        p -= onehot
        p /= len(p)
        return upstream * p
    """,
        r"cache|second|again|twice|in place|edit|chang|call",
    ),
    Bug(
        "the distributions that were handed in are scaled in place",
        BACKWARD,
        """
        p, labels = self.recall()
        if labels.ndim == 1:
            labels = np.eye(p.shape[1])[labels]
        labels *= upstream / len(p)
        return upstream * p / len(p) - labels
    """,
        r"labels|in place|second backward",
        beside={FORWARD: PLAIN[FORWARD].replace("np.exp(log_p), onehot", "np.exp(log_p), labels")},
    ),
    Bug(
        "returns a pair, as layers do",
        BACKWARD,
        _backward("upstream * (p - onehot) / len(p), {}"),
        r"return|array|pair|tuple|dict|\{\}",
    ),
    Bug(
        "only the first half of the batch",
        BACKWARD,
        """
        p, onehot = self.recall()
        dscores = np.zeros_like(p)
        for i in range(len(p) // 2):
            dscores[i] = upstream * (p[i] - onehot[i]) / len(p)
        return dscores
    """,
        r"row|batch|zero|half|0",
    ),
]

CORRECT = [
    Correct(
        "a loop over the rows",
        {
            FORWARD: """
            total, p, onehot = 0.0, np.zeros_like(scores), np.zeros_like(scores)
            for i in range(rows):
                z = scores[i] - max(scores[i])
                log_p = z - np.log(sum(np.exp(z)))
                if labels.ndim == 1:
                    onehot[i, labels[i]] = 1
                else:
                    onehot[i] = labels[i]
                for c in range(classes):
                    total -= onehot[i, c] * log_p[c]
                p[i] = np.exp(log_p)
            self.cache = p, onehot
            return float(total / rows)
        """,
            BACKWARD: """
            p, onehot = self.recall()
            dscores = np.zeros_like(p)
            for i in range(len(p)):
                for c in range(p.shape[1]):
                    dscores[i, c] = upstream * (p[i, c] - onehot[i, c]) / len(p)
            return dscores
        """,
            EXTREMES: "",
        },
    ),
    Correct(
        "scipy's log_softmax",
        {
            FORWARD: """
            from scipy.special import log_softmax

            log_p = log_softmax(scores, axis=1)
            self.cache = log_p, labels
            if labels.ndim == 1:
                return float(-log_p[np.arange(rows), labels].mean())
            return float(-np.mean(np.sum(labels * log_p, axis=1)))
        """,
            BACKWARD: """
            log_p, labels = self.recall()
            dscores = np.exp(log_p)
            if labels.ndim == 1:
                dscores[np.arange(len(dscores)), labels] -= 1
            else:
                dscores -= labels
            dscores *= upstream / len(dscores)
            return dscores
        """,
            EXTREMES: "",
        },
    ),
    Correct(
        "einsum",
        {
            FORWARD: """
            log_p = scores - np.max(scores, axis=1, keepdims=True)
            log_p = log_p - np.logaddexp.reduce(log_p, axis=1, keepdims=True)
            onehot = np.eye(classes, dtype=scores.dtype)[labels] if labels.ndim == 1 else labels
            self.cache = np.exp(log_p), onehot
            return float(-np.einsum("bc,bc->", onehot, log_p) / rows)
        """,
            BACKWARD: """
            p, onehot = self.recall()
            return (p - onehot) * (upstream / p.shape[0])
        """,
            EXTREMES: "",
        },
    ),
    Correct(
        "by the Jacobian of the softmax",
        {
            FORWARD: """
            z = scores - scores.max(axis=1)[:, None]
            e = np.exp(z)
            p = e / e.sum(axis=1)[:, None]
            t = labels if labels.ndim == 2 else (labels[:, None] == np.arange(classes)).astype(scores.dtype)
            self.cache = p, t
            return float(np.mean(np.log(e.sum(axis=1)) - (t * z).sum(axis=1)))
        """,
            BACKWARD: """
            p, t = self.recall()
            dlog_p = -t / len(p) * upstream
            return dlog_p - p * dlog_p.sum(axis=1, keepdims=True)
        """,
            EXTREMES: "",
        },
    ),
    Correct(
        "float32 inside",
        {
            FORWARD: """
            z = np.float32(scores - scores.max(axis=1, keepdims=True))
            log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
            t = np.float32(labels if labels.ndim == 2 else np.eye(classes)[labels])
            self.cache = np.exp(log_p), t, scores.dtype
            return float(np.float32(-(t * log_p).sum() / np.float32(rows)))
        """,
            BACKWARD: """
            p, t, dtype = self.recall()
            return (np.float32(upstream) * (p - t) / np.float32(len(p))).astype(dtype)
        """,
            EXTREMES: "",
        },
    ),
]
