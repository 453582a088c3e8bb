"""What looks like a derivative that was found numerically, or by numbers that differentiate themselves.

Of the code that forward and backward reach by name:

complex     complex numbers, and what makes them of real ones
precision   numbers of more than double precision, of which differences are as exact as derivatives
arithmetic  a class with an arithmetic of its own, functions kept in a list: dual numbers, a tape
library     what interpolates, expands in polynomials, solves for weights or takes differences
forward     backward calls forward, or the layer itself
difference  functions called at shifted points or unit vectors, divisions by a small step: see differences.py
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from handgrad.grading.review.bindings import Function, TooInvolved, Work, name_of, root_of, shown, word_of, words
from handgrad.grading.review.differences import Differences
from handgrad.grading.review.origins import Kind, Origins

FORWARDS = words("forward predict __call__")
COMPLEX = words("""
    complex64 complex128 complex256 cdouble csingle clongdouble cfloat singlecomplex complexfloating iscomplexobj
    iscomplex isrealobj real_if_close conj emath scimath fft ifft rfft irfft roots polyroots eigvals hilbert sctypeDict
    typecodes lambertw angle sctypes typeDict ScalarType
""")
COMPLEX_NUMBER = r"[-+\d.e]*[\d.]j"
COMPLEX_TEXT = words("""
    complex complex64 complex128 complex256 cdouble csingle c8 c16 c32 D G <c8 <c16 =c8 =c16 >c8 >c16
""")
COMPLEX_TYPES = COMPLEX_TEXT | words("F <F =F >F")
PRECISE = words("longdouble float96 float128 longfloat longcomplex clongdouble complex192 complex256 float80")
PRECISE_TEXT = words("""
    longdouble float96 float128 longfloat longcomplex clongdouble complex192 complex256 f12 f16 <f12 <f16 =f12 =f16
    >f16 |f16 c24 c32
""")
PRECISE_TYPES = PRECISE_TEXT | words("g G <g =g >g")
TYPED = words("dtype astype view array asarray zeros ones full empty")
MADE_TEXT = words("join chr bytes bytearray decode format replace str strip lower upper")
PRECISE_PACKAGES = words("decimal fractions mpmath gmpy2")
LIBRARY = words("""
    solve inv pinv lstsq tensorsolve tensorinv vander polyfit polyval polyder polymul poly1d polynomial Polynomial
    gradient diff ediff1d interp convolve matrix_power eig eigh expm expm_frechet logm sqrtm funm approx_fprime
    fractional_matrix_power interpolate differentiate derivative nextafter spacing
