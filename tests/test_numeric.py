"""What is flagged as a numeric derivative, in many disguises, and what honest code is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from submissions import CORRECT, FILES, ODDITIES, written
from submissions.numeric import DISGUISES, HIDDEN, HONEST
from submissions.plain import plain

from handgrad.course.handout import skeleton
from handgrad.grading import submission
from handgrad.grading.review.policy import Flag, flags


def numeric(path: str, text: str, given: str = "") -> list[Flag]:
    return [flag for flag in flags(path, text, given) if flag.kind == "numeric"]


@pytest.fixture(scope="module")
def handout() -> dict[str, bytes]:
    return skeleton(Path(submission.__file__).parents[1])


@pytest.mark.parametrize("name", DISGUISES)
def test_numeric_backwards_in_disguise(name: str) -> None:
    text = DISGUISES[name].text()
    compile(text, name, "exec")
    assert numeric("sigmoid.py", text), text


@pytest.mark.parametrize("name", HIDDEN)
def test_numeric_backwards_that_are_hidden(name: str) -> None:
    assert numeric("sigmoid.py", HIDDEN[name])


DIFFERENCE = """
{head}
class L:
    def forward(self, x):
        self.x = x
        return 1 / (1 + np.exp(-x))
    def backward(self, upstream):
        h = 0.25
        {line}
        f = 1 / (1 + {exp}(-(self.x + h))) - 1 / (1 + {exp}(-(self.x - h)))
        return upstream * f * 2, {{}}
"""


@pytest.mark.parametrize(
    ("head", "line", "exp"),
    [
        ("import numpy as np", "N = np", "N.exp"),
        ("import numpy as np", "N = M = np\n        O = M", "O.exp"),
        ("import numpy as np", "N = np if h else None\n        N = np", "N.exp"),
        ("import numpy as np", "self.lib = np", "self.lib.exp"),
        ("import numpy as np\nCALLS = np", "", "CALLS.exp"),
        ("from numpy import *", "", "exp"),
        ("from math import *", "", "exp"),
        ("from handgrad.layers.base import np as other", "", "other.exp"),
        ("from .base import np as other", "", "other.exp"),
        ("from handgrad.layers import base", "", "base.np.exp"),
    ],
)
def test_libraries_under_other_names(head: str, line: str, exp: str) -> None:
    text = DIFFERENCE.format(head=head, line=line, exp=exp)
    compile(text, exp, "exec")
    assert any("two points" in flag.what for flag in numeric("layers/sigmoid.py", text))


def test_a_library_that_is_handed_over() -> None:
    text = DIFFERENCE.format(head="import numpy as np", line="N = one(np)", exp="N.exp")
    text = text.replace("backward(self, upstream)", "backward(self, upstream, N=np)").replace("N = one(np)", "")
    assert numeric("layers/sigmoid.py", text)


@pytest.mark.parametrize(
    ("line", "end"),
    [
        ("", "\n".join(f"class D{i}:\n    def backward(self): return 0" for i in range(30))),
        ("", "\n".join("def f(): h = 0" for _ in range(30)) + "\nh = 0\n" * 300),
        ("a0 = self.x; " + "; ".join(f"a{i + 1} = a{i}" for i in range(60)) + "; self.x = a60", ""),
        ("; ".join("np.exp(upstream)" for _ in range(30)), ""),
    ],
)
def test_a_difference_among_many_others(line: str, end: str) -> None:
    text = DIFFERENCE.format(head="import numpy as np", line=line, exp="np.exp") + end
    compile(text, end, "exec")
    assert any("two points" in flag.what or "shifted" in flag.what for flag in numeric("layers/sigmoid.py", text))


@pytest.mark.parametrize(
    "body",
    [
        "kind = [t[0] for t in np.exp.types][-2]\n        return upstream * self.x.astype(kind)",
        "f = [np.exp][0]\n        return upstream * self.x.astype(f.types[-2][0])",
        "return upstream * np.angle(self.x)",
        "return upstream * self.x.astype('c' + '16')",
        "return upstream * self.x.astype(f'c{16}')",
        "return upstream * self.x.astype(''.join(['c', '16']))",
        "return upstream * np.asarray(self.x, dtype=chr(68))",
        "return upstream * np.array([f'{v}+1e-30j' for v in self.x])",
        "return upstream * np.sqrt(-self.x * 0 - 1, dtype=np.sctypes['others'][1])",
        "return upstream * (-len(self.x)) ** 0.5",
        "return upstream * np.dtype(bytes([99, 49, 54])).type(0)",
        "return upstream * np.typeDict['c'](self.x)",
        "return upstream * scipy.optimize._numdiff.approx_derivative(f, self.x, method='cs')",
        "return upstream * sp.stats.logistic.pdf(self.x)",
        "return upstream * getattr(scipy, 'optimize').approx_fprime(self.x, f)",
        "from scipy import stats\n        return upstream * stats.logistic.pdf(self.x)",
        "from scipy import signal\n        return upstream * signal.savgol_coeffs(31, 14, deriv=1)",
        "import scipy.integrate as s\n        return upstream * s.quad(f, 0, 1)",
    ],
)
def test_complex_numbers_and_scipy_by_other_ways(body: str) -> None:
    text = f"""
