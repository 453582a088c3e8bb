"""What expressions are sums and multiples of, so that two of them can be compared."""

from __future__ import annotations

import ast

from handgrad.grading.review.bindings import TooInvolved
from handgrad.grading.review.origins import Kind, Origins


class Terms:
    """The terms and factors of a file's expressions."""

    def __init__(self, origins: Origins) -> None:
        self.origins, self.work = origins, origins.work
        self._summed: dict[ast.expr, frozenset[str]] = {}
        self._scales: dict[ast.expr, tuple[float, str]] = {}
        self._texts: dict[ast.expr, str] = {}

    def resolved(self, node: ast.expr) -> str:
        seen: set[ast.expr] = set()
        while node not in seen and (found := self.origins.definition(node)) is not None:
            self.work.spend()
            seen.add(node)
            node = found
        return self.text(node)

    def text(self, node: ast.expr) -> str:
        """The code of an expression, by which two are the same."""
        if node not in self._texts:
            self.work.spend(5 * self.origins.sizes.get(node, 1))
            try:
                self._texts[node] = ast.unparse(node)
            except ValueError:  # an integer of more digits than Python writes
                raise TooInvolved from None
        return self._texts[node]

    def summands(self, node: ast.expr) -> frozenset[str]:
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
                return self.summands(node.operand)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                if Kind.COUNT not in (self.origins.kind(node.left), self.origins.kind(node.right)):
                    return self.summands(node.left) | self.summands(node.right)
            case ast.BinOp(op=ast.Mult()) if self.origins.number(node.left) is not None:
                return self.summands(node.right)
            case ast.BinOp(op=ast.Mult() | ast.Div()) if self.origins.number(node.right) is not None:
                return self.summands(node.left)
            case ast.Name() if (value := self.origins.definition(node)) is not None:
                if isinstance(value, ast.BinOp | ast.UnaryOp | ast.Name):
                    return self.summands(value)
        return frozenset([self.text(node)])

    def scaled(self, node: ast.expr) -> tuple[float, str]:
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
                factor, what = self.scaled(node.operand)
                return -factor, what
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                for one, other in ((left, right), (right, left)):
                    if (by := number(one)) is not None:
                        factor, what = self.scaled(other)
                        return by * factor, what
            case ast.BinOp(op=ast.Div(), left=left, right=right) if by := number(right):
                factor, what = self.scaled(left)
                return factor / by, what
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                (factor, what), (more, same) = self.scaled(left), self.scaled(right)
                if what == same:
                    return factor + more, what
            case ast.Name() if (value := self.origins.definition(node)) is not None:
                if isinstance(value, ast.BinOp | ast.UnaryOp | ast.Name):
                    return self.scaled(value)
        return 1, self.text(node) if self.origins.kind(node) == Kind.DATA else ""