""")
ARITHMETIC = frozenset(
    f"__{prefix}{name}__"
    for prefix in ("", "r", "i")
    for name in ("add", "sub", "mul", "truediv", "matmul", "pow", "neg")
)


MOST_NODES = 20_000
"""So many nodes a file has that is followed; those handed in have a tenth of them."""


def numeric(tree: ast.Module, work: Work) -> Iterator[tuple[int, str]]:
    """What stands out in the file, each with its line. TooInvolved where it cannot be followed to its end."""
    size = sum(1 for _ in islice(ast.walk(tree), MOST_NODES))
    work.spend(size)
    if size == MOST_NODES:
        raise TooInvolved
    tree = Aliases(tree, work).visit(tree)
    origins = Origins(ast.fix_missing_locations(Operators(tree).visit(tree)), work)
    backward = _reached(origins, {"backward"})
    hooks = {name for name in origins.functions if name.startswith("__")}
    forward = [function for function in _reached(origins, {"forward", *hooks}) if function not in set(backward)]
    functions = {function for same in origins.functions.values() for function in same}
    idle = _nodes(functions - {*backward, *forward}, work) - _nodes([*backward, *forward], work)
    for node in origins.place:
        if node not in idle:
            for what in (
                *_complex(node, origins),
                *_precise(node, origins),
                *_arithmetic(node, origins),
                *_library(node, origins),
            ):
                yield getattr(node, "lineno", 1), what
    for function in backward:
        via = "" if getattr(function, "name", "") == "backward" else f" (in {_called(function)})"
        for node in work.walk(function):
            yield from ((getattr(node, "lineno", 1), f"backward {what}{via}") for what in _forward(node))
    differences = Differences(origins)
    behind = _nodes(backward, work)
    for who, nodes in (("backward", behind), ("forward", _nodes(forward, work) - behind)):
        yield from ((line, f"{who} {what}") for line, what in differences.found(nodes, who == "backward"))


class Aliases(ast.NodeTransformer):
    """Writes np.exp for a name that is bound to it and to nothing else, and likewise for an attribute of self."""

    def __init__(self, tree: ast.Module, work: Work) -> None:
        self.work = work
        nodes = list(ast.walk(tree))
        imported = {
            alias.asname or alias.name.split(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        bound = Counter(_stored(node) for node in nodes)
        self.meant: dict[str, ast.expr] = {}
        for node in nodes:
            if isinstance(node, ast.Assign):
                for target, value in _pairs(node):
                    name = _stored(target)
                    if name and bound[name] == 1 and root_of(value) in imported and name_of(value) != root_of(value):
                        self.meant[name] = value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        meant = self.meant.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return node if meant is None else self._copied(meant, node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if not (_is_of_self(node) and isinstance(node.ctx, ast.Load)):
            return self.generic_visit(node)
        meant = self.meant.get(f"self.{node.attr}") or self.meant.get(node.attr)  # bound in the class's body
        return node if meant is None else self._copied(meant, node)

    def _copied(self, meant: ast.expr, node: ast.expr) -> ast.expr:
        """The dotted name again, where `node` stands."""
        self.work.spend(3)
        if isinstance(meant, ast.Attribute):
            copied: ast.expr = ast.Attribute(self._copied(meant.value, node), meant.attr, ast.Load())
        else:
            copied = ast.Name(name_of(meant), ast.Load())
        return ast.copy_location(copied, node)


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is bound to what, the parts of tuples one by one."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _stored(node: ast.AST) -> str:
    """The name that the node binds, self.name for an attribute; "" where it binds none."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return f"self.{node.attr}" if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) else ""


def _is_of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


OPERATORS: dict[str, ast.operator] = {
    "add": ast.Add(),
    "subtract": ast.Sub(),
    "sub": ast.Sub(),
    "multiply": ast.Mult(),
    "mul": ast.Mult(),
    "divide": ast.Div(),
    "true_divide": ast.Div(),
    "truediv": ast.Div(),
}


class Operators(ast.NodeTransformer):
    """Writes np.multiply(a, b) and its like as operators, which the rules are about."""

    def __init__(self, tree: ast.Module) -> None:
        self.imported = {
            alias.asname or alias.name.split(".")[0]: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            and (getattr(node, "module", None) or node.names[0].name).split(".")[0] in ("numpy", "operator")
            for alias in node.names
        }

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=function, args=[left, right]) if root_of(function) in self.imported:
                name = name_of(function)
                op = OPERATORS.get(self.imported[name] if isinstance(function, ast.Name) else name)
                is_changed = any(word.arg not in ("dtype", "casting") for word in node.keywords)
                if op is not None and not is_changed and not isinstance(left, ast.Starred):
                    return ast.copy_location(ast.BinOp(left, op, right), node)
        return node


def _nodes(functions: Iterable[Function], work: Work) -> set[ast.AST]:
    found: set[ast.AST] = set()
    for function in functions:
        if function not in found:
            found.update(work.walk(function))
    return found


def _called(function: Function) -> str:
    return getattr(function, "name", "a lambda")


