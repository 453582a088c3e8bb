"""What looks like the evaluations and the quotient of a difference.

shifted     a function is called at data that a step was added to
probe       a function is called at a unit vector, or a matrix multiplied by one
masked      a matrix is multiplied by data of which a chosen part was made zero
twice       a function is called at two points that differ by something added, or at two multiples of one thing
again       a loop calls a function of what nothing in the loop binds: something was changed in place
step        something is divided by a small constant or multiplied by a large one
weights     data are multiplied by a table of fixed constants, or many multiples of them are added up

A function is one of the file's own, or one of NumPy's that is not linear (calls.py); shifts.py says what a step is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations, zip_longest

from handgrad.grading.review.bindings import name_of, words
from handgrad.grading.review.calls import BENT, NONLINEAR, PRODUCTS, Calls
from handgrad.grading.review.origins import Kind, Origins
from handgrad.grading.review.shifts import TINY, Shifts
from handgrad.grading.review.terms import Terms
from handgrad.grading.review.weights import Weights


class Differences:
    """The rules on what is computed of what."""

    def __init__(self, origins: Origins) -> None:
        self.origins, self.work = origins, origins.work
        self.calls, self.terms = Calls(origins), Terms(origins)
        self.shifts, self.weights = Shifts(origins, self.calls), Weights(origins, self.calls)
        self._masked: dict[ast.expr, bool] = {}
        self._bound_in: dict[ast.AST, set[str]] = {}

    def found(self, nodes: set[ast.AST], is_backward: bool) -> Iterator[tuple[int, str]]:
        """What stands out among `nodes`, those of one side, with its line.

        A plain constant that forward adds is no sign, log(p + 1e-12), nor is what it divides by.
        """
        calls: dict[tuple[ast.AST | None, str], list[ast.Call]] = {}
        for node in self.origins.place:  # whose order is that of the file, from its end
            if node in nodes and isinstance(node, ast.BinOp | ast.AugAssign | ast.Call):
                yield from ((node.lineno, what) for what in self._about(node, is_backward))
                if isinstance(node, ast.Call) and (
                    self.calls.is_own(node) or self.calls.is_of(node, NONLINEAR | PRODUCTS)
                ):
                    name = name_of(node.func) or "a function"
                    calls.setdefault((self.origins.place[node].unit, name), []).append(node)
        for (_, name), same in calls.items():
            if any(self._differ(one, other, is_backward) for one, other in combinations(same, 2)):
                yield min(call.lineno for call in same), f"calls {name} at two points that differ by something added"

    def _about(self, node: ast.BinOp | ast.AugAssign | ast.Call, is_backward: bool) -> Iterator[str]:
        if is_backward and self._is_by_step(node):
            yield "divides by a small step"
        if is_backward and (self.weights.is_weighed(node) or self.weights.is_stencil(node)):
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
                is_own, is_product = self.calls.is_own(node), self.calls.is_of(node, PRODUCTS)
                if is_own or is_product or self.calls.is_of(node, NONLINEAR):
                    yield from self._evaluated(name, self.calls.arguments(node), is_backward, is_own or is_product)
                if is_backward and (is_own or is_product) and any(map(self._is_masked, self.calls.arguments(node))):
                    yield f"calls {name} at data with a chosen part made zero"
                if is_backward and isinstance(node.func, ast.Subscript) and self.origins.place[node].loops:
                    yield "calls functions of a table in a loop, as a tape does"
                if is_backward and is_own and self._is_again(node):
                    yield f"calls {name} again and again in a loop, with nothing new"

    def _evaluated(
        self, name: str, arguments: list[ast.expr], is_backward: bool, with_units: bool = True
    ) -> Iterator[str]:
        if with_units and any(self.origins.kind(one) == Kind.UNIT for one in arguments):
            yield f"calls {name} at unit vectors or the like"
        elif any(self.shifts.is_shifted(one, is_backward) for one in arguments):
            yield f"calls {name} at shifted points"

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
                value = self.origins.definition(node)
                has_data = any(
                    one.index is None and one.value and kind(one.value) == Kind.DATA
                    for one in self.origins.bindings(node)
                )
                return (is_zeroed and has_data) or (value is not None and self._is_masked(value))
        return False

    def _is_chosen(self, node: ast.expr) -> bool:
        """Whether it compares places: np.arange(n) == j."""
        found = self.origins.definition(node) if isinstance(node, ast.Name) else node
        return isinstance(found, ast.Compare) and self.origins.kind(found) == Kind.UNIT

    def _differ(self, one: ast.Call, other: ast.Call, is_backward: bool) -> bool:
        """Whether two calls of one function look like two evaluations of a difference."""
        pairs = list(zip_longest(self.calls.arguments(one), self.calls.arguments(other)))
        self.work.spend(2 + 4 * len(pairs))
        if any(left is None or right is None for left, right in pairs):
            return False
        is_own = self.calls.is_own(one)
        for left, right in pairs if is_backward and (is_own or self.calls.is_of(one, BENT)) else []:
            ours_scaled, theirs_scaled = self.terms.scaled(left), self.terms.scaled(right)
            if ours_scaled[1] == theirs_scaled[1] != "" and abs(ours_scaled[0]) != abs(theirs_scaled[0]):
                return True
        for left, right in pairs:
            ours, theirs = self.terms.summands(left), self.terms.summands(right)
            self.work.spend(len(ours) + len(theirs))
            if len(ours) == len(theirs) == 1 or self.terms.text(left) == self.terms.text(right):
                continue
            if ours == theirs or (is_own and is_backward and ours & theirs):
                return self.terms.resolved(left) != self.terms.resolved(right)
        if not (is_own and is_backward and len(pairs) > 1):
            return False
        same = [self.terms.text(left) == self.terms.text(right) for left, right in pairs]
        kinds = [{self.origins.kind(left), self.origins.kind(right)} for left, right in pairs]
        return any(is_same and Kind.DATA in kind for is_same, kind in zip(same, kinds, strict=True)) and any(
            not is_same and not kind & {Kind.DATA, Kind.COUNT} for is_same, kind in zip(same, kinds, strict=True)
        )

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
                return self.calls.is_of(node, words("divide true_divide truediv")) and self.shifts.is_small(divisor)
            case ast.BinOp(op=ast.Div(), right=divisor) | ast.AugAssign(op=ast.Div(), value=divisor):
                return self.shifts.is_small(divisor)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                factors = [self.origins.number(left), self.origins.number(right)]
            case ast.AugAssign(op=ast.Mult(), value=factor):
                factors = [self.origins.number(factor)]
            case _:
                return False
        return any(factor is not None and abs(factor) >= 1 / TINY for factor in factors)
