"""Backwards that differentiate numerically, in many disguises, and honest code that resembles them."""

from dataclasses import dataclass
from textwrap import dedent, indent

SQUASH = """
def _s(self, x):
    return 1 / (1 + np.exp(-x))
"""
LIN = """
def lin(self, x):
    return x @ self.W.T
"""
SIGMOID = """
self.x = x
return 1 / (1 + np.exp(-x))
"""
LINEAR = """
self.x = x
return self.lin(x)
"""


@dataclass(frozen=True)
class Layer:
    """A layer's code: what its methods do, and what stands before it."""

    backward: str
    forward: str = "self.x = x\nreturn self._s(x)"
    methods: str = SQUASH
    module: str = ""

    def text(self) -> str:
        methods = dedent(self.methods)
        for name in ("forward(self, x)", "backward(self, upstream)"):
            methods += f"\n\ndef {name}:\n" + indent(dedent(getattr(self, name.split("(")[0])), "    ")
        return f"import numpy as np\n{dedent(self.module)}\nclass L:\n" + indent(methods, "    ") + "\n"


DISGUISES = {
    "an alias of exp": Layer(
        """
            total = 0
            for k, w in TABLE:
                total = total + w / (1 + E(-(self.x + k * 0.125)))
            return upstream * total, {}
        """,
        module="""
            E = np.exp
            TABLE = [(-2, 0.66), (-1, -5.33), (1, 5.33), (2, -0.66)]
        """,
    ),
    "an alias in the class": Layer(
        """
            total = 0
            for k, w in [(-2, 0.66), (-1, -5.33), (1, 5.33), (2, -0.66)]:
                total = total + w / (1 + self.E(-(self.x + k * 0.125)))
            return upstream * total, {}
        """,
        methods="E = np.exp" + SQUASH,
    ),
    "aliases of operators": Layer(
        """
            above, below = self._s(plus(self.x, H)), self._s(minus(self.x, H))
            return upstream * over(minus(above, below), 2 * H), {}
        """,
        module="""
            plus, minus, over = np.add, np.subtract, np.divide
            H = 2.0**-9
        """,
    ),
    "a filled diagonal": Layer(
        """
            units = np.zeros((self.x.shape[1], self.x.shape[1]))
            np.fill_diagonal(units, 1.0)
            return upstream @ self.lin(units).T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "units by copyto": Layer(
        """
            dx = np.empty_like(self.x)
            for j in range(self.x.shape[1]):
                unit = np.zeros((1, self.x.shape[1]))
                np.copyto(unit, 1.0, where=np.arange(self.x.shape[1]) == j)
                dx[:, j] = (upstream * self.lin(unit)).sum(axis=1)
            return dx, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "wide stencil solve": Layer(
        """
            h = 0.125
            k = np.arange(-12, 13)
            w = np.linalg.solve(np.vander(k, increasing=True).T, np.eye(25)[1])
            return upstream * sum(wi * self._s(self.x + ki * h) for ki, wi in zip(k, w)) / h, {}
        """,
    ),
    "wide stencil table": Layer(
        "return upstream * (self._s(self.x[..., None] + NODES) @ WEIGHTS), {}",
        module="""
            NODES = np.array([-0.25, -0.125, 0.125, 0.25])
            WEIGHTS = np.array([0.66, -5.33, 5.33, -0.66])
        """,
    ),
    "inline stencil": Layer(
        """
            total = 0
            for k, w in TABLE:
                total = total + w / (1 + np.exp(-(self.x + k * 0.125)))
            return upstream * total, {}
        """,
        forward=SIGMOID,
        module="TABLE = [(1, 0.8), (-1, -0.8), (2, -0.2), (-2, 0.2)]",
    ),
    "unrolled": Layer(
        """
            h = 0.125
            a, b = self._s(self.x + h), self._s(self.x - h)
            c, d = self._s(self.x + 2 * h), self._s(self.x - 2 * h)
            return upstream * (8 * a - 8 * b - c + d) / (12 * h), {}
        """,
    ),
    "polyfit": Layer(
        """
            t = np.linspace(-1, 1, 25)
            c = np.polyfit(t, self.f(np.add.outer(t, self.x).reshape(25, -1)), 24)
            return upstream * c[-2].reshape(self.x.shape), {}
        """,
    ),
    "emath": Layer(
        """
            i = np.emath.sqrt(-1)
            return upstream * np.imag(self._s(self.x + 1e-30 * i)) * 1e30, {}
        """,
    ),
    "roots": Layer(
        """
            i = np.roots([1, 0, 1])[0]
            z = self._s(self.x + i * H)
            return upstream * (z - z.conj()) / (2 * i * H), {}
        """,
        module="H = 1e-20",
    ),
    "fft": Layer(
        "return upstream * np.fft.fft(self.values())[1], {}",
    ),
    "power": Layer(
        """
            i = (-1) ** 0.5
            z = 1 / (1 + np.exp(-self.x - i * h))
            return upstream * z.imag / h, {}
        """,
        forward=SIGMOID,
    ),
    "view": Layer(
        """
            z = np.stack([self.x, h], -1).view(KIND)
            return upstream * g(z), {}
        """,
        forward=SIGMOID,
        module="KIND = np.dtype('c' + '16')",
    ),
    "c16 variable": Layer(
        """
            z = self.x.astype(KIND)
            return f(z), {}
        """,
        forward=SIGMOID,
        module="KIND = 'c16'",
    ),
    "minus one by a name": Layer(
        """
            i = M ** P
            return f(i), {}
        """,
        forward=SIGMOID,
        module="""
            M = -1
            P = 1 / 2
        """,
    ),
    "in forward": Layer(
        "return upstream * self.slope, {}",
        forward="""
            z = x + 1e-30 * np.emath.sqrt(-1)
            w = 1 / (1 + np.exp(-z))
            self.slope = w.imag * 1e30
            return w.real
        """,
    ),
    "added axis": Layer(
        """
            t = self._s(self.x[..., np.newaxis] + self.nodes)
            return upstream * (t @ self.weights), {}
        """,
        forward="""
            self.x = x
            self.nodes, self.weights = np.linspace(-1, 1, 9), np.ones(9)
            return self._s(x)
        """,
    ),
    "apply_along_axis": Layer(
        """
            def line(v):
                return np.dot(W, self._s(v[0] + N))
            return upstream * np.apply_along_axis(line, 0, self.x[None]), {}
        """,
        module="""
            N = np.array([-0.1, 0.1])
            W = np.array([-5.0, 5.0])
        """,
    ),
    "stacked copies": Layer(
        """
            both = np.stack([self.x + self.h, self.x - self.h])
            above, below = self._s(both)
            return upstream * (above - below) / self.w, {}
        """,
        forward="""
            self.x, self.h = x, 0.125
            return self._s(x)
        """,
    ),
    "twice with a step of the data": Layer(
        """
            d = self.scale()
            return upstream * (self._s(self.x + d) - self._s(self.x - d)) / (2 * d), {}
        """,
    ),
    "comprehension": Layer(
        """
            J = np.array([self.lin(e) for e in np.eye(self.W.shape[1])])
            return upstream @ J.T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "map of a lambda": Layer(
        """
            J = list(map(lambda v: self.W @ v, np.eye(n)))
            return upstream @ np.array(J), {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "loop over units": Layer(
        """
            J = np.zeros((n, m))
            for i in range(n):
                e = np.zeros(n)
                e[i] = 1
                J[i] = self.lin(e)
            return upstream @ J.T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "unit step in place": Layer(
        """
            J = []
            base = self.lin(self.x)
            x = self.x.copy()
            for i in range(n):
                x[:, i] += 1
                J.append(self.lin(x) - base)
                x[:, i] -= 1
            return np.einsum('bo,ibo->bi', upstream, np.array(J)), {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "units by comparison": Layer(
        """
            J = [self.lin((np.arange(n) == i).astype(float)) for i in range(n)]
            return upstream @ np.array(J).T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "helper makes the unit": Layer(
        """
            J = [self.lin(unit(i, n)) for i in range(n)]
            return upstream @ np.array(J).T, {}
        """,
        forward=LINEAR,
        methods=LIN,
        module="""
            def unit(i, n):
                e = np.zeros(n)
                e[i] = 1.0
                return e
        """,
    ),
    "lambda on self": Layer(
        "return upstream * (self.f(self.x + self.h) - self.f(self.x - self.h)) / (2 * self.h), {}",
        forward="""
            self.f = lambda v: 1 / (1 + np.exp(-v))
            self.h = 1 / 128
            self.x = x
            return self.f(x)
        """,
    ),
    "partial": Layer(
        """
            g = functools.partial(self._s)
            return upstream * (g(self.x + h) - g(self.x - h)) / d, {}
        """,
        module="""
            import functools
            h, d = 0.01, 0.02
        """,
    ),
    "operator.call": Layer(
        "return upstream * (operator.call(_s, self.x + h) - operator.call(_s, self.x - h)) / d, {}",
        forward=SIGMOID,
        module="""
            import operator
            h, d = 0.01, 0.02
            def _s(v):
                return 1 / (1 + np.exp(-v))
        """,
    ),
    "class with call": Layer(
        """
            f = Squash()
            return upstream * (f(self.x + h) - f(self.x - h)) / d, {}
        """,
        forward=SIGMOID,
        module="""
            h, d = 0.01, 0.02
            class Squash:
                def __call__(self, v):
                    return 1 / (1 + np.exp(-v))
        """,
    ),
    "another name": Layer(
        "return upstream * (_s(self.x + h) - _s(self.x - h)) / d, {}",
        forward=SIGMOID,
        module="""
            h, d = 0.01, 0.02
            def _s(v):
                return 1 / (1 + np.exp(-v))
        """,
    ),
    "nested": Layer(
        """
            def slope(v):
                def f(t):
                    return 1 / (1 + np.exp(-(v + t)))
                return (f(0.01) - f(-0.01)) / 0.02
            return upstream * slope(self.x), {}
        """,
        forward=SIGMOID,
    ),
    "dual numbers": Layer(
        """
            d = Dual(self.x, 1.0)
            return upstream * (1 / (1 + (-d).exp())).slope, {}
        """,
        forward=SIGMOID,
        module="""
            class Dual:
                def __init__(self, v, s):
                    self.v, self.slope = v, s
                def __mul__(self, o):
                    return Dual(self.v * o.v, self.v * o.slope + self.slope * o.v)
                def __rtruediv__(self, o):
                    return Dual(o / self.v, -o * self.slope / self.v ** 2)
        """,
    ),
    "tape": Layer(
        "return upstream * run(self.x), {}",
        forward=SIGMOID,
        module="""
            TAPE = []
            def mul(a, b):
                TAPE.append(lambda g: (g * b, g * a))
                return a * b
            def run(x):
                y = mul(x, x)
                return [f(1) for f in TAPE][0]
        """,
    ),
    "class made by type": Layer(
        """
            D = type('D', (), {'__add__': add, '__mul__': mul})
            return upstream * D(self.x), {}
        """,
        forward=SIGMOID,
    ),
    "np.add with out": Layer(
        """
            p = self.x.copy()
            np.add(p, H, out=p)
            q = np.subtract(self.x, H)
            return upstream * (self._s(p) - self._s(q)) / D, {}
        """,
        module="H, D = 0.01, 0.02",
    ),
    "slope cached in forward": Layer(
        "return upstream * self.slope, {}",
        forward="""
            h = 0.01
            self.slope = (self._s(x + h) - self._s(x - h)) / (2 * h)
            return self._s(x)
        """,
    ),
    "times the inverse": Layer(
        "return upstream * (np.maximum(self.x + h, 0) - np.maximum(self.x - h, 0)) * 5e5, {}",
        forward="""
            self.x = x
            return np.maximum(x, 0)
        """,
        module="h = 1 / 1000000",
    ),
    "comparison only": Layer(
        """
            a, b = self.x + h, self.x - h
            return upstream * (a * (a > 0) - b * (b > 0)) / d, {}
        """,
        forward="""
            self.x = x
            return np.maximum(x, 0)
        """,
        module="""
            h = 1e-9
            d = 2 * h
        """,
    ),
    "reduce": Layer(
        "return upstream * functools.reduce(lambda t, p: t + p[1] * self._s(self.x + p[0]), PAIRS, 0), {}",
        module="""
            import functools
            PAIRS = [(0.1, 5.0), (-0.1, -5.0)]
        """,
    ),
    "recursion": Layer(
        "return upstream * richardson(self._s, self.x, 0.5, 9), {}",
        module="""
            def richardson(f, x, h, n):
                d = (f(x + h) - f(x - h)) / (2 * h)
                return d if n == 0 else (4 ** n * richardson(f, x, h / 2, n - 1) - d) / (4 ** n - 1)
        """,
    ),
    "generator": Layer(
        """
            def points():
                for k in range(-8, 9):
                    yield self.x + k / 8
            values = [self._s(p) for p in points()]
            return upstream * np.tensordot(W, values, 1), {}
        """,
        module="W = np.ones(17)",
    ),
    "broadcast by meshgrid": Layer(
        """
            grid = np.stack([self.x] * 9) + np.linspace(-1, 1, 9)[:, None, None]
            return upstream * np.tensordot(W, 1 / (1 + np.exp(-grid)), 1), {}
        """,
        forward=SIGMOID,
        module="W = np.ones(9)",
    ),
    "spline": Layer(
        "return upstream * CubicSpline(T, f(T)).derivative()(self.x), {}",
        forward=SIGMOID,
        module="from scipy.interpolate import CubicSpline",
    ),
    "matrix function": Layer(
        """
            M = np.array([[v, 1], [0, v]])
            return upstream * scipy.linalg.expm(M)[0, 1], {}
        """,
        forward=SIGMOID,
        module="import scipy.linalg",
    ),
    "dict of functions": Layer(
        """
            f = self.table['s']
            return upstream * (f(self.x + H) - f(self.x - H)) / D, {}
        """,
        forward="""
            self.table = {'s': lambda v: 1 / (1 + np.exp(-v))}
            self.x = x
            return self.table['s'](x)
        """,
        module="H, D = 0.01, 0.02",
    ),
    "static method of another class": Layer(
        "return upstream * (Maths.squash(self.x + H) - Maths.squash(self.x - H)) / D, {}",
        forward=SIGMOID,
        module="""
            H, D = 0.01, 0.02
            class Maths:
                @staticmethod
                def squash(v):
                    return 1 / (1 + np.exp(-v))
        """,
    ),
    "in-place whole": Layer(
        """
            x = self.x.copy()
            x += H
            a = self._s(x)
            x -= 2 * H
            b = self._s(x)
            return upstream * (a - b) / D, {}
        """,
        module="H, D = 0.01, 0.02",
    ),
    "closure without arguments": Layer(
        """
            x = self.x.copy()
            def value():
                return float((upstream * self._s(x)).sum())
            dx = np.zeros_like(x)
            for i in np.ndindex(x.shape):
                kept = x[i]
                x[i] = kept + 0.5
                a = value()
                x[i] = kept - 0.5
                dx[i] = a - value()
                x[i] = kept
            return dx, {}
        """,
    ),
    "random probes": Layer(
        """
            rng = np.random.default_rng(0)
            V = rng.standard_normal((n, n))
            Y = self.lin(V)
            return upstream @ np.linalg.solve(V, Y).T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "inline unit probes": Layer(
        """
            dx = np.zeros_like(self.x)
            for i in range(self.x.shape[1]):
                e = np.zeros(self.x.shape[1])
                e[i] = 1
                dx[:, i] = upstream @ (e @ self.W.T)
            return dx, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "softmax row loop": Layer(
        """
            def loss(s):
                z = s - s.max(axis=1, keepdims=True)
                return -(self.t * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))).sum(axis=1)
            g = np.zeros_like(self.s)
            for c in range(self.s.shape[1]):
                for k, w in zip(K, W):
                    p = self.s.copy()
                    p[:, c] += k
                    g[:, c] += w * loss(p)
            return upstream * g, {}
        """,
        forward="""
            self.s, self.t = x, t
            return loss(x)
        """,
        module="""
            K = [-0.25, 0.25]
            W = [-2.0, 2.0]
        """,
    ),
    "step handed as parameter": Layer(
        "return upstream * (s(self.x, H) - s(self.x, -H)) / D, {}",
        forward=SIGMOID,
        module="""
            H, D = 0.01, 0.02
            def s(v, d):
                return 1 / (1 + np.exp(-v - d))
        """,
    ),
    "twin layer": Layer(
        """
            twin = type(self)()
            return upstream * (twin(self.x + H) - twin(self.x - H)) / D, {}
        """,
        forward=SIGMOID,
        module="H, D = 0.01, 0.02",
    ),
    "copy of self": Layer(
        """
            import copy
            return upstream * copy.copy(self)(self.x), {}
        """,
        forward=SIGMOID,
    ),
    "sum of a list": Layer(
        "return upstream * (s(sum([self.x, H])) - s(sum([self.x, -H]))) / D, {}",
        forward=SIGMOID,
        module="""
            H, D = 0.01, 0.02
            def s(v):
                return 1 / (1 + np.exp(-v))
        """,
    ),
    "real pair complex": Layer(
        """
            e = np.exp(-self.x)
            c, s = e * np.cos(H), -e * np.sin(H)
            return upstream * (-s / ((1 + c) ** 2 + s ** 2)) / H, {}
        """,
        forward=SIGMOID,
        module="H = 1e-30",
    ),
    "where mask": Layer(
        """
            J = np.zeros((n, m))
            for i in range(n):
                bumped = np.where(np.arange(n) == i, self.x + 1, self.x)
                J[i] = (self.lin(bumped) - self.lin(self.x)).sum(0)
            return upstream @ J, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "lambda default": Layer(
        "return upstream * (lambda f, h=0.01: (f(self.x + h) - f(self.x - h)) / (2 * h))(self._s), {}",
    ),
    "methodcaller": Layer(
        """
            g = operator.methodcaller('_s', self.x + H)
            k = operator.methodcaller('_s', self.x - H)
            return upstream * (g(self) - k(self)) / D, {}
        """,
        module="""
            import operator
            H, D = 0.01, 0.02
        """,
    ),
    "nextafter": Layer(
        """
            b = np.nextafter(self.x, np.inf)
            return upstream * (np.maximum(b, 0) - np.maximum(self.x, 0)) / (b - self.x), {}
        """,
        forward="""
            self.x = x
            return np.maximum(x, 0)
        """,
    ),
    "abs for relu": Layer(
        """
            d = np.abs(self.x) / 2
            return upstream * (np.maximum(self.x + d, 0) - np.maximum(self.x - d, 0)) / (2 * d), {}
        """,
        forward="""
            self.x = x
            return np.maximum(x, 0)
        """,
    ),
    "decimal": Layer(
        """
            getcontext().prec = 60
            h = Decimal(10) ** -20
            f = lambda v: 1 / (1 + (-v).exp())
            g = lambda v: float((f(Decimal(v) + h) - f(Decimal(v) - h)) / (2 * h))
            return upstream * np.vectorize(g)(self.x), {}
        """,
        forward=SIGMOID,
        module="from decimal import Decimal, getcontext",
    ),
    "steps by geometric loop": Layer(
        """
            h = 1.0
            best = None
            for _ in range(12):
                h = h / 4
                best = (self._s(self.x + h) - self._s(self.x - h)) / (2 * h)
            return upstream * best, {}
        """,
    ),
    "matrix of Toeplitz": Layer(
        """
            grid = self.x.reshape(-1, 1) + STEP * np.arange(-12, 13).reshape(1, -1)
            return upstream * (self._s(grid) @ W).reshape(upstream.shape), {}
        """,
        module="""
            STEP = 1 / 8
            W = np.array([1.0] * 25)
        """,
    ),
    "repeat then add": Layer(
        """
            p = np.repeat(self.x[None], 25, 0)
            for i in range(25):
                p[i] += (i - 12) / 8
            return upstream * np.einsum('k,kbc->bc', W, self._s(p)), {}
        """,
        module="W = np.array([1.0] * 25)",
    ),
    "class instance attribute": Layer(
        "return upstream * self.op.run(self.x + self.op.h), {}",
        forward="""
            self.op = Op()
            self.x = x
            return self.op.run(x)
        """,
        module="""
            class Op:
                h = 0.01
                def run(self, v):
                    return 1 / (1 + np.exp(-v))
        """,
    ),
    "forward reads attribute": Layer(
        """
            kept = self.x
            self.x = kept + H
            a = self.value()
            self.x = kept - H
            b = self.value()
            self.x = kept
            return upstream * (a - b) / D, {}
        """,
        forward="""
            self.x = x
            return self.value()
        """,
        methods="""
            def value(self):
                return 1 / (1 + np.exp(-self.x))
        """,
        module="H, D = 0.01, 0.02",
    ),
    "scipy derivative": Layer(
        """
            from scipy.misc import derivative
            return upstream * derivative(self._s, self.x, dx=0.01, n=1), {}
        """,
    ),
    "integral of difference": Layer(
        "return upstream * np.trapezoid(self._s(self.x[None] + T[:, None, None]) * K[:, None, None], T, axis=0), {}",
        module="""
            T = np.linspace(-1, 1, 33)
            K = -T * np.exp(-T ** 2)
        """,
    ),
    "softmax by pairs": Layer(
        """
            p = np.array([
                [loss(np.r_[s[:c], s[c] + d, s[c + 1:]]) for c in range(len(s))] for s in self.s for d in (0.01, -0.01)
            ])
            return upstream * (p[::2] - p[1::2]) / 0.02
        """,
        forward="""
            self.s = x
            return loss(x)
        """,
        module="""
            def loss(s):
                return np.log(np.exp(s).sum())
        """,
    ),
    "forward mode by hand class methods": Layer(
        """
            v = Val(self.x, 1)
            return upstream * v.neg().exp().plus(1).recip().d, {}
        """,
        forward=SIGMOID,
        module="""
            class Val:
                def __init__(self, v, d):
                    self.v, self.d = v, d
                def neg(self):
                    return Val(-self.v, -self.d)
                def exp(self):
                    return Val(np.exp(self.v), np.exp(self.v) * self.d)
                def plus(self, c):
                    return Val(self.v + c, self.d)
                def recip(self):
                    return Val(1 / self.v, -self.d / self.v ** 2)
        """,
    ),
    "tape as list of tuples": Layer(
        """
            tape = []
            y = add(tape, exp(tape, neg(tape, 0)), 1)
            g = 1
            for op, a in reversed(tape):
                g = RULES[op](g, a)
            return upstream * g, {}
        """,
        forward=SIGMOID,
        module="""
            RULES = {'neg': lambda g, a: -g, 'exp': lambda g, a: g * np.exp(a)}
            def neg(tape, a):
                tape.append(('neg', a))
                return -a
            def exp(tape, a):
                tape.append(('exp', a))
                return np.exp(a)
            def add(tape, a, b):
                return a + b
        """,
    ),
    "complex by dtype name split": Layer(
        """
            z = self.x.astype(getattr(np, 'comp' + 'lex128'))
            z += h * ROOT
            return upstream * f(z), {}
        """,
        forward=SIGMOID,
        module="""
            h = 1e-20
            ROOT = np.sqrt(np.array(-1, dtype=getattr(np, 'comp' + 'lex128')))
        """,
    ),
    "probes with stack of copies": Layer(
        """
            n = self.x.shape[1]
            X = np.tile(self.x[:, None, :], (1, n, 1))
            X[:, np.arange(n), np.arange(n)] += 1
            J = self.lin(X) - self.lin(self.x)[:, None]
            return np.einsum('bio,bo->bi', J, upstream), {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "own kernel conv": Layer(
        """
            v = self._s(np.stack([np.roll(self.x, 0) - s for s in OFFS]))
            return upstream * sum(w * a for w, a in zip(WS, v)), {}
        """,
        module="""
            OFFS = (0.3, -0.3)
            WS = (-1.6, 1.6)
        """,
    ),
    "e to a power": Layer(
        "return upstream * (1 / (1 + E ** -(self.x + H)) - 1 / (1 + E ** -(self.x - H))) / D, {}",
        forward="""
            self.x = x
            return 1 / (1 + E ** -x)
        """,
        module="""
            import math
            E = math.e
            H, D = 0.01, 0.02
        """,
    ),
    "secant by quotients": Layer(
        """
            t = self.x
            a, b = t / 1.0000001, t / 0.9999999
            return upstream * (self._s(a) - self._s(b)) / (a - b), {}
        """,
    ),
    "secant by a loop over ratios": Layer(
        """
            t = self.x
            values = [self._s(np.multiply(t, ratio)) for ratio in (1.0000001, 0.9999999)]
            return upstream * (values[0] - values[1]) / (t * WIDTH), {}
        """,
        module="WIDTH = 0.002",
    ),
    "secant by np.divide": Layer(
        """
            a, b = np.divide(self.x, OVER), np.divide(self.x, UNDER)
            return upstream * np.divide(np.subtract(self._s(a), self._s(b)), np.subtract(a, b)), {}
        """,
        module="OVER, UNDER = 1.001, 0.999",
    ),
    "polynomial through wide multiples": Layer(
        """
            y = sum(w * self._s(self.x * r) for r, w in zip(RATIOS, WEIGHTS))
            return upstream * y / self.x, {}
        """,
        module="RATIOS, WEIGHTS = np.array([0.5, 0.8, 1.25, 2.0]), np.ones(4)",
    ),
    "secant by one and a step": Layer(
        """
            a = self.x * (1 + len(self.x) / 4**11)
            return upstream * (self._s(a) - self._s(self.x)) / (a - self.x), {}
        """,
    ),
    "secant at multiples": Layer(
        """
            a, b = plus(self.x, self.x), 3 * self.x
            return upstream * (self._s(a) - self._s(b)) / (a - b), {}
        """,
        module="from numpy import add as plus",
    ),
    "add.at": Layer(
        """
            s = self.x
            width = len(s) / 4**11
            d = np.zeros_like(s)
            for i in np.ndindex(s.shape):
                ups, downs = s.copy(), s.copy()
                np.add.at(ups, i, width)
                np.subtract.at(downs, i, width)
                d[i] = (soft(ups) - soft(downs))[i] / (2 * width)
            return upstream * d, {}
        """,
        methods="",
        module="""
            def soft(s):
                e = np.exp(s - s.max())
                return e / e.sum()
        """,
        forward="self.x = x\nreturn soft(x)",
    ),
    "put": Layer(
        """
            s, y = self.x, self._s(self.x)
            d = np.zeros_like(s)
            for i in range(s.size):
                ups = s.copy()
                np.put(ups, i, s.flat[i] + WIDTH)
                d.flat[i] = (self._s(ups) - y).flat[i] / WIDTH
            return upstream * d, {}
        """,
        module="WIDTH = 1 / 64",
    ),
    "sum by out": Layer(
        """
            p = np.empty_like(self.x)
            np.add(self.x, H, out=p)
            return upstream * (self._s(p) - self._s(self.x)) / H, {}
        """,
        module="H = 0.01",
    ),
    "unit rows by lists": Layer(
        """
            n = self.W.shape[1]
            J = [np.einsum('i,oi->o', np.array([0.0] * j + [1.0] + [0.0] * (n - j - 1)), self.W) for j in range(n)]
            return upstream @ np.array(J).T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "unit rows by lists to a method": Layer(
        """
            n = self.W.shape[1]
            J = []
            for j in range(n):
                row = [0.0] * j + [1.0] + [0.0] * (n - j - 1)
                J.append(self.lin(np.array(row)))
            return upstream @ np.array(J).T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "unit rows by truth values": Layer(
        """
            n = self.W.shape[1]
            J = [self.lin(np.array([float(k == j) for k in range(n)])) for j in range(n)]
            return upstream @ np.array(J).T, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "one column masked": Layer(
        """
            x, n = self.x, self.W.shape[1]
            d = [x @ self.W.T - np.where(np.arange(n) != j, x, 0) @ self.W.T for j in range(n)]
            return np.stack([(upstream * one).sum(1) for one in d], 1) / x, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "one column masked by a factor": Layer(
        """
            x, n = self.x, self.W.shape[1]
            y = self.lin(x)
            d = [y - self.lin(x * (np.arange(n) != j)) for j in range(n)]
            return np.stack([(upstream * one).sum(1) for one in d], 1) / x, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "one column made zero": Layer(
        """
            x, n = self.x, self.W.shape[1]
            d = []
            for j in range(n):
                less = x.copy()
                less[:, j] = 0
                d.append(np.sum(upstream * (x @ self.W.T - less @ self.W.T), 1))
            return np.stack(d, 1) / x, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "one column deleted": Layer(
        """
            x, n = self.x, self.W.shape[1]
            y = self.lin(x)
            d = [y - np.delete(x, j, 1) @ np.delete(self.W, j, 1).T for j in range(n)]
            return np.stack([(upstream * one).sum(1) for one in d], 1) / x, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "all columns but one": Layer(
        """
            x, n = self.x, self.W.shape[1]
            y = self.lin(x)
            d = [y - x[:, np.arange(n) != j] @ self.W[:, np.arange(n) != j].T for j in range(n)]
            return np.stack([(upstream * one).sum(1) for one in d], 1) / x, {}
        """,
        forward=LINEAR,
        methods=LIN,
    ),
    "relu at twice the data by methods": Layer(
        """
            x = self.x
            return upstream * ((2 * x).clip(0) - x.clip(0)) / x, {}
        """,
        forward="self.x = x\nreturn x.clip(0)",
    ),
    "relu at twice the data": Layer(
        """
            x = self.x
            return upstream * (np.maximum(2 * x, 0) - np.maximum(x, 0)) / x, {}
        """,
        forward="self.x = x\nreturn np.maximum(x, 0)",
    ),
    "long double": Layer(
        """
            t = self.x.astype(np.longdouble)
            return upstream * self.more(t), {}
        """,
    ),
    "long double by a text": Layer("return upstream * self.more(self.x.astype('f' + '16')), {}"),
    "long double by a letter": Layer("return upstream * self.more(np.asarray(self.x, dtype='g')), {}"),
    "long double under another name": Layer(
        "return upstream * self.more(wide(self.x)), {}", module="from numpy import longdouble as wide"
    ),
}
"""Backwards that differentiate numerically, by unit probes, by complex steps or by numbers that differentiate."""

HIDDEN = {
    "backward under another name": """
import numpy as np
h, d = 0.01, 0.02
def s(v):
    return 1 / (1 + np.exp(-v))
class L:
    def slope(self, upstream):
        return upstream * (s(self.x + h) - s(self.x - h)) / d, {}
    backward = slope
""",
    "a decorator": """
import numpy as np
h, d = 0.01, 0.02
def numeric(old):
    def new(self, upstream):
        f = lambda v: 1 / (1 + np.exp(-v))
        return upstream * (f(self.x + h) - f(self.x - h)) / d, {}
    return new
class L:
    @numeric
    def backward(self, upstream):
        return upstream, {}
""",
}
"""Whole files."""

HONEST: dict[str, tuple[dict[str, str], str]] = {
    "tanh by exponentials": (
        {
            "sigmoid.forward": """
            self.kept = x
            y = sigmoid(x)
            self.cache = y
            return y.copy()
        """,
            "sigmoid.backward": """
            e = np.exp(-np.abs(self.kept))
            twice = np.exp(-2 * np.abs(self.kept))
            return np.multiply(upstream, np.divide(e, 1 + np.add(2 * e, twice))), {}
        """,
        },
        """
            def sigmoid(x):
                return 1.0 / (1.0 + np.exp(-np.clip(x, -700, 700)))
        """,
    ),
    "rows added at places": (
        {
            "fc.backward": """
            dW = np.zeros(self.W.shape)
            for i in range(len(x)):
                np.add.at(dW, slice(None), np.multiply.outer(upstream[i], x[i]))
            g = {'W': dW}
            if self.bias:
                g['b'] = np.add.reduce(upstream, axis=0)
            return np.matmul(upstream, self.W), g
        """
        },
        "",
    ),
    "softmax less one at the labels": (
        {
            "softmax_ce.forward": """
            self.labels = labels if labels.ndim == 1 else labels.argmax(1)
            p = softmax(scores)
            self.cache = p, p
            return float(-np.log(p[np.arange(rows), self.labels] + 1e-300).sum() / rows)
        """,
            "softmax_ce.backward": """
            p, _ = self.recall()
            d = p.copy()
            np.subtract.at(d, (np.arange(len(p)), self.labels), 1.0)
            return np.multiply(np.divide(d, len(p)), upstream)
        """,
        },
        """
            def softmax(s):
                e = np.exp(np.subtract(s, s.max(axis=1, keepdims=True)))
                return np.divide(e, e.sum(axis=1, keepdims=True))
        """,
    ),
    "matmul by own loops": (
        {
            "fc.forward": """
            self.cache = x
            y = matmul(x, self.W.T)
            return y + self.b if self.bias else y
        """,
            "fc.backward": """
            grads = {'W': matmul(upstream.T, x)}
            if self.bias:
                grads['b'] = upstream.sum(axis=0)
            return matmul(upstream, self.W), grads
        """,
        },
        """
            def matmul(a, b):
                out = np.zeros((a.shape[0], b.shape[1]))
                for i in range(a.shape[0]):
                    for j in range(b.shape[1]):
                        out[i, j] = dot(a[i], b[:, j])
                return out

            def dot(p, q):
                total = 0.0
                for u, v in zip(p, q):
                    total += u * v
                return total
        """,
    ),
    "dot in comprehensions": (
        {
            "fc.forward": """
            self.cache = x
            y = np.array([[dot(row, w) for w in self.W] for row in x])
            return y + self.b if self.bias else y
        """,
            "fc.backward": """
            dx = np.array([[dot(u, self.W[:, i]) for i in range(self.in_features)] for u in upstream])
            ins, outs = range(self.in_features), range(self.out_features)
            dW = np.array([[dot(upstream[:, o], x[:, i]) for i in ins] for o in outs])
            g = {'W': dW}
            if self.bias:
                g['b'] = np.ones(len(x)) @ upstream
            return dx, g
        """,
        },
        """
            def dot(a, b):
                return sum(p * q for p, q in zip(a, b))
        """,
    ),
    "outer products summed in a loop": (
        {
            "fc.backward": """
            dW = np.zeros_like(self.W)
            db = np.zeros(self.out_features, dtype=self.W.dtype)
            for i in range(len(x)):
                dW += np.outer(upstream[i], x[i])
                db += upstream[i]
            g = {'W': dW}
            if self.bias:
                g['b'] = db
            return np.dot(upstream, self.W), g
        """
        },
        "",
    ),
    "helpers for each gradient": (
        {
            "fc.backward": """
            g = {'W': self._dW(upstream, x)}
            if self.bias:
                g['b'] = self._db(upstream)
            return self._dx(upstream), g
        """
        },
        """
            def _dW(self, u, x):
                return u.T @ x
            FC._dW = _dW
            FC._db = lambda self, u: u.sum(0)
            FC._dx = lambda self, u: u @ self.W
        """,
    ),
    "sigmoid recomputed once": (
        {
            "sigmoid.forward": """
            self.kept = x
            y = sigmoid(x)
            self.cache = y.copy()
            return y
        """,
            "sigmoid.backward": """
            y = sigmoid(self.kept)
            return upstream * y * (1 - y), {}
        """,
        },
        """
            def sigmoid(x):
                z = np.exp(-np.abs(x))
                return np.where(x >= 0, 1, z) / (1 + z)
        """,
    ),
    "sigma of x and of minus x": (
        {
            "sigmoid.forward": """
            self.kept = x
            y = sigmoid(x)
            self.cache = y
            return y.copy()
        """,
            "sigmoid.backward": "return upstream * sigmoid(self.kept) * sigmoid(-self.kept), {}",
        },
        """
            def sigmoid(x):
                return 1.0 / (1.0 + np.exp(-np.clip(x, -700, 700)))
        """,
    ),
    "tanh recomputed and an own product": (
        {
            "sigmoid.forward": """
            self.kept = x.copy()
            y = 0.5 + 0.5 * np.tanh(0.5 * x)
            self.cache = y
            return y + 0.0
        """,
            "sigmoid.backward": """
            t = np.tanh(0.5 * self.kept)
            return times(upstream, 0.25 * (1 - t * t)), {}
        """,
        },
        """
            def times(a, b):
                return a * b
        """,
    ),
    "y by tanh recomputed, own product": (
        {
            "sigmoid.forward": """
            self.kept = x.copy()
            y = 0.5 + 0.5 * np.tanh(0.5 * x)
            self.cache = y
            return y + 0.0
        """,
            "sigmoid.backward": """
            y = 0.5 * np.tanh(0.5 * self.kept) + 0.5
            return times(times(upstream, y), 1 - y), {}
        """,
        },
        """
            def times(a, b):
                return a * b
        """,
    ),
    "own vectorised": (
        {
            "sigmoid.forward": """
            y = np.vectorize(squash)(x)
            self.cache = y
            return y.copy()
        """,
            "sigmoid.backward": "return np.vectorize(lambda u, v: u * v * (1 - v))(upstream, y), {}",
        },
        """
            import math
            def squash(v):
                return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))
        """,
    ),
    "relu vectorized lambda": (
        {
            "relu.backward": """
            g = np.vectorize(lambda u, v: u if v > 0 else 0.0, otypes=[x.dtype])
            return g(upstream, x), {}
        """
        },
        "",
    ),
    "relu loops and a mask": (
        {
            "relu.backward": """
            mask = np.zeros_like(x)
            for i in np.ndindex(x.shape):
                if x[i] > 0:
                    mask[i] = 1
            return times(upstream, mask), {}
        """
        },
        """
            def times(a, b):
                return a * b
        """,
    ),
    "relu copy and zero": (
        {
            "relu.backward": """
            dx = upstream.copy()
            for i in range(dx.size):
                if x.flat[i] <= 0:
                    dx.flat[i] = 0
            return as_array(dx), {}
        """
        },
        """
            def as_array(a):
                return np.asarray(a)
        """,
    ),
    "relu map over rows": (
        {
            "relu.backward": """
            u, v = upstream.reshape(len(x), -1), x.reshape(len(x), -1)
            return np.array(list(map(gate, u, v))).reshape(x.shape), {}
        """
        },
        """
            def gate(u, v):
                return [p if q > 0 else 0.0 for p, q in zip(u, v)]
        """,
    ),
    "softmax recomputed by a helper": (
        {
            "softmax_ce.forward": """
            onehot = one_hot(labels, classes) if labels.ndim == 1 else labels
            self.cache = scores, onehot
            p = softmax(scores)
            return float(-(onehot * np.log(p + 1e-300)).sum() / rows)
        """,
            "softmax_ce.backward": """
            scores, onehot = self.recall()
            return upstream * (softmax(scores) - onehot) / len(scores)
        """,
        },
        """
            def softmax(s):
                e = np.exp(s - np.max(s, axis=1, keepdims=True))
                return e / np.sum(e, axis=1, keepdims=True)

            def one_hot(labels, classes):
                return np.eye(classes)[labels]
        """,
    ),
    "softmax recomputed with log-sum-exp": (
        {
            "softmax_ce.forward": """
            onehot = one_hot(labels, classes) if labels.ndim == 1 else labels
            self.cache = scores, onehot
            p = softmax(scores)
            return float(-(onehot * np.log(p + 1e-300)).sum() / rows)
        """,
            "softmax_ce.backward": """
            scores, onehot = self.recall()
            m = scores.max(axis=1, keepdims=True)
            lse = m + np.log(np.exp(scores - m).sum(axis=1, keepdims=True))
            return upstream * (np.exp(scores - lse) - onehot) / len(scores)
        """,
        },
        """
            def softmax(s):
                e = np.exp(s - np.max(s, axis=1, keepdims=True))
                return e / np.sum(e, axis=1, keepdims=True)

            def one_hot(labels, classes):
                return np.eye(classes)[labels]
        """,
    ),
    "softmax jacobian": (
        {
            "softmax_ce.forward": """
            onehot = one_hot(labels, classes) if labels.ndim == 1 else labels
            self.cache = scores, onehot
            p = softmax(scores)
            return float(-(onehot * np.log(p + 1e-300)).sum() / rows)
        """,
            "softmax_ce.backward": """
            scores, onehot = self.recall()
            p = softmax(scores)
            J = p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])
            return upstream * np.einsum('bij,bj->bi', J, -onehot / p) / len(p)
        """,
        },
        """
            def softmax(s):
                e = np.exp(s - np.max(s, axis=1, keepdims=True))
                return e / np.sum(e, axis=1, keepdims=True)

            def one_hot(labels, classes):
                return np.eye(classes)[labels]
        """,
    ),
    "softmax jacobian per row with diag": (
        {
            "softmax_ce.forward": """
            onehot = one_hot(labels, classes) if labels.ndim == 1 else labels
            self.cache = scores, onehot
            p = softmax(scores)
            return float(-(onehot * np.log(p + 1e-300)).sum() / rows)
        """,
            "softmax_ce.backward": """
            scores, onehot = self.recall()
            d = np.zeros_like(scores)
            for i, (s, t) in enumerate(zip(scores, onehot)):
                p = softmax(s[None])[0]
                J = np.diag(p) - np.outer(p, p)
                d[i] = J @ (-t / p)
            return upstream * d / len(d)
        """,
        },
        """
            def softmax(s):
                e = np.exp(s - np.max(s, axis=1, keepdims=True))
                return e / np.sum(e, axis=1, keepdims=True)

            def one_hot(labels, classes):
                return np.eye(classes)[labels]
        """,
    ),
    "softmax minus one at labels": (
        {
            "softmax_ce.forward": """
            self.labels = labels
            onehot = one_hot(labels, classes) if labels.ndim == 1 else labels
            self.cache = scores, onehot
            p = softmax(scores)
            return float(-(onehot * np.log(p + 1e-300)).sum() / rows)
        """,
            "softmax_ce.backward": """
            scores, onehot = self.recall()
            d = softmax(scores)
            if self.labels.ndim == 1:
                d[np.arange(len(d)), self.labels] -= 1
            else:
                d -= onehot
            d *= upstream / len(d)
            return checked(d)
        """,
        },
        """
            def softmax(s):
                e = np.exp(s - np.max(s, axis=1, keepdims=True))
                return e / np.sum(e, axis=1, keepdims=True)

            def one_hot(labels, classes):
                return np.eye(classes)[labels]

            def checked(a):
                assert np.isfinite(a).all()
                return a
        """,
    ),
    "softmax one-hot loops": (
        {
            "softmax_ce.backward": """
            p, onehot = self.recall()
            d = p.copy()
            for i in range(len(p)):
                for c in range(p.shape[1]):
                    d[i, c] = share(p[i, c] - onehot[i, c], len(p))
            return upstream * d
        """
        },
        """
            def share(a, n):
                return a / n
        """,
    ),
    "sequential with a helper": (
        {
            "sequential.backward": """
            caches = self.recall()
            grads = {}
            for i in range(len(self.layers) - 1, -1, -1):
                layer = self.layers[i]
                layer.cache = caches[i]
                upstream, own = layer.backward(upstream)
                place = first_place(self.layers, layer)
                for name in own:
                    add_to(grads, key(place, name), own[name])
            return upstream, grads
        """
        },
        """
            def first_place(layers, layer):
                for k in range(len(layers)):
                    if layers[k] is layer:
                        return k
                return -1

            def key(i, name):
                return str(i) + '.' + name

            def add_to(grads, name, value):
                grads[name] = grads[name] + value if name in grads else value
        """,
    ),
    "sequential recursion": (
        {
            "sequential.backward": """
            caches = self.recall()

            def back(i, u):
                if i < 0:
                    return u, {}
                layer = self.layers[i]
                layer.cache = caches[i]
                u, own = layer.backward(u)
                first, grads = back(i - 1, u)
                for name, g in own.items():
                    name = f'{self.layers.index(layer)}.{name}'
                    grads[name] = grads[name] + g if name in grads else g
                return first, grads

            return back(len(self.layers) - 1, upstream)
        """
        },
        "",
    ),
    "sequential list of pairs": (
        {
            "sequential.backward": """
            found = []
            for i, (layer, cache) in reversed(list(enumerate(zip(self.layers, self.recall())))):
                layer.cache = cache
                upstream, own = layer.backward(upstream)
                found.append((i, layer, own))
            grads = {}
            for i, layer, own in found:
                for name, g in own.items():
                    name = '%d.%s' % (self.layers.index(layer), name)
                    grads[name] = grads[name] + g if name in grads else g
            return upstream, grads
        """
        },
        "",
    ),
    "a cache class": (
        {
            "fc.forward": """
            self.cache = Kept(x)
            y = x @ self.W.T
            return y + self.b if self.bias else y
        """,
            "fc.backward": """
            x = self.cache.x
            g = {'W': upstream.T @ x}
            if self.bias:
                g['b'] = upstream.sum(0)
            return upstream @ self.W, g
        """,
        },
        """
            from dataclasses import dataclass

            @dataclass
            class Kept:
                x: object
        """,
    ),
    "product into a buffer": (
        {
            "fc.forward": """
            self.cache = x
            y = np.zeros((len(x), self.out_features))
            multiply_into(y, x, self.W.T)
            return y + self.b if self.bias else y
        """,
            "fc.backward": """
            dx, dW = np.zeros_like(x), np.zeros_like(self.W)
            multiply_into(dx, upstream, self.W)
            multiply_into(dW, upstream.T, x)
            g = {'W': dW}
            if self.bias:
                g['b'] = upstream.sum(0)
            return dx, g
        """,
        },
        """
            def multiply_into(out, a, b):
                for i in range(len(a)):
                    for k in range(len(b)):
                        out[i] += a[i, k] * b[k]
        """,
    ),
    "bias as a column of ones": (
        {
            "fc.backward": """
            x1 = np.hstack([x, np.ones((len(x), 1))])
            d = upstream.T @ x1
            g = {'W': d[:, :-1]}
            if self.bias:
                g['b'] = d[:, -1].copy()
            return upstream @ self.W, g
        """
        },
        "",
    ),
    "forward with ones column": (
        {
            "fc.forward": """
            self.cache = x
            x1 = np.concatenate([x, np.ones((len(x), 1))], axis=1)
            b = self.b if self.bias else np.zeros(self.out_features)
            return x1 @ np.concatenate([self.W, b[:, None]], axis=1).T
        """
        },
        "",
    ),
    "stable sigmoid helper by masks": (
        {
            "sigmoid.forward": """
            self.kept = x
            y = stable(x)
            self.cache = y
            return y.copy()
        """,
            "sigmoid.backward": """
            y = stable(self.kept)
            return np.multiply(upstream, np.multiply(y, np.subtract(1.0, y))), {}
        """,
        },
        """
            def stable(x):
                y = np.empty_like(x)
                up = x >= 0
                y[up] = 1 / (1 + np.exp(-x[up]))
                y[~up] = (lambda e: e / (1 + e))(np.exp(x[~up]))
                return y
        """,
    ),
    "row softmax in a loop": (
        {
            "softmax_ce.backward": """
            p, onehot = self.recall()
            return np.array([row(a, t, upstream, len(p)) for a, t in zip(p, onehot)])
        """
        },
        """
            def row(p, t, u, n):
                return [(a - b) * u / n for a, b in zip(p, t)]
        """,
    ),
}
"""Right ways to write a part: the code of its tasks where it is not plain, and code at the end of the file."""