def _reached(origins: Origins, start: set[str]) -> list[Function]:
    """The functions named so, and those that they name, call or not, under any of their names."""
    seen = {"forward", "backward", *start}
    names = sorted(start)
    reached: dict[Function, None] = {}
    for name in names:  # which grows as it is walked over
        functions = origins.functions.get(name, [])
        reached.update(dict.fromkeys(functions))
        other_names = [
            value
            for key in ((None, name), ("self", name))
            for binding in origins.bound.get(key, [])
            if (value := binding.value) is not None and _hands_on(value, origins)
        ]
        for node in (node for body in (*functions, *other_names) for node in origins.work.walk(body)):
            word = word_of(node)
            if word and word not in seen:
                seen.add(word)
                names.append(word)
    return list(reached)


def _hands_on(value: ast.expr, origins: Origins) -> bool:
    """Whether a function of the file is named in it without being called."""
    nodes = list(origins.work.walk(value))
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    return any(
        isinstance(node, ast.Lambda) or (node not in called and word_of(node) in origins.functions) for node in nodes
    )


def _of_library(node: ast.AST, origins: Origins) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and origins.package(node) != ""


def _complex(node: ast.AST, origins: Origins) -> Iterator[str]:
    match node:
        case ast.Constant(value=complex()):
            is_complex = True
        case ast.Constant(value=str() as text):
            is_complex = text in COMPLEX_TEXT or re.fullmatch(COMPLEX_NUMBER, text) is not None
        case ast.Name(id="complex") | ast.Attribute(attr="imag" | "conjugate"):
            is_complex = True
        case ast.ImportFrom():
            is_complex = any(alias.name in COMPLEX for alias in node.names)
        case ast.BinOp(op=ast.Pow()):
            is_complex = _is_root_of_negative(node.left, node.right, origins)
        case ast.Call(args=[base, exponent]) if name_of(node.func) in ("pow", "__pow__"):
            is_complex = _is_root_of_negative(base, exponent, origins)
        case (
            ast.Call(func=ast.Attribute(attr="view"), args=[kind, *_])
            | ast.Call(func=ast.Attribute(attr="view"), keywords=[ast.keyword(value=kind), *_])
        ):
            is_complex = name_of(kind) not in ("ndarray", "matrix")
        case ast.Attribute(attr="types"):
            yield "looks up the types of a function of NumPy, complex ones among them"
            is_complex = False
        case ast.Call():
            types = _types(node)
            is_complex = any(text_of(one) in COMPLEX_TYPES for one in types)
            if any(map(_is_made, types)):
                yield "asks for a type by a computed text"
        case _:
            is_complex = _of_library(node, origins) and word_of(node) in COMPLEX
    if is_complex:
        yield "computes with complex numbers"


def _precise(node: ast.AST, origins: Origins) -> Iterator[str]:
    match node:
        case ast.Constant(value=str()) | ast.BinOp(op=ast.Add()):
            is_precise = text_of(node) in PRECISE_TEXT
        case ast.Call():
            is_precise = any(text_of(one) in PRECISE_TYPES for one in _types(node))
        case ast.Import():
            is_precise = any(alias.name.split(".")[0] in PRECISE_PACKAGES for alias in node.names)
        case ast.ImportFrom(level=0):
            is_precise = (node.module or "").split(".")[0] in PRECISE_PACKAGES
            is_precise = is_precise or any(alias.name in PRECISE for alias in node.names)
        case _:
            is_precise = word_of(node) in PRECISE and _of_library(node, origins)
    if is_precise:
        yield "computes with more than double precision"


def _types(call: ast.Call) -> list[ast.expr]:
    """What may be the type that an array is asked to have."""
    named = [word.value for word in call.keywords if word.arg == "dtype"]
    return named + (call.args[:3] if name_of(call.func) in TYPED else [])


def _is_made(node: ast.expr) -> bool:
    """Whether it is a text that is made of other things than texts that are written out."""
    match node:
        case ast.JoinedStr():
            return True
        case ast.Call():
            return name_of(node.func) in MADE_TEXT
        case ast.BinOp(op=ast.Add(), left=left, right=right) if not text_of(node):
            return any(_is_made(side) or word_of(side) == text_of(side) != "" for side in (left, right))
    return False


