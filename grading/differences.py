"""What looks like the evaluations and the quotient of a difference.

shifted     a function is called at data that a step was added to
probe       a function is called at a unit vector, or a matrix multiplied by one
masked      a matrix is multiplied by data of which a chosen part was made zero
twice       a function is called at two points that differ by something added, or at two multiples of one thing
again       a loop calls a function of what nothing in the loop binds: something was changed in place
step        something is divided by a small constant or multiplied by a large one
weights     data are multiplied by a table of fixed constants, or many multiples of them are added up

A function is one of the file's own, or one of NumPy's that is not linear; origins.py says what a step is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations, zip_longest

from handgrad.grading.bindings import Binding, Key, TooInvolved, name_of, root_of, word_of, words
from handgrad.grading.origins import Kind, Origins

NONLINEAR = words("""
    exp exp2 expm1 tanh sinh cosh expit logaddexp logaddexp2 logsumexp softmax log_softmax log_expit maximum minimum
    fmax fmin clip abs absolute fabs max min where power pow float_power sign heaviside erf arctan
""")
PRODUCTS = words("dot matmul einsum tensordot inner vdot")
NOT_AN_INPUT = NONLINEAR | words("log log2 log10 log1p sqrt")
BENT = words("maximum minimum fmax fmin clip abs absolute fabs max min where")
"""Of the nonlinear ones, those that honest code calls at one multiple of a thing, or at it and minus it."""
SUMS = words("add subtract sub sum fsum __add__ __radd__ __sub__ __rsub__ iadd isub")
MANY_TERMS = 4
"""So many multiples by different fractions make a sum look like a stencil."""
TINY = 1e-3
"""A constant at most this large that something is divided by looks like a difference's step."""


