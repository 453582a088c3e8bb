"""What the expressions of a file are made of: of constants alone, or of what the code was handed."""

from __future__ import annotations

import ast
import builtins
from enum import IntEnum

from handgrad.grading.bindings import Binding, Bindings, Key, name_of, root_of, words

SHAPES = words("shape ndim size dtype itemsize nbytes")
BLANKS = words("zeros ones empty zeros_like ones_like empty_like len range ndindex")
UNITS = words("""
    eye identity diag diagflat roll bincount insert pad kron tri tril triu concatenate hstack vstack stack block delete
    append fromfunction choose select standard_normal normal randn rand random uniform integers randint choice
""")
PASSES = 20
"""Enough for names that are bound to each other in any order that occurs; code made to need more is not followed."""


class Kind(IntEnum):
    """What an expression is made of. A compound is of its parts' largest kind."""

    COUNT = 0
    """Whole numbers, shapes, and arrays of nothing but zeros or ones."""
    STEP = 1
    """Other constants, and arrays of constants."""
    UNIT = 2
    """Unit vectors and their like: constants put at chosen places of an array, or drawn at random."""
    DATA = 3
    """What the code was handed comes into it."""


class Origins(Bindings):
    """The bindings of a file, and what its expressions are made of."""

    def __init__(self, tree: ast.Module) -> None:
        super().__init__(tree)
        self._numbers: dict[Key, float | None] = {}
        self.kinds: dict[Key, Kind] = {}
        for _ in range(PASSES):
            before = dict(self.kinds)
            for key, bindings in self.bound.items():
                self.kinds[key] = max(map(self._kind_bound, bindings), default=Kind.DATA)
            if self.kinds == before:
                break

    def kind(self, node: ast.expr) -> Kind:
        """What the expression is made of."""
        match node:
            case ast.Constant(value=float() as value):
                return Kind.COUNT if value.is_integer() else Kind.STEP
            case ast.Constant(value=complex()):
                return Kind.STEP
            case ast.Constant() | ast.Lambda() | ast.JoinedStr() | ast.Slice():
                return Kind.COUNT
            case ast.Name():
                known = node.id in self.imported or node.id in self.functions or hasattr(builtins, node.id)
                key = self.key(node)
                return self.kinds.get(key, Kind.COUNT) if key else Kind.COUNT if known else Kind.DATA
            case ast.Attribute(attr="pi" | "e" | "eps" | "tiny"):
                return Kind.STEP
            case ast.Attribute() if node.attr in SHAPES or self.is_library(node):
                return Kind.COUNT
            case ast.Attribute():
                key = self.key(node)
                return self.kinds.get(key, Kind.COUNT) if key else self.kind(node.value)
            case ast.Call():
                return self._kind_called(node)
            case ast.List(elts=[_, *_]):
                return max(Kind.STEP, *map(self.kind, node.elts))
            case ast.Compare():
                made = max(map(self.kind, (node.left, *node.comparators)))
                has_array = any(name_of(part.func) == "arange" for part in ast.walk(node) if isinstance(part, ast.Call))
                return Kind.UNIT if made in (Kind.STEP, Kind.UNIT) or (has_array and made == Kind.COUNT) else made
            case ast.BinOp(op=ast.Add()) if _is_list(node):  # [0.0] * j + [1.0] + [0.0] * k
                return max(Kind.UNIT, self.kind(node.left), self.kind(node.right))
            case ast.BinOp(op=ast.Div() | ast.Pow()):
                return max(Kind.STEP, self.kind(node.left), self.kind(node.right))
            case ast.ListComp() | ast.GeneratorExp():
                is_chosen = any(isinstance(part, ast.Compare | ast.IfExp) for part in ast.walk(node.elt))
                chosen = Kind.UNIT if is_chosen else Kind.STEP
                return max(chosen, self.kind(node.elt))
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        return max(map(self.kind, parts), default=Kind.COUNT)

    def number(self, node: ast.expr) -> float | None:
        """The constant that it comes to, the smallest where its name is bound to several; None if it is none."""
        try:
            match node:
                case ast.Constant(value=bool() | int() | float() as constant):
                    return float(constant)
                case ast.UnaryOp(op=ast.USub()):
                    value = self.number(node.operand)
                    return None if value is None else -value
                case ast.BinOp():
                    left, right = self.number(node.left), self.number(node.right)
                    return None if left is None or right is None else _computed(node.op, left, right)
                case ast.Attribute(attr="eps" | "tiny" | "smallest_normal"):
                    return 2.0**-52
                case ast.Name() | ast.Attribute():
                    key = self.key(node)
                    return None if key is None else self._number_bound(key)
                case ast.Call(args=[argument]) if name_of(node.func) in ("sqrt", "cbrt", "float", "float64"):
                    value = self.number(argument)
                    power = {"sqrt": 1 / 2, "cbrt": 1 / 3}.get(name_of(node.func), 1)
                    return None if value is None or value < 0 else value**power
        except (ArithmeticError, ValueError):  # 1 / 0, or too large a power
            return None
        return None

    def _number_bound(self, key: Key) -> float | None:
        if key not in self._numbers:
            self._numbers[key] = None  # bound to itself, which is no constant
            values = [self.number(binding.value) for binding in self.bound[key] if binding.value is not None]
            self._numbers[key] = min((value for value in values if value is not None), key=abs, default=None)
        return self._numbers[key]

    def _kind_called(self, call: ast.Call) -> Kind:
        name = name_of(call.func)
        arguments = [*call.args, *(word.value for word in call.keywords)]
        if name in self.functions and not self.is_library(call.func):
            return max(
                (self.kinds.get((function, "return"), Kind.COUNT) for function in self.functions[name]),
                default=Kind.DATA,
            )
        if name in BLANKS:
            return Kind.COUNT
        if name in ("eye", "identity"):
            return Kind.UNIT
        if name in ("full", "full_like"):
            arguments = arguments[1:]
        made = max(map(self.kind, arguments), default=Kind.COUNT)
        if name == "arange":
            return Kind.STEP if made == Kind.STEP else Kind.COUNT
        if isinstance(call.func, ast.Attribute) and not self.is_library(call.func):
            made = max(made, self.kind(call.func.value))
        elif not self.is_library(call.func):
            return Kind.DATA
        if made == Kind.DATA:
            return Kind.DATA
        if name in UNITS:
            return Kind.UNIT
        return max(made, Kind.STEP) if root_of(call.func) in self.imported else made

    def _kind_bound(self, binding: Binding) -> Kind:
        if binding.value is None:
            return Kind.DATA
        made = self.kind(binding.value)
        if binding.index is None:
            return made
        return max(Kind.UNIT, made, self.kind(binding.index), *map(self.kind, binding.tests))


def _is_list(node: ast.expr) -> bool:
    """Whether it is put together of lists, at least one of them repeated."""
    match node:
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            return isinstance(left, ast.List | ast.Tuple) or isinstance(right, ast.List | ast.Tuple)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _is_list(left) or _is_list(right)
    return False


def _computed(op: ast.operator, left: float, right: float) -> float | None:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.Pow():
            value = left**right
            return value if isinstance(value, float) else None
    return None