def text_of(node: ast.expr, depth: int = 9) -> str:
    """The text that constants are added up to; "" for any other expression."""
    if depth and isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        right = text_of(node.right, depth - 1)
        left = text_of(node.left, depth - 1) if right else ""
        return left + right if left else ""
    return word_of(node) if isinstance(node, ast.Constant) else ""


def _is_root_of_negative(base: ast.expr, exponent: ast.expr, origins: Origins) -> bool:
    low, power = origins.number(base), origins.number(exponent)
    is_minus = isinstance(base, ast.UnaryOp) and isinstance(base.op, ast.USub) and origins.kind(base) != Kind.DATA
    return (is_minus or (low is not None and low < 0)) and power is not None and not power.is_integer()


def _arithmetic(node: ast.AST, origins: Origins) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and node.name in ARITHMETIC:
        yield f"defines its own numbers: {node.name}"
    elif word_of(node) in ARITHMETIC:
        yield f"defines its own numbers, or uses {word_of(node)}"
    elif isinstance(node, ast.ClassDef) and _returns_own_kind(node, origins.work):
        yield f"defines its own numbers: methods of {node.name} make new ones"
    elif isinstance(node, ast.Call) and name_of(node.func) in ("append", "push", "insert", "appendleft"):
        for argument in node.args:
            parts = argument.elts if isinstance(argument, ast.Tuple | ast.List) else [argument]
            if any(isinstance(part, ast.Lambda) or name_of(part) in origins.functions for part in parts):
                yield "keeps a list of functions, as a tape does"


def _returns_own_kind(node: ast.ClassDef, work: Work) -> bool:
    """Whether two methods or more return a new one of the class, as those of numbers do."""
    return sum(any(_is_new(part, node.name) for part in work.walk(method)) for method in node.body) > 1


def _is_new(node: ast.AST, name: str) -> bool:
    """Whether it returns a new one of the class: name(...), type(self)(...), self.__class__(...)."""
    match node:
        case ast.Return(value=ast.Call(func=ast.Name(id=called))):
            return called == name
        case ast.Return(value=ast.Call(func=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id="self")]))):
            return True
        case ast.Return(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="__class__"))):
            return True
    return False


def _library(node: ast.AST, origins: Origins) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        named = {word for alias in node.names for word in alias.name.split(".")}
        named |= set((getattr(node, "module", None) or "").split("."))
        if named & LIBRARY and not getattr(node, "level", 0):
            yield f"imports {sorted(named & LIBRARY)[0]}, which helps to differentiate numerically"
    elif isinstance(node, ast.Attribute) and (
        node.attr in ("deriv", "derivative") or (node.attr in LIBRARY and _of_library(node, origins))
    ):
        yield f"uses {shown(node)}, which helps to differentiate numerically"
    elif isinstance(node, ast.Call) and name_of(node.func) == "getattr" and _is_put_together(node, origins):
        yield f"puts a name together: {shown(node)}"


def _is_put_together(call: ast.Call, origins: Origins) -> bool:
    """Whether a library is asked for a name that is not written out."""
    return len(call.args) > 1 and _of_library(call.args[0], origins) and not isinstance(call.args[1], ast.Constant)


def _forward(node: ast.AST) -> Iterator[str]:
    if word_of(node) in FORWARDS:
        yield f"calls {word_of(node)}"
    elif isinstance(node, ast.Call) and _has_bare_self(node.func):
        yield "calls forward"


def _has_bare_self(function: ast.expr) -> bool:
    """Whether it is the layer itself that is called, or a copy of it: self(x), copy(self)(x)."""
    if isinstance(function, ast.Call):
        return any(isinstance(node, ast.Name) and node.id == "self" for node in function.args)
    return isinstance(function, ast.Name) and function.id == "self"
