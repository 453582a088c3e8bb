"""What the expressions of a file are made of: of constants alone, or of what the code was handed."""

from __future__ import annotations

import ast
import builtins
from enum import IntEnum

from handgrad.grading.review.bindings import Binding, Bindings, Key, Work, name_of, words

SHAPES = words("shape ndim size dtype itemsize nbytes")
BLANKS = words("zeros ones empty zeros_like ones_like empty_like len range ndindex")
UNITS = words("""
    eye identity diag diagflat roll bincount insert pad kron tri tril triu concatenate hstack vstack stack block delete
    append fromfunction choose select standard_normal normal randn rand random uniform integers randint choice
""")


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

    def __init__(self, tree: ast.Module, work: Work) -> None:
        super().__init__(tree, work)
        self._numbers: dict[Key, float | None] = {}
        self._is_settled = False
        self._open = 0
        """How many names are being followed: what is found meanwhile may lack what they are bound to."""
        self._known_numbers: dict[ast.expr, float | None] = {}
        self._known_kinds: dict[ast.expr, Kind] = {}
        self.sizes: dict[ast.AST, int] = {}
        """How many nodes an expression has."""
        self._ranges: set[ast.AST] = set()
        self._choices: set[ast.AST] = set()
        self._lists: set[ast.AST] = set()
        for node in reversed(self.place):  # parts before what they are parts of
            self._measure(node)
        self.kinds: dict[Key, Kind] = {}
        self._asked: set[Key] = set()
        self._settle()
        self._is_settled = True

    def _measure(self, node: ast.AST) -> None:
        """Notes what is somewhere in the node: np.arange, comparisons, lists that are repeated."""
        parts = list(ast.iter_child_nodes(node))
        self.sizes[node] = 1 + sum(self.sizes.get(part, 1) for part in parts)
        is_range = isinstance(node, ast.Call) and name_of(node.func) == "arange"
        if is_range or not self._ranges.isdisjoint(parts):
            self._ranges.add(node)
        if isinstance(node, ast.Compare | ast.IfExp) or not self._choices.isdisjoint(parts):
            self._choices.add(node)
        match node:
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                if isinstance(left, ast.List | ast.Tuple) or isinstance(right, ast.List | ast.Tuple):
                    self._lists.add(node)
            case ast.BinOp(op=ast.Add(), left=left, right=right) if left in self._lists or right in self._lists:
                self._lists.add(node)

    def _settle(self) -> None:
        """Finds all kinds: where one changes, those that it comes into are found again."""
        users: dict[Key, set[Key]] = {}
        waiting = dict.fromkeys(self.bound)
        while waiting:
            key = next(iter(waiting))
            del waiting[key]
            self._asked = set()
            found = max(map(self._kind_bound, self.bound[key]))
            for asked in self._asked:
                users.setdefault(asked, set()).add(key)
            is_new = found != self.kinds.get(key, Kind.COUNT)
            self.kinds[key] = found
            if is_new:
                self.work.spend(len(users.get(key, ())))
                waiting |= dict.fromkeys(users.get(key, ()))

    def _kind_of(self, key: Key) -> Kind:
        self._asked.add(key)
        return self.kinds.get(key, Kind.COUNT)

    def kind(self, node: ast.expr) -> Kind:
        """What the expression is made of."""
        self.work.spend()
        known = self._known_kinds.get(node)
        if known is None:
            known = self._kind(node)
            if self._is_settled:
                self._known_kinds[node] = known
        return known

    def _kind(self, node: ast.expr) -> Kind:
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
                return self._kind_of(key) if key else Kind.COUNT if known else Kind.DATA
            case ast.Attribute(attr="pi" | "e" | "eps" | "tiny"):
                return Kind.STEP
            case ast.Attribute() if node.attr in SHAPES or self.is_library(node):
                return Kind.COUNT
            case ast.Attribute():
                key = self.key(node)
                return self._kind_of(key) if key else self.kind(node.value)
            case ast.Call():
                return self._kind_called(node)
            case ast.List(elts=[_, *_]):
                return max(Kind.STEP, *map(self.kind, node.elts))
            case ast.Compare():
                made = max(map(self.kind, (node.left, *node.comparators)))
                is_place = made == Kind.COUNT and node in self._ranges
                return Kind.UNIT if is_place or made in (Kind.STEP, Kind.UNIT) else made
            case ast.BinOp(op=ast.Add()) if node in self._lists:  # [0.0] * j + [1.0] + [0.0] * k
                return max(Kind.UNIT, self.kind(node.left), self.kind(node.right))
            case ast.BinOp(op=ast.Div() | ast.Pow()):
                return max(Kind.STEP, self.kind(node.left), self.kind(node.right))
            case ast.ListComp() | ast.GeneratorExp():
                chosen = Kind.UNIT if node.elt in self._choices else Kind.STEP
                return max(chosen, self.kind(node.elt))
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        return max(map(self.kind, parts), default=Kind.COUNT)

    def number(self, node: ast.expr) -> float | None:
        """The constant that it comes to, the smallest where its name is bound to several; None if it is none."""
        self.work.spend()
        if node in self._known_numbers:
            return self._known_numbers[node]
        number = self._number(node)
        if not self._open:
            self._known_numbers[node] = number
        return number

    def _number(self, node: ast.expr) -> float | None:
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
            self._open += 1
            values = [self.number(binding.value) for binding in self.bound[key] if binding.value is not None]
            self._open -= 1
            self._numbers[key] = min((value for value in values if value is not None), key=abs, default=None)
        return self._numbers[key]

    def _kind_called(self, call: ast.Call) -> Kind:
        name = name_of(call.func)
        arguments = [*call.args, *(word.value for word in call.keywords)]
        if name in self.functions and not self.is_library(call.func):
            return max(
                (self._kind_of((function, "return")) for function in self.functions[name]),
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
        return max(made, Kind.STEP) if self.package(call.func) else made

    def _kind_bound(self, binding: Binding) -> Kind:
        if binding.value is None:
            return Kind.DATA
        made = self.kind(binding.value)
        if binding.index is None:
            return made
        return max(Kind.UNIT, made, self.kind(binding.index), *map(self.kind, binding.tests))


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
