"""What the names of a file are bound to, read off its syntax tree whatever the order of the statements.

A name stands for all that is bound to it in its function, an attribute of `self` for all that the file binds to it,
a parameter for what the file's own calls hand over.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

import numpy

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Key: TypeAlias = tuple[ast.AST | str | None, str]
"""A name with the function it belongs to (None: the module); an attribute with "self"; (a function, "return")."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LIBRARIES = words("numpy scipy math operator functools itertools random")
PACKAGES = {"np": "numpy", "numpy": "numpy", "scipy": "scipy"}
"""Under which names other modules hold a package."""
ALL_NAMES = {module.__name__: frozenset(dir(module)) for module in (numpy, math, operator)}
"""What `from numpy import *` gives, and more."""
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
CALLED_FROM_OUTSIDE = words("forward backward __init__ __call__")
MOST_WORK = 200_000
"""So many looks at a node are taken in one file; those handed in take a twentieth of it."""
MOST_SHOWN = 40
"""So many nodes an expression has that is told as it is written."""
MOST_TEXT = 200
MOST_DOTS = 8


class TooInvolved(Exception):
    """The code was made so that following it would take too long."""


class Work:
    """What may still be looked at, so that no file keeps the reader busy: TooInvolved when it is used up."""

    def __init__(self) -> None:
        self.left = MOST_WORK

    def spend(self, count: int = 1) -> None:
        self.left -= count
        if self.left < 0:
            raise TooInvolved

    def walk(self, node: ast.AST) -> Iterator[ast.AST]:
        """ast.walk, of what may still be looked at."""
        for part in ast.walk(node):
            self.spend()
            yield part


@dataclass(frozen=True)
class Binding:
    """One thing that a name is bound to, or that is put into it."""

    value: ast.expr | None
    """None for what only the caller knows."""
    index: ast.expr | None = None
    """The place it is put at, if it is put into an array."""
    tests: tuple[ast.expr, ...] = ()
    """The conditions it is put there under."""
    added: bool = False
    """Whether it is added or subtracted in place."""


@dataclass(frozen=True)
class Place:
    """Where a node stands."""

    unit: ast.AST | None = None
    """The function or method of the module's top; what is nested in one belongs to it."""
    loops: tuple[ast.AST, ...] = ()
    tests: tuple[ast.expr, ...] = ()
    is_class_body: bool = False