class Differences:
    """The rules on what is computed of what."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self.work = origins.work
        self._open = 0
        """How many names are being followed: what is found meanwhile may lack what they are bound to."""
        self._shifted: dict[tuple[ast.expr, bool], bool] = {}
        self._shifted_names: dict[Key, bool] = {}
        self._steps: dict[tuple[ast.expr, bool], bool] = {}
        self._inputs: dict[ast.AST, bool] = {}
        self._input_names: dict[Key, bool] = {}
        self._near_one: dict[ast.expr, bool] = {}
        self._masked: dict[ast.expr, bool] = {}
        self._summed: dict[ast.expr, frozenset[str]] = {}
        self._scales: dict[ast.expr, tuple[float, str]] = {}
        self._texts: dict[ast.expr, str] = {}
        self._own: dict[ast.Call, bool] = {}
        self._tables: dict[ast.expr, bool] = {}
        self._in_sum: set[ast.expr] = set()
        self._bound_in: dict[ast.AST, set[str]] = {}

    def found(self, nodes: set[ast.AST], is_backward: bool) -> Iterator[tuple[int, str]]:
        """What stands out among `nodes`, those of one side, with its line.

        A plain constant that forward adds is no sign, log(p + 1e-12), nor is what it divides by.
        """
        calls: dict[tuple[ast.AST | None, str], list[ast.Call]] = {}
        for node in self.origins.place:  # whose order is that of the file, from its end
            if node in nodes and isinstance(node, ast.BinOp | ast.AugAssign | ast.Call):
                yield from ((node.lineno, what) for what in self._about(node, is_backward))
                if isinstance(node, ast.Call) and (self._is_own(node) or self._is_of(node, NONLINEAR | PRODUCTS)):
                    name = name_of(node.func) or "a function"
                    calls.setdefault((self.origins.place[node].unit, name), []).append(node)
        for (_, name), same in calls.items():
            if any(self._differ(one, other, is_backward) for one, other in combinations(same, 2)):
                yield min(call.lineno for call in same), f"calls {name} at two points that differ by something added"

    def _about(self, node: ast.BinOp | ast.AugAssign | ast.Call, is_backward: bool) -> Iterator[str]:
        if is_backward and self._is_by_step(node):
            yield "divides by a small step"
        if is_backward and (self._is_weighed(node) or self._is_stencil(node)):
            yield "weighs by a table of fixed constants"
        match node:
            case ast.BinOp(op=ast.MatMult()):
                if is_backward and any(map(self._is_masked, (node.left, node.right))):
                    yield "multiplies a matrix by data with a chosen part made zero"
                yield from self._evaluated("a matrix product", [node.left, node.right], is_backward)
            case ast.BinOp(op=ast.Pow()):
                yield from self._evaluated("a power", [node.right], is_backward, with_units=False)
            case ast.Call():
                name = name_of(node.func) or "a function"
                is_own, is_product = self._is_own(node), self._is_of(node, PRODUCTS)
                if is_own or is_product or self._is_of(node, NONLINEAR):
                    yield from self._evaluated(name, self._arguments(node), is_backward, is_own or is_product)
                if is_backward and (is_own or is_product) and any(map(self._is_masked, self._arguments(node))):
                    yield f"calls {name} at data with a chosen part made zero"
                if is_backward and isinstance(node.func, ast.Subscript) and self.origins.place[node].loops:
                    yield "calls functions of a table in a loop, as a tape does"
                if is_backward and is_own and self._is_again(node):
                    yield f"calls {name} again and again in a loop, with nothing new"

    def _arguments(self, call: ast.Call) -> list[ast.expr]:
        """What it is called at, with what a method of an array is of: (2 * x).clip(0)."""
        function = call.func
        is_method = (
            isinstance(function, ast.Attribute) and function.attr in BENT and not self.origins.is_library(function)
        )
        own = [function.value] if is_method and isinstance(function, ast.Attribute) else []
        return [*own, *call.args, *(word.value for word in call.keywords)]

    def _is_of(self, call: ast.Call, names: frozenset[str]) -> bool:
        name, root = name_of(call.func), root_of(call.func)
        is_method = isinstance(call.func, ast.Attribute) and name == "clip" and not self.origins.package(call.func)
        return name in names and (self.origins.is_library(call.func) or root == "" or is_method)

    def _is_own(self, call: ast.Call) -> bool:
        """Whether the file's own function is called, or handed on: f(x), self.f(x), np.vectorize(f)(x), map(f, x)."""
        if call not in self._own:
            self.work.spend(len(call.args) + len(call.keywords))
            self._own[call] = self._is_own_call(call)
        return self._own[call]

    def _is_own_call(self, call: ast.Call) -> bool:
        function, origins = call.func, self.origins
        if any(isinstance(one, ast.Lambda) or self._names_function(one) for one in self._arguments(call)):
            return True
        if isinstance(function, ast.Name):
            return self._names_function(function) or origins.key(function) is not None
        if isinstance(function, ast.Attribute):
            return self._names_function(function) or (
                name_of(function.value) in ("self", "cls") and origins.key(function) is not None
            )
        return True

    def _names_function(self, node: ast.expr) -> bool:
        name = word_of(node)
        return name in self.origins.functions and not self.origins.is_library(node)

    def _evaluated(
        self, name: str, arguments: list[ast.expr], is_backward: bool, with_units: bool = True
    ) -> Iterator[str]:
        if with_units and any(self.origins.kind(one) == Kind.UNIT for one in arguments):
            yield f"calls {name} at unit vectors or the like"
        elif any(self.is_shifted(one, is_backward) for one in arguments):
            yield f"calls {name} at shifted points"

    # A step that is added to data.

    def is_shifted(self, node: ast.expr, even_by_number: bool) -> bool:
        """Whether a step was added somewhere in it, outside of the functions that it calls in turn."""
        self.work.spend()
        known = self._shifted.get((node, even_by_number))
        if known is None:
            known = self._is_shifted(node, even_by_number)
            if not self._open:
                self._shifted[node, even_by_number] = known
        return known

    def _is_shifted(self, node: ast.expr, even_by_number: bool) -> bool:
        match node:
            case ast.Lambda():
                return False
            case ast.Subscript() if name_of(node.value) not in ("r_", "c_"):
                return self.is_shifted(node.value, even_by_number)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                is_identity_less = isinstance(node.op, ast.Sub) and self.origins.kind(node.left) == Kind.UNIT
                if self._adds_step([node.left, node.right], even_by_number) and not is_identity_less:
                    return True  # but for I - p, which is in the softmax's Jacobian
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                if any(map(self._is_near_one, (node.left, node.right))):
                    return even_by_number
            case ast.Call():
                if _names_sum(node.func) and self._adds_step(self._arguments(node), even_by_number):
                    return True
                if self._names_function(node.func):
                    returned = [(one, "return") for one in self.origins.functions[name_of(node.func)]]
                    return any(self._is_shifted_key(key) for key in returned)
                if self._is_own(node) or self._is_of(node, NOT_AN_INPUT):
                    return False
            case ast.Name() | ast.Attribute():
                return self._is_shifted_key(self.origins.key(node))
        return any(
            self.is_shifted(part, even_by_number) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)
        )

    def _is_near_one(self, node: ast.expr) -> bool:
        """Whether it is a constant near one, one and something small, or a table of factors: 1.001, 1 + h, (0.5, 2)."""
        self.work.spend()
        if node not in self._near_one:
            self._near_one[node] = False  # bound to itself
            self._near_one[node] = self._is_factor(node)
        return self._near_one[node]

    def _is_factor(self, node: ast.expr) -> bool:
        factor = self.origins.number(node)
        if factor is not None:
            return 0 < abs(factor - 1) < 0.1
        match node:
            case ast.Tuple() | ast.List():
                factors = [self.origins.number(one) for one in node.elts]
                return any(factor is not None and factor not in (-1, 0, 1) for factor in factors)
            case ast.Call(args=[ast.Tuple() | ast.List() as values]) if self.origins.is_library(node.func):
                return self._is_near_one(values)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                sides = (node.left, node.right)
                steps = [side for side in sides if self.origins.kind(side) == Kind.STEP]
                return len(steps) == 1 and any(self.origins.number(side) == 1 for side in sides)
            case ast.Name() if self.origins.kind(node) != Kind.DATA and (value := self._definition(node)) is not None:
                is_kind = isinstance(value, ast.Tuple | ast.List | ast.BinOp | ast.Call | ast.Name)
                return is_kind and self._is_near_one(value)
        return False

    def _is_masked(self, node: ast.expr) -> bool:
        """Whether it is data of which a part is made zero that is chosen without looking at it."""
        self.work.spend()
        if node not in self._masked:
            self._masked[node] = False  # bound to itself
            self._masked[node] = self._is_partly_zero(node)
        return self._masked[node]

    def _is_partly_zero(self, node: ast.expr) -> bool:
        kind = self.origins.kind
        match node:
            case ast.Call(args=[condition, *branches]) if name_of(node.func) == "where" and len(branches) == 2:
                kinds = list(map(kind, branches))
                return self._is_chosen(condition) and Kind.DATA in kinds and Kind.COUNT in kinds
            case ast.Call(args=[data, *_]) if name_of(node.func) == "delete" and self.origins.is_library(node.func):
                return kind(data) == Kind.DATA
            case ast.Subscript(value=data, slice=places):
                indices = places.elts if isinstance(places, ast.Tuple) else [places]
                return kind(data) == Kind.DATA and any(map(self._is_chosen, indices))
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                return (self._is_chosen(left) and kind(right) == Kind.DATA) or (
                    self._is_chosen(right) and kind(left) == Kind.DATA
                )
            case ast.Name():
                puts = [one for one in self.origins.bindings(node) if one.index is not None and not one.added]
                is_zeroed = any(
                    one.value is not None
                    and self.origins.number(one.value) == 0
                    and Kind.DATA not in map(kind, (one.index, *one.tests))
                    for one in puts
                    if one.index is not None
                )
                value = self._definition(node)
                has_data = any(
                    one.index is None and one.value and kind(one.value) == Kind.DATA
                    for one in self.origins.bindings(node)
                )
                return (is_zeroed and has_data) or (value is not None and self._is_masked(value))
        return False

    def _is_chosen(self, node: ast.expr) -> bool:
        """Whether it compares places: np.arange(n) == j."""
        found = self._definition(node) if isinstance(node, ast.Name) else node
        return isinstance(found, ast.Compare) and self.origins.kind(found) == Kind.UNIT

    def _adds_step(self, parts: list[ast.expr], even_by_number: bool) -> bool:
        parts = [one for part in parts for one in (part.elts if isinstance(part, ast.List | ast.Tuple) else [part])]
        steps = [one for one in parts if self._is_step(one, even_by_number)]
        inputs = [one for one in parts if self.origins.kind(one) == Kind.DATA and self._is_input(one)] if steps else []
        return any(step is not other for step in steps for other in inputs[:2])

    def _is_shifted_key(self, key: Key | None) -> bool:
        """Whether a step was added to what a name is bound to, or a function returns."""
        if key is None:
            return False
        known = self._shifted_names.get(key)
        if known is None:
            self._shifted_names[key] = False  # bound to itself, which adds nothing
            self._open += 1
            known = any(self._is_shift(key, binding) for binding in self.origins.bound.get(key, []))
            self._open -= 1
            self._shifted_names[key] = known
        return known

    def _is_shift(self, key: Key, binding: Binding) -> bool:
        value, kind = binding.value, self.origins.kind
        if value is None:
            return False
        if binding.index is not None:  # x[i] += h, x[i] = kept + 1, where i and h are chosen without looking at x
            if Kind.DATA in map(kind, (binding.index, *binding.tests)) or self.origins.kinds[key] != Kind.DATA:
                return False
            if binding.added:
                return kind(value) != Kind.DATA or self._is_step(value, True)
            sides = [value.left, value.right] if isinstance(value, ast.BinOp) else []
            is_sum = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub)
            return self.is_shifted(value, True) or (is_sum and len({kind(side) == Kind.DATA for side in sides}) == 2)
        if binding.added:
            return self.origins.kinds[key] == Kind.DATA and self._is_step(value, True)
        return self.is_shifted(value, True)

    def _is_step(self, node: ast.expr, even_by_number: bool) -> bool:
        """Whether it is made of constants that are no whole numbers, or has such a factor that is no plain number."""
        self.work.spend()
        if (node, even_by_number) not in self._steps:
            self._steps[node, even_by_number] = False  # a product of itself
            self._steps[node, even_by_number] = self._is_a_step(node, even_by_number)
        return self._steps[node, even_by_number]

    def _is_a_step(self, node: ast.expr, even_by_number: bool) -> bool:
        kind = self.origins.kind(node)
        if kind in (Kind.STEP, Kind.UNIT):
            return even_by_number or self.origins.number(node) is None
        match node:
            case ast.UnaryOp():
                return self._is_step(node.operand, even_by_number)
            case ast.Subscript():
                return self._is_step(node.value, even_by_number)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return any(
                    self._is_step(side, True) and (not isinstance(side, ast.Constant) or self._is_small(side))
                    for side in (node.left, node.right)
                )
            case ast.Name() if kind == Kind.DATA:
                bindings = self.origins.bindings(node)
                values = [one.value for one in bindings if isinstance(one.value, ast.BinOp)]
                return len(bindings) == 1 and any(
                    self._is_step(value, even_by_number) for value in values if isinstance(value.op, ast.Mult | ast.Div)
                )
        return False

    def _is_input(self, node: ast.AST) -> bool:
        """Whether no function that is not linear comes into it."""
        self.work.spend()
        known = self._inputs.get(node)
        if known is None:
            key = self.origins.key(node) if isinstance(node, ast.Name) else None
            is_bent = isinstance(node, ast.Call) and self._is_of(node, NOT_AN_INPUT)
            known = not is_bent and (key is None or self._is_input_key(key))
            known = known and all(map(self._is_input, ast.iter_child_nodes(node)))
            if not self._open:
                self._inputs[node] = known
        return known

    def _is_input_key(self, key: Key) -> bool:
        if key not in self._input_names:
            self._input_names[key] = True  # bound to itself, which adds nothing
            self._open += 1
            values = [binding.value for binding in self.origins.bound[key] if binding.value is not None]
            self._input_names[key] = all(map(self._is_input, values))
            self._open -= 1
        return self._input_names[key]

    # Differences.

    def _differ(self, one: ast.Call, other: ast.Call, is_backward: bool) -> bool:
        """Whether two calls of one function look like two evaluations of a difference."""
        pairs = list(zip_longest(self._arguments(one), self._arguments(other)))
        self.work.spend(2 + 4 * len(pairs))
        if any(left is None or right is None for left, right in pairs):
            return False
        is_own = self._is_own(one)
        for left, right in pairs if is_backward and (is_own or self._is_of(one, BENT)) else []:
            ours_scaled, theirs_scaled = self._scaled(left), self._scaled(right)
            if ours_scaled[1] == theirs_scaled[1] != "" and abs(ours_scaled[0]) != abs(theirs_scaled[0]):
                return True
        for left, right in pairs:
            ours, theirs = self._summands(left), self._summands(right)
            self.work.spend(len(ours) + len(theirs))
            if len(ours) == len(theirs) == 1 or self._text(left) == self._text(right):
                continue
            if ours == theirs or (is_own and is_backward and ours & theirs):
                return self._resolved(left) != self._resolved(right)
        if not (is_own and is_backward and len(pairs) > 1):
            return False
        same = [self._text(left) == self._text(right) for left, right in pairs]
        kinds = [{self.origins.kind(left), self.origins.kind(right)} for left, right in pairs]
        return any(is_same and Kind.DATA in kind for is_same, kind in zip(same, kinds, strict=True)) and any(
            not is_same and not kind & {Kind.DATA, Kind.COUNT} for is_same, kind in zip(same, kinds, strict=True)
        )

    def _resolved(self, node: ast.expr) -> str:
        seen: set[ast.expr] = set()
        while node not in seen and (found := self._definition(node)) is not None:
            self.work.spend()
            seen.add(node)
            node = found
        return self._text(node)

    def _text(self, node: ast.expr) -> str:
        """The code of an expression, by which two are the same."""
        if node not in self._texts:
            self.work.spend(5 * self.origins.sizes.get(node, 1))
            try:
                self._texts[node] = ast.unparse(node)
            except ValueError:  # an integer of more digits than Python writes
                raise TooInvolved from None
        return self._texts[node]

    def _definition(self, node: ast.expr) -> ast.expr | None:
        """What a name that is bound once in its function is bound to."""
        bindings = self.origins.bindings(node) if isinstance(node, ast.Name) else []
        return bindings[0].value if len(bindings) == 1 and bindings[0].index is None else None

    def _summands(self, node: ast.expr) -> frozenset[str]:
        """What is added up to the expression, without signs and constant factors; itself, if it is no sum."""
        self.work.spend()
        if node not in self._summed:
            self._summed[node] = frozenset()  # bound to itself, which adds nothing
            self._summed[node] = self._added(node)
            self.work.spend(len(self._summed[node]))
        return self._summed[node]

    def _added(self, node: ast.expr) -> frozenset[str]:
        match node:
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                return self._summands(node.operand)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                if Kind.COUNT not in (self.origins.kind(node.left), self.origins.kind(node.right)):
                    return self._summands(node.left) | self._summands(node.right)
            case ast.BinOp(op=ast.Mult()) if self.origins.number(node.left) is not None:
                return self._summands(node.right)
            case ast.BinOp(op=ast.Mult() | ast.Div()) if self.origins.number(node.right) is not None:
                return self._summands(node.left)
            case ast.Name() if (value := self._definition(node)) is not None:
                if isinstance(value, ast.BinOp | ast.UnaryOp | ast.Name):
                    return self._summands(value)
        return frozenset([self._text(node)])

    def _scaled(self, node: ast.expr) -> tuple[float, str]:
        """The factor and what it multiplies, data; (1, "") where that is none."""
        self.work.spend()
        if node not in self._scales:
            self._scales[node] = 1, ""  # bound to itself
            self._scales[node] = self._factored(node)
        return self._scales[node]

    def _factored(self, node: ast.expr) -> tuple[float, str]:
        number = self.origins.number
        match node:
            case ast.UnaryOp(op=ast.USub()):
                factor, what = self._scaled(node.operand)
                return -factor, what
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                for one, other in ((left, right), (right, left)):
                    if (by := number(one)) is not None:
                        factor, what = self._scaled(other)
                        return by * factor, what
            case ast.BinOp(op=ast.Div(), left=left, right=right) if by := number(right):
                factor, what = self._scaled(left)
                return factor / by, what
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                (factor, what), (more, same) = self._scaled(left), self._scaled(right)
                if what == same:
                    return factor + more, what
            case ast.Name() if (value := self._definition(node)) is not None:
                if isinstance(value, ast.BinOp | ast.UnaryOp | ast.Name):
                    return self._scaled(value)
        return 1, self._text(node) if self.origins.kind(node) == Kind.DATA else ""

    # Weights.

    def _is_weighed(self, node: ast.BinOp | ast.AugAssign | ast.Call) -> bool:
        """Whether data are multiplied by what is in a table of fixed constants."""
        match node:
            case ast.BinOp(op=ast.Mult() | ast.MatMult() | ast.Div()):
                sides = [node.left, node.right]
            case ast.Call() if self._is_of(node, PRODUCTS):
                sides = self._arguments(node)
            case _:
                return False
        kinds = list(map(self.origins.kind, sides))
        is_weight = (
            kind in (Kind.STEP, Kind.UNIT) and self._is_table(side) for side, kind in zip(sides, kinds, strict=True)
        )
        return Kind.DATA in kinds and any(is_weight)

    def _is_table(self, node: ast.expr) -> bool:
        """Whether it holds constants that are no whole numbers, written out or made by a formula."""
        self.work.spend()
        if node not in self._tables:
            self._tables[node] = False  # bound to itself
            self._tables[node] = self._has_fractions(node)
        return self._tables[node]

    def _has_fractions(self, node: ast.expr) -> bool:
        match node:
            case ast.List() | ast.Tuple():
                numbers = list(map(self.origins.number, node.elts))
                has_fraction = any(number is not None and not number.is_integer() for number in numbers)
                return has_fraction or any(map(self._is_table, node.elts))
            case ast.ListComp():
                return self.origins.kind(node) in (Kind.STEP, Kind.UNIT)
            case ast.Subscript() | ast.Starred():
                return self._is_table(node.value)
            case ast.Name() | ast.Attribute():
                values = [one.value for one in self.origins.bindings(node) if one.value is not None]
                return any(map(self._is_table, values))
            case ast.Call() if self.origins.is_library(node.func):
                return any(map(self._is_table, node.args))
            case ast.Call():
                returned = [(one, "return") for one in self.origins.functions.get(name_of(node.func), [])]
                values = [one.value for key in returned for one in self.origins.bound.get(key, []) if one.value]
                return any(map(self._is_table, values))
        return False

    def _is_stencil(self, node: ast.BinOp | ast.AugAssign | ast.Call) -> bool:
        """Whether many multiples of data by different fractions are added up."""
        if node in self._in_sum:
            return False
        factors: set[float] = set()
        waiting: list[ast.expr] = [node] if isinstance(node, ast.BinOp) else []
        for term in waiting:  # which grows by the parts of sums
            self.work.spend()
            match term:
                case ast.BinOp(op=ast.Add() | ast.Sub(), left=left, right=right):
                    self._in_sum.add(term)
                    waiting += [left, right]
                case ast.BinOp(op=ast.Mult() | ast.Div(), left=left, right=right):
                    numbers = [self.origins.number(side) for side in (left, right)]
                    if Kind.DATA in map(self.origins.kind, (left, right)):
                        factors |= {abs(number) for number in numbers if number is not None and number % 1}
        return len(factors) >= MANY_TERMS

    # Loops and steps.

    def _is_again(self, call: ast.Call) -> bool:
        loops = self.origins.place[call].loops
        if not loops:
            return False
        named = {node.id for node in self.work.walk(call) if isinstance(node, ast.Name)}
        return not named & self._bound_by(loops[-1])

    def _bound_by(self, loop: ast.AST) -> set[str]:
        """The names that the loop binds."""
        if loop not in self._bound_in:
            self._bound_in[loop] = {
                node.arg if isinstance(node, ast.arg) else node.id
                for node in self.work.walk(loop)
                if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
            }
        return self._bound_in[loop]

    def _is_by_step(self, node: ast.BinOp | ast.AugAssign | ast.Call) -> bool:
        """Whether it divides by a small constant, or multiplies with a large one."""
        match node:
            case ast.Call(args=[_, divisor, *_]):
                return self._is_of(node, words("divide true_divide truediv")) and self._is_small(divisor)
            case ast.BinOp(op=ast.Div(), right=divisor) | ast.AugAssign(op=ast.Div(), value=divisor):
                return self._is_small(divisor)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                factors = [self.origins.number(left), self.origins.number(right)]
            case ast.AugAssign(op=ast.Mult(), value=factor):
                factors = [self.origins.number(factor)]
            case _:
                return False
        return any(factor is not None and abs(factor) >= 1 / TINY for factor in factors)

    def _is_small(self, node: ast.expr) -> bool:
        """Whether it is a small constant, the name of one, or a multiple of it: eps, 2 * eps, 1e-6."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return self._is_small(node.left) or self._is_small(node.right)
        value = self.origins.number(node)
        return value is not None and 0 < abs(value) <= TINY


def _names_sum(function: ast.expr) -> bool:
    """Whether it adds: np.add, np.subtract.outer, operator.add."""
    while isinstance(function, ast.Attribute):
        if function.attr in SUMS:
            return True
        function = function.value
    return name_of(function) in SUMS