import numpy as np
import scipy
import scipy as sp
class L:
    def forward(self, x):
        self.x = x
        return x
    def backward(self, upstream):
        {body}
"""
    compile(text, body, "exec")
    assert numeric("layers/sigmoid.py", text)


STENCILS = {
    "in a loop": """
        s = 0
        for k, c in enumerate((8/9, -14/45, 56/495, -7/198), 1):
            a = q ** k
            s = s + c * (1 / (1 + E / a) - 1 / (1 + E * a))
        return upstream * s * 16
    """,
    "by its places": """
        s = 0
        for k in range(1, 8):
            s += WEIGHTS[k - 1] * (1 / (1 + E / q**k) - 1 / (1 + E * q**k))
        return upstream * s * 16
    """,
    "by a function": """
        s = 0
        for k in range(1, 8):
            s += made(7)[k - 1] * (1 / (1 + E / q**k) - 1 / (1 + E * q**k))
        return upstream * s * 16
    """,
    "in a sum": """
        return upstream * sum(w / (1 + E * q**k) for k, w in zip(range(4), WEIGHTS))
    """,
    "as a product": """
        F = 1 / (1 + np.multiply.outer(E, q ** np.arange(4)))
        return upstream * (F @ WEIGHTS)
    """,
    "as a sum of products": """
        F = 1 / (1 + np.multiply.outer(E, q ** np.arange(4)))
        return upstream * (F * np.array([8/9, -14/45, 56/495, -7/198])).sum(axis=-1)
    """,
    "by einsum": """
        F = 1 / (1 + np.multiply.outer(E, q ** np.arange(4)))
        return upstream * np.einsum('ijk,k->ij', F, WEIGHTS)
    """,
    "written out": """
        f = [1 / (1 + E * q**k) for k in range(4)]
        return upstream * (0.8 * f[0] - 0.2 * f[1] + 0.038 * f[2] - f[3] / 280.5)
    """,
}


@pytest.mark.parametrize("name", STENCILS)
def test_functions_weighed_by_fixed_constants(name: str) -> None:
    text = f"""
import numpy as np
WEIGHTS = [8/9, -14/45, 56/495, -7/198]
def made(p):
    return [2 * (-1) ** (k + 1) / k for k in range(1, p + 1)]
class L:
    def forward(self, x):
        self.x = x
        return 1 / (1 + np.exp(-x))
    def backward(self, upstream):
        E = np.exp(-self.x)
        q = np.exp(len(E) / len(E) / 16)
{STENCILS[name]}
"""
    compile(text, name, "exec")
    assert any("constants" in flag.what for flag in numeric("layers/sigmoid.py", text))


@pytest.mark.parametrize(
    "body",
    [
        "return 0.5 * upstream * (1 + t) + 0.5 * upstream * self.x * (1 - t * t) * 0.79 * (1 + 0.13 * self.x**2)",
        "for i in range(len(p)): p[i] = upstream * p[i] / len(p)",
        "for i, label in enumerate(self.labels): p[i, label] -= 1.0",
        "for name in ('W', 'b'): grads[name] = scale[name] * upstream",
        "for sign in (-1, 1): p = sign * p",
        "return np.ones(len(p)) @ upstream, np.full(len(p), 1 / len(p)) @ upstream",
        "return np.array([1.0, 0.0, 1.0]) * upstream",
    ],
)
def test_honest_weights(body: str) -> None:
    text = f"""
import numpy as np
class L:
    def backward(self, upstream):
        p, t, grads = self.recall(), np.tanh(self.x), dict()
        scale = dict(W=1.0, b=2.0)
        {body}
"""
    assert numeric("layers/sigmoid.py", text) == []


@pytest.mark.parametrize(
    "body",
    [
        "return upstream * scipy.special.expit(self.x)",
        "return upstream * self.x.astype(np.result_type(self.x, upstream))",
        "return upstream * self.x.astype('f' + '4')",
        "return upstream * np.zeros(3, dtype=self.x.dtype)",
        "m = np\n        return upstream * m.exp(-self.x) * m.zeros(3, 'float32')",
        "return upstream * (-self.x) ** 2 * self.x ** 0.5",
        "return upstream * isinstance(upstream, types.FunctionType)",
    ],
)
def test_honest_types_and_scipy(body: str) -> None:
    text = f"import types\nimport numpy as np\nimport scipy\ndef backward(self, upstream):\n        {body}\n"
    assert numeric("layers/sigmoid.py", text) == []


@pytest.mark.parametrize("name", HONEST)
def test_honest_code(name: str, handout: dict[str, bytes]) -> None:
    codes, module = HONEST[name]
    part = next(iter(codes)).split(".")[0]
    text = written(part, {**plain(part), **codes}, module)
    compile(text, name, "exec")
    assert numeric(FILES[part], text, submission.text(handout[FILES[part]])) == []


def test_right_submissions(handout: dict[str, bytes]) -> None:
    for right in [*CORRECT, *ODDITIES]:
        text = written(right.part, right.codes, right.module)
        assert flags(FILES[right.part], text, submission.text(handout[FILES[right.part]])) == [], right.name