class Bindings:
    """The names, functions and imports of a file."""

    def __init__(self, tree: ast.Module, work: Work) -> None:
        self.work = work
        self.place: dict[ast.AST, Place] = {}
        self.imported: dict[str, str] = {}
        """The package that each imported name is from."""
        self.functions: dict[str, list[Function]] = {}
        """The file's functions under every name they are given; a class has none of its own."""
        self.bound: dict[Key, list[Binding]] = {}
        self.packages: dict[Key, str] = {}
        """The package of which a name is bound to something, as N of N = np."""
        self._all_of: list[str] = []
        for node in self._placed(tree):
            self._bind(node)
        for node in self.place:
            if isinstance(node, ast.Call):
                self._hand_over(node)
        for node in self.place:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                self._bind_rest(node)
        for module in self._all_of:
            self.imported |= {name: module for name in ALL_NAMES.get(module, ()) if name not in self.functions}
        self._follow_packages()

    def key(self, node: ast.expr) -> Key | None:
        """Under which key `bound` holds a name or attribute; None if it holds nothing of it."""
        key: Key | None = None
        if isinstance(node, ast.Name):
            key = (self.place[node].unit, node.id)
            key = key if key in self.bound else (None, node.id)
        elif isinstance(node, ast.Attribute) and name_of(node.value) not in self.imported:
            key = ("self", node.attr)
        return key if key in self.bound else None

    def bindings(self, node: ast.expr) -> list[Binding]:
        """What a name or an attribute is bound to; nothing for any other expression."""
        key = self.key(node)
        return self.bound[key] if key else []

    def definition(self, node: ast.expr) -> ast.expr | None:
        """What a name that is bound once in its function is bound to."""
        bindings = self.bindings(node) if isinstance(node, ast.Name) else []
        return bindings[0].value if len(bindings) == 1 and bindings[0].index is None else None

    def is_library(self, node: ast.expr) -> bool:
        """Whether it is a function of NumPy, SciPy or the standard library: np.exp, an imported exp, abs."""
        package = self.package(node)
        if package:
            return package in LIBRARIES
        return isinstance(node, ast.Name) and node.id not in self.functions and hasattr(builtins, node.id)

    def package(self, node: ast.AST) -> str:
        """The package that a dotted name is of, whatever it is called in the file; "" if of none."""
        while isinstance(node, ast.Attribute):
            if node.attr in PACKAGES:
                return PACKAGES[node.attr]
            key = self.key(node) if self.packages else None
            if key in self.packages:
                return self.packages[key]
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        if node.id in self.imported:
            return self.imported[node.id]
        return self.packages.get(self.key(node) or (None, ""), "")

    def _follow_packages(self) -> None:
        """Finds the names that are bound to a package or a part of it, and those bound to these in turn."""
        dotted = [
            (key, binding.value)
            for key, bindings in self.bound.items()
            for binding in bindings
            if isinstance(binding.value, ast.Name | ast.Attribute)
        ]
        is_new = True
        while is_new:
            self.work.spend(len(dotted))
            found = {key: package for key, value in dotted if (package := self.package(value))}
            is_new = found.keys() != self.packages.keys()
            self.packages = found

    def _placed(self, tree: ast.Module) -> Iterator[ast.AST]:
        """All nodes, each after its place is known."""
        stack: list[tuple[ast.AST, Place]] = [(tree, Place())]
        while stack:
            node, place = stack.pop()
            self.work.spend()
            self.place[node] = place
            yield node
            inner = place
            if isinstance(node, ast.ClassDef):
                inner = replace(place, is_class_body=place.unit is None)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = replace(place, unit=place.unit or node, is_class_body=False)
            elif isinstance(node, ast.If | ast.While | ast.IfExp):
                inner = replace(place, tests=(*place.tests, node.test))
            if isinstance(node, LOOPS):
                inner = replace(inner, loops=(*place.loops, node))
            for child in ast.iter_child_nodes(node):
                is_outside = isinstance(node, ast.For | ast.comprehension) and child is node.iter
                around = place.loops[:-1] if isinstance(node, ast.comprehension) else place.loops
                stack.append((child, replace(inner, loops=around) if is_outside else inner))

    def _bind(self, node: ast.AST) -> None:
        place = self.place[node]
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._define(node.name, node)
            case ast.ClassDef():
                self.functions.setdefault(node.name, [])
            case ast.Import():
                for alias in node.names:
                    self.imported[alias.asname or alias.name.split(".")[0]] = alias.name.split(".")[0]
            case ast.ImportFrom():
                for alias in node.names:
                    package = "handgrad" if node.level else (node.module or "").split(".")[0]
                    self.imported[alias.asname or alias.name] = PACKAGES.get(alias.name, package)
                    self._all_of += [node.module or ""] if alias.name == "*" else []
            case ast.Assign():
                for target in node.targets:
                    self._put(target, node.value, place)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self._put(target, value, place)
            case ast.AugAssign():
                self._put(node.target, node.value, place, isinstance(node.op, ast.Add | ast.Sub))
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._put(node.target, node.iter, place)
            case ast.withitem(optional_vars=ast.expr() as target):
                self._put(target, node.context_expr, place)
            case ast.Call(func=ast.Attribute(value=target, attr="append" | "extend" | "insert"), args=[*_, value]):
                self._put(target, value, place)
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=op), attr="at"), args=[target, index, value]):
                put = ast.Subscript(target, index, ast.Store())  # np.add.at(target, index, value)
                self._put(put, value, place, op in ("add", "subtract"))
            case ast.Call(keywords=[*_, ast.keyword(arg="out", value=target)]):
                is_sum = name_of(node.func) in ("add", "subtract") and len(node.args) == 2
                value = ast.BinOp(node.args[0], ast.Add(), node.args[1]) if is_sum else node
                self._put(target, value, place)
            case ast.Call(func=ast.Attribute(attr="put"), args=[target, index, value, *_]):
                self._put(ast.Subscript(target, index, ast.Store()), value, place)
            case ast.Call(
                func=ast.Attribute(attr="putmask" | "place" | "put_along_axis"), args=[target, index, value, *_]
            ):
                self._put(ast.Subscript(target, index, ast.Store()), value, place)
            case ast.Call(func=ast.Attribute(attr="fill_diagonal"), args=[target, value, *_]):
                self._put(ast.Subscript(target, value, ast.Store()), value, place)
            case ast.Call(func=ast.Attribute(attr="copyto"), args=[target, value, *_]):
                where = next((word.value for word in node.keywords if word.arg == "where"), None)
                self._put(target if where is None else ast.Subscript(target, where, ast.Store()), value, place)
            case ast.Call(func=ast.Attribute(value=target, attr="__setitem__" | "put"), args=[index, value]):
                self._put(ast.Subscript(target, index, ast.Store()), value, place)
            case ast.Call(func=ast.Attribute(value=target, attr="__iadd__" | "__isub__"), args=[value]):
                self._put(target, value, place, added=True)
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str() as name), value]):
                self._put(ast.Attribute(ast.Name("self", ast.Load()), name, ast.Store()), value, place)

    def _put(self, target: ast.expr, value: ast.expr, place: Place, added: bool = False) -> None:
        """Binds what stands left of an assignment, or runs over a loop's values."""
        if isinstance(target, ast.Tuple | ast.List):
            for part, given in zip(target.elts, _parts(value, len(target.elts)), strict=False):
                self._put(part, given, place, added)
            return
        binding = Binding(value, added=added)
        while isinstance(target, ast.Subscript | ast.Starred):
            if isinstance(target, ast.Subscript):
                binding = Binding(value, target.slice, place.tests, added)
            target = target.value
            if isinstance(target, ast.Attribute) and target.attr == "flat":
                target = target.value
        if isinstance(target, ast.Name) and not place.is_class_body:
            self._add((place.unit, target.id), binding)
        elif isinstance(target, ast.Name | ast.Attribute):
            self._add(("self", name_of(target)), binding)
        if isinstance(value, ast.Lambda):
            self._define(name_of(target), value)

    def _add(self, key: Key, binding: Binding) -> None:
        self.work.spend()
        self.bound.setdefault(key, []).append(binding)

    def _define(self, name: str, function: Function) -> None:
        self.functions.setdefault(name, []).append(function)

    def _hand_over(self, call: ast.Call) -> None:
        """Binds the parameters of the file's functions to what the call gives them."""
        functions = self.functions.get(name_of(call.func), [])
        for called in [call.func] if isinstance(call.func, ast.Lambda) else functions:
            self.work.spend(1 + len(call.args))
            names = [argument.arg for argument in (*called.args.posonlyargs, *called.args.args)]
            if names[:1] in (["self"], ["cls"]) and not (call.args and name_of(call.args[0]) == names[0]):
                names = names[1:]
            given = [*zip(names, call.args, strict=False)]
            given += [(word.arg, word.value) for word in call.keywords if word.arg]
            for name, value in given:
                self._add((self._inside(called), name), Binding(value))
        for function in (argument for argument in call.args if isinstance(argument, ast.Lambda)):
            for parameter in function.args.args:  # as in map(lambda k: ..., K)
                for value in (other for other in call.args if other is not function):
                    self._add((self._inside(function), parameter.arg), Binding(value))

    def _bind_rest(self, function: Function) -> None:
        """Binds the parameters that no call of the file gives to their defaults, or to what only callers know."""
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = dict(zip((one.arg for one in positional[::-1]), arguments.defaults[::-1], strict=False))
        keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        defaults |= {one.arg: default for one, default in keywords if default}
        name = getattr(function, "name", "")
        others = [one for one in (arguments.vararg, arguments.kwarg) if one]
        for one in (*positional, *arguments.kwonlyargs, *others):
            key = (self._inside(function), one.arg)
            if one.arg in defaults or key not in self.bound or name in CALLED_FROM_OUTSIDE:
                self._add(key, Binding(defaults.get(one.arg)))
        if isinstance(function, ast.Lambda):
            self._add((function, "return"), Binding(function.body))
        else:
            for node in self.work.walk(function):
                if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
                    self._add((function, "return"), Binding(node.value))

    def _inside(self, function: Function) -> ast.AST | None:
        """The unit that the function's own names belong to."""
        unit = self.place[function].unit
        return function if unit is None and not isinstance(function, ast.Lambda) else unit


