"""What a layer must keep to besides the right numbers: its arguments, its memory, its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from handgrad.checking.contract.arrays import integer_input, layouts
from handgrad.checking.contract.memory import no_aliasing, stable_results, unchanged_arguments
from handgrad.checking.contract.place import Place, first_input
from handgrad.checking.contract.state import fresh_cache, fresh_parameters, repeatable
from handgrad.checking.contract.upstream import linear
from handgrad.checking.report import Finding
from handgrad.checking.subject import BadReturn, LayerError

Item = Callable[[Place], Iterator[Finding]]

GRADIENTS = "gradients"
"""What leaves nothing to check but forward: backward is never called."""

ITEMS = (
    "unchanged-arguments",
    "no-aliasing",
    "repeatable",
    "fresh-cache",
    "fresh-parameters",
    "stable-results",
    "linear",
    "layouts",
    "integer-input",
    "shapes",
    "dtype",
    "finite",
)
"""What `skip` can name besides GRADIENTS. shapes, dtype and finite are looked at wherever values are."""


def broken_items(place: Place, skip: Sequence[str]) -> Iterator[Finding]:
    """The findings of every item that is not skipped."""
    checks: dict[str, Item] = {
        "unchanged-arguments": unchanged_arguments,
        "no-aliasing": no_aliasing,
        "repeatable": repeatable,
        "fresh-cache": fresh_cache,
        "fresh-parameters": fresh_parameters,
        "stable-results": stable_results,
        "linear": linear,
        "layouts": layouts,
        "integer-input": integer_input,
    }
    for item, check in checks.items():
        if item in skip:
            continue
        try:
            for finding in check(place):
                finding.item = item
                yield finding
        except (LayerError, BadReturn) as error:
            if item in AT_OTHER_VALUES and isinstance(error, LayerError) and error.deliberate:
                continue  # forward refuses values that its user did not choose
            text = f"{error}" + (f" at {error.place}" if isinstance(error, LayerError) else "")
            yield Finding(
                "y" if isinstance(error, LayerError) and error.stage == "forward" else first_input(place),
                "crash" if isinstance(error, LayerError) else "contract",
                item,
                f"{text}; it did not at the first call, and does when {SITUATIONS[item]}",
                item=item,
            )


AT_OTHER_VALUES = ("fresh-cache", "stable-results", "integer-input")

SITUATIONS = {
    "unchanged-arguments": "it is called once more",
    "no-aliasing": "it is called once more",
    "repeatable": "forward and backward are called a second time",
    "fresh-cache": "another input came before",
    "fresh-parameters": "the parameters were changed in place between two calls",
    "stable-results": "it is called again with another input",
    "linear": "the upstream gradient is scaled",
    "layouts": "an array comes in another memory order (Fortran, strided or reversed)",
    "integer-input": "the input is of integers",
}
