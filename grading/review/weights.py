"""Whether data are weighed by fixed constants, as by the coefficients of a stencil."""

from __future__ import annotations

import ast

from handgrad.grading.review.bindings import name_of
from handgrad.grading.review.calls import PRODUCTS, Calls
from handgrad.grading.review.origins import Kind, Origins

MANY_TERMS = 4
"""So many multiples by different fractions make a sum look like a stencil."""


class Weights:
    """The weights of a file's sums and products."""

    def __init__(self, origins: Origins, calls: Calls) -> None:
        self.origins, self.calls, self.work = origins, calls, origins.work
        self._tables: dict[ast.expr, bool] = {}
        self._in_sum: set[ast.expr] = set()

    def is_weighed(self, node: ast.BinOp | ast.AugAssign | ast.Call) -> bool:
        """Whether data are multiplied by what is in a table of fixed constants."""
        match node:
            case ast.BinOp(op=ast.Mult() | ast.MatMult() | ast.Div()):
                sides = [node.left, node.right]
            case ast.Call() if self.calls.is_of(node, PRODUCTS):
                sides = self.calls.arguments(node)
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

    def is_stencil(self, node: ast.BinOp | ast.AugAssign | ast.Call) -> bool:
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