def _parts(value: ast.expr, count: int) -> list[ast.expr]:
    """What the names on the left get of the value on the right, as far as one sees it."""
    match value:
        case ast.Tuple() | ast.List() if len(value.elts) == count:
            return value.elts
        case ast.Call(func=ast.Name(id="zip"), args=args) if len(args) == count:
            return args
        case ast.Call(func=ast.Name(id="enumerate"), args=[values, *_]) if count == 2:
            return [ast.Constant(0), values]
    return [value] * count


def name_of(node: ast.expr) -> str:
    """The last name of a dotted one; "" for any other expression."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def root_of(node: ast.expr) -> str:
    """The name an attribute begins with: np of np.linalg.norm."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def word_of(node: ast.AST) -> str:
    """The name or the text that the node is; "" for any other."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return name_of(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def shown(node: ast.expr) -> str:
    """The expression as one tells of it: as it is written, if that is short."""
    if _is_short(node):
        with suppress(ValueError):  # an integer of more digits than Python writes
            return ast.unparse(node)[:MOST_TEXT]
    return f"{name_of(node.func)}(...)" if isinstance(node, ast.Call) else f"... {name_of(node)}".rstrip()


def _is_short(node: ast.expr) -> bool:
    inner = node
    for _ in range(MOST_DOTS):
        inner = inner.value if isinstance(inner, ast.Attribute) else inner
    return not isinstance(inner, ast.Attribute) and next(islice(ast.walk(node), MOST_SHOWN, None), None) is None
