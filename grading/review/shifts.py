"""Whether a step was added to data, as for an evaluation of a difference."""

from __future__ import annotations

import ast

from handgrad.grading.review.bindings import Binding, Key, name_of, words
from handgrad.grading.review.calls import NONLINEAR, Calls, names_sum
from handgrad.grading.review.origins import Kind, Origins

NOT_AN_INPUT = NONLINEAR | words("log log2 log10 log1p sqrt")
TINY = 1e-3
"""A constant at most this large that something is divided by looks like a difference's step."""


class Shifts:
    """What is shifted in a file."""

    def __init__(self, origins: Origins, calls: Calls) -> None:
        self.origins, self.calls = origins, calls
        self.work = origins.work
        self._open = 0
        """How many names are being followed: what is found meanwhile may lack what they are bound to."""
        self._shifted: dict[tuple[ast.expr, bool], bool] = {}
        self._shifted_names: dict[Key, bool] = {}
        self._steps: dict[tuple[ast.expr, bool], bool] = {}
        self._inputs: dict[ast.AST, bool] = {}
        self._input_names: dict[Key, bool] = {}
        self._near_one: dict[ast.expr, bool] = {}

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
                if names_sum(node.func) and self._adds_step(self.calls.arguments(node), even_by_number):
                    return True
                if self.calls.names_function(node.func):
                    returned = [(one, "return") for one in self.origins.functions[name_of(node.func)]]
                    return any(self._is_shifted_key(key) for key in returned)
                if self.calls.is_own(node) or self.calls.is_of(node, NOT_AN_INPUT):
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
            case ast.Name() if (
                self.origins.kind(node) != Kind.DATA and (value := self.origins.definition(node)) is not None
            ):
                is_kind = isinstance(value, ast.Tuple | ast.List | ast.BinOp | ast.Call | ast.Name)
                return is_kind and self._is_near_one(value)
        return False

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
                    self._is_step(side, True) and (not isinstance(side, ast.Constant) or self.is_small(side))
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
            is_bent = isinstance(node, ast.Call) and self.calls.is_of(node, NOT_AN_INPUT)
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

    def is_small(self, node: ast.expr) -> bool:
        """Whether it is a small constant, the name of one, or a multiple of it: eps, 2 * eps, 1e-6."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return self.is_small(node.left) or self.is_small(node.right)
        value = self.origins.number(node)
        return value is not None and 0 < abs(value) <= TINY
