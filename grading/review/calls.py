"""What is called: a function of the file's own, or one of NumPy's of some kind."""

from __future__ import annotations

import ast

from handgrad.grading.review.bindings import name_of, root_of, word_of, words
from handgrad.grading.review.origins import Origins

NONLINEAR = words("""
    exp exp2 expm1 tanh sinh cosh expit logaddexp logaddexp2 logsumexp softmax log_softmax log_expit maximum minimum
    fmax fmin clip abs absolute fabs max min where power pow float_power sign heaviside erf arctan
""")
PRODUCTS = words("dot matmul einsum tensordot inner vdot")
BENT = words("maximum minimum fmax fmin clip abs absolute fabs max min where")
"""Of the nonlinear ones, those that honest code calls at one multiple of a thing, or at it and minus it."""
SUMS = words("add subtract sub sum fsum __add__ __radd__ __sub__ __rsub__ iadd isub")


class Calls:
    """The calls of a file."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self._own: dict[ast.Call, bool] = {}

    def arguments(self, call: ast.Call) -> list[ast.expr]:
        """What it is called at, with what a method of an array is of: (2 * x).clip(0)."""
        function = call.func
        is_method = (
            isinstance(function, ast.Attribute) and function.attr in BENT and not self.origins.is_library(function)
        )
        own = [function.value] if is_method and isinstance(function, ast.Attribute) else []
        return [*own, *call.args, *(word.value for word in call.keywords)]

    def is_of(self, call: ast.Call, names: frozenset[str]) -> bool:
        name, root = name_of(call.func), root_of(call.func)
        is_method = isinstance(call.func, ast.Attribute) and name == "clip" and not self.origins.package(call.func)
        return name in names and (self.origins.is_library(call.func) or root == "" or is_method)

    def is_own(self, call: ast.Call) -> bool:
        """Whether the file's own function is called, or handed on: f(x), self.f(x), np.vectorize(f)(x), map(f, x)."""
        if call not in self._own:
            self.origins.work.spend(len(call.args) + len(call.keywords))
            self._own[call] = self._is_own_call(call)
        return self._own[call]

    def _is_own_call(self, call: ast.Call) -> bool:
        function, origins = call.func, self.origins
        if any(isinstance(one, ast.Lambda) or self.names_function(one) for one in self.arguments(call)):
            return True
        if isinstance(function, ast.Name):
            return self.names_function(function) or origins.key(function) is not None
        if isinstance(function, ast.Attribute):
            return self.names_function(function) or (
                name_of(function.value) in ("self", "cls") and origins.key(function) is not None
            )
        return True

    def names_function(self, node: ast.expr) -> bool:
        name = word_of(node)
        return name in self.origins.functions and not self.origins.is_library(node)


def names_sum(function: ast.expr) -> bool:
    """Whether it adds: np.add, np.subtract.outer, operator.add."""
    while isinstance(function, ast.Attribute):
        if function.attr in SUMS:
            return True
        function = function.value
    return name_of(function) in SUMS
