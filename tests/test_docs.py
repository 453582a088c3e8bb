"""The documentation of the causes: every one is there, and its line of code is called by that very name."""

import ast
import functools
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d
from scipy.special import expit, log_softmax, ndtr, softmax

import handgrad
from handgrad import sweep

PACKAGE = Path(handgrad.__file__).parent
DOCS = Path(__file__).parent.parent / "docs"
NAMES = {
    "np": np,
    "partial": partial,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "expit": expit,
    "ndtr": ndtr,
    "correlate2d": correlate2d,
    "convolve2d": convolve2d,
}
PARAMETERS = {"W": "M D", "b": "M", "gamma": "D", "beta": "D", "gain": "", "K": "3 3"}
NUMBERS = {"scale": 3.5, "p": 0.4, "eps": 1e-3}
EXTRA = {
    "labels": lambda sizes, rng: rng.integers(0, sizes["D"], sizes["N"]),
    "targets": lambda sizes, rng: rng.standard_normal((sizes["N"], sizes["D"])),
    "answers": lambda sizes, rng: rng.integers(0, 2, (sizes["N"], sizes["D"])),
    "tokens": lambda sizes, rng: rng.integers(0, sizes["M"], sizes["N"]),
}


# The documented lines, run.


@dataclass(frozen=True, eq=False)
class Block:
    """One block of code: what comes first, the mends, and the mistakes as (cause, lines)."""

    first: list[str] = field(default_factory=list)
    mends: list[list[str]] = field(default_factory=list)
    mistakes: list[tuple[str, list[str]]] = field(default_factory=list)

    @classmethod
    def read(cls, text):
        block = cls()
        for number, group in enumerate(text.strip().split("\n\n")):
            waiting = block.first if number == 0 else []
            for line in group.splitlines():
                code, _, remark = line.partition("  # ")
                lines = [code] if waiting is block.first else [*waiting, code]
                if not remark:
                    waiting.append(code)
                    continue
                if remark.startswith("the mend"):
                    block.mends.append(lines)
                else:
                    block.mistakes.append((re.split("[:;]", remark)[0], lines))
                waiting = block.first if waiting is block.first else []
        return block

    def layer(self, sizes, rng, mistake=()):
        return Documented(self, sizes, rng, list(mistake))

    @functools.cached_property
    def code(self):
        return "\n".join([*self.first, *(line for lines in self.mends for line in lines)])

    def uses(self, name):
        return bool(re.search(rf"\b{name}\b", self.code))

    @property
    def inputs(self):
        names = ["scores"] if self.uses("scores") else ["a", "b"] if self.uses("a") else ["x"]
        return dict.fromkeys(names, "N D")

    @property
    def parameters(self):
        return {name: shape for name, shape in PARAMETERS.items() if self.uses(name) and name not in self.inputs}

    @property
    def extra(self):
        return [name for name in EXTRA if self.uses(name)]

    def report(self, mistake=(), square=False):
        sizes = {"N": 4, "D": 4, "M": 4} if square else {"N": 4, "D": 5, "M": 3}
        return sweep(
            partial(self.layer, mistake=mistake),
            self.inputs,
            sizes,
            extra=lambda sizes, rng: [EXTRA[name](sizes, rng) for name in self.extra],
            variants=[],
        )

    def fits(self):
        """Whether forward can be run where N, D and M differ."""
        sizes, rng = {"N": 4, "D": 5, "M": 3}, np.random.default_rng(0)
        try:
            self.layer(sizes, rng).forward(
                *(rng.standard_normal((4, 5)) for _ in self.inputs), *(EXTRA[name](sizes, rng) for name in self.extra)
            )
        except ValueError:
            return False
        return True


class Documented:
    """The layer that a block describes, with one mistake or none."""

    def __init__(self, block, sizes, rng, mistake):
        self.params = {}
        for name, shape in block.parameters.items():
            shape = "D" if name == "b" and "W" not in block.parameters else shape
            self.params[name] = np.array(rng.standard_normal([sizes.get(s) or int(s) for s in shape.split()]))
        for name, value in NUMBERS.items():
            if block.uses(f"self.{name}"):
                setattr(self, name, value)
        if block.uses("self.rng"):
            self.rng = np.random.default_rng(1)
        self.names = [*block.inputs, *block.extra]
        self.inputs = list(block.inputs)
        lines = [*([line] for line in block.first), *block.mends]
        parts = (
            [line for part in lines for line in part if not _is_backward(line, part)],
            [line for part in lines for line in part if _is_backward(line, part)],
        )
        parts[_is_backward(mistake[-1], mistake) if mistake else 0].extend(mistake)
        self.code = ["\n".join(re.sub("^return ", "returned = ", line) for line in part) for part in parts]

    def forward(self, *given):
        kept = {"self": self, **self.params, **dict(zip(self.names, given, strict=True))}
        exec(self.code[0], NAMES, kept)
        self.cache = {name: value for name, value in kept.items() if name != "self"}
        return kept["y"]

    def backward(self, upstream):
        kept = {**self.cache, "self": self, "upstream": upstream}
        exec(self.code[1], NAMES, kept)
        if "returned" in kept:
            return kept["returned"]
        gradients = tuple(kept["d" + name] for name in self.inputs)
        gradients = gradients if len(gradients) > 1 else gradients[0]
        return (gradients, {name: kept["d" + name] for name in self.params}) if self.params else gradients


def _is_backward(line, lines):
    """Whether the line belongs to backward: it speaks of gradients, or leads to a line that does."""
    return any("upstream" in one or re.match(r"d\w+\b.*=|return\b", one) for one in (line, lines[-1]))


def _array(lines):
    found = re.match(r"d\w+", lines[-1])
    return found.group() if found else None


BLOCKS = [Block.read(text) for text in re.findall(r"```python\n(.*?)```", (DOCS / "causes.md").read_text(), re.S)]
MISTAKES = [(block, cause, lines) for block in BLOCKS for cause, lines in block.mistakes]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: (block.first + block.mends[0])[-1])
def test_the_mends_are_right(block):
    report = block.report(square=not block.fits())
    assert report.ok, str(report)


@pytest.mark.parametrize(("block", "cause", "lines"), MISTAKES, ids=[f"{c}: {lines[-1]}" for _, c, lines in MISTAKES])
def test_a_documented_mistake_is_called_by_its_name(block, cause, lines):
    named = []
    for square in (False, True) if block.fits() else (True,):
        report = block.report(lines, square=square)
        array = _array(lines)
        of = [finding for finding in report.findings if array in (None, finding.array)]
        named += [finding.cause for finding in (of[:1] if array else of)]
        if cause in named:
            return
    raise AssertionError(f"named {named or 'nothing'} for {cause}\n{report}")


def test_enough_of_the_documented_causes_are_run():
    assert len({cause for _, cause, _ in MISTAKES}) >= 100


# Every cause is there.

CODE = [
    *(PACKAGE / "checking" / "diagnosis").rglob("*.py"),
    *(PACKAGE / "checking" / "contract").glob("*.py"),
    *(PACKAGE / "checking" / f"{name}.py" for name in ("forms", "finiteness", "examination", "command", "child")),
]
WORD = re.compile(r"[a-zA-Z0-9]+(-[a-zA-Z0-9/()*]+)*")


def words_in(node):
    """The words that an expression may be, with * for what is put into an f-string."""
    if isinstance(node, ast.IfExp):
        return words_in(node.body) | words_in(node.orelse)
    if isinstance(node, ast.BoolOp):
        return set().union(*map(words_in, node.values))
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "*" for part in node.values]
        return {"".join(parts)}
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def causes_in(path):
    """The words that are a cause by where they stand in the code: beside its sentence, or in the name `cause`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in ("Hypothesis", "Mistake"):
                yield from words_in(node.args[0])
            elif name == "Finding":
                yield from words_in(node.args[2])
        elif isinstance(node, ast.Assign | ast.For) and "cause" in ast.unparse(
            node.targets[0] if isinstance(node, ast.Assign) else node.target
        ):
            value = node.value if isinstance(node, ast.Assign) else node.iter
            yield from words_in(value)
            for one in ast.walk(value):
                if isinstance(one, ast.Tuple) and one.elts:
                    yield from words_in(one.elts[0])
        elif isinstance(node, ast.Tuple) and len(node.elts) > 1:
            sentence = any(" " in str(part.value) for part in ast.walk(node.elts[1]) if isinstance(part, ast.Constant))
            yield from (word for word in words_in(node.elts[0]) if sentence or "-" in word)


CAUSES = sorted({word for path in CODE for word in causes_in(path) if WORD.fullmatch(word.replace("*", "X"))})


def test_every_cause_is_documented():
    text = (DOCS / "causes.md").read_text() + (DOCS / "gradcheck.md").read_text()
    known = set(re.findall(r"  # ([^\s:;,]+)", text)) | set(re.findall(r"`([^`\s]+)`", text))
    missing = [
        cause
        for cause in CAUSES
        if not any(re.fullmatch(re.escape(cause).replace(r"\*", ".+"), word) for word in known)
    ]
    assert len(CAUSES) > 140 and not missing, missing
    corpus_words = {"transposed", "sign", "tie", "nan", "accumulates", "missing-1/*", "died", "reused-buffer"}
    assert corpus_words <= set(CAUSES)


def test_the_example_of_an_embedding_runs():
    class Embedding:
        def __init__(self):
            self.params = {"W": np.arange(9.0).reshape(3, 3)}

        def forward(self, tokens):
            self.tokens = tokens
            return self.params["W"][tokens]

        def backward(self, upstream):
            dW = np.zeros_like(self.params["W"])
            np.add.at(dW, self.tokens, upstream)
            return None, {"W": dW}

    (code,) = re.findall(r"```python\n(class Shifted.*?)```", (DOCS / "gradcheck.md").read_text(), re.S)
    names = {"np": np, "gradcheck": handgrad.gradcheck, "embedding": Embedding()}
    exec(code, names)
    assert names["report"].ok, str(names["report"])
