"""What an error means that a student's code raised: NumPy's words about shapes, in sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from handgrad.params import Array

SHAPE = r"\(([\d, ]*)\)"
DOT = re.compile(rf"shapes {SHAPE} and {SHAPE} not aligned")
MATMUL = re.compile(r"matmul: .*mismatch in its core dimension 0.*\(size (\d+) is different from (\d+)\)")
BROADCAST = re.compile(rf"could not be broadcast together with shapes {SHAPE} {SHAPE}")
INDEX = re.compile(r"index (\d+) is out of bounds for axis \d+ with size (\d+)")
NUMPYS = re.compile(r"not aligned|matmul|broadcast|out of bounds|cannot reshape|index did not match|concatenation axis")
"""What NumPy's own messages about sizes have in them."""

UNPACKED = re.compile(r"(not enough|too many) values to unpack \(expected (\d+)(?:, got (\d+))?")
OWN_EMPTY = re.compile(r"\): backward found self.cache empty")
MEANT = (
    (re.compile(r"has no parameter b$"), "a layer made with bias=False has no b: ask self.bias first"),
    (
        re.compile(r"only integer scalar arrays can be converted to a scalar index"),
        "an array stands where one number must, such as an axis: np.max(a, b) takes b for an axis, np.maximum(a, b) is "
        "entry by entry",
    ),
    (
        re.compile(r"only integers, slices \(`:`\)"),
        "an array is indexed by what is no place in it, such as a name: one flat vector has no names",
    ),
    (re.compile(r"math range error"), "math.exp overflows above 709: take exp of what is never positive, or np.exp"),
    (
        re.compile(r"^'([\w.]+)'$"),
        "nothing is named {0} there: take the names that there are, from the dictionary itself",
    ),
    (
        re.compile(r"boolean array indexing assignment"),
        "a mask has as many places as entries that are True: it stands on both sides, dx[mask] = upstream[mask]",
    ),
    (
        re.compile(r"truth value of an array"),
        "if, and, or, max() and min() want one truth value, and an array has one for each entry: np.where, np.maximum "
        "or a mask look at them all",
    ),
    (
        re.compile(r"'numpy\.ndarray' object has no attribute '(grad|zero_grad|requires_grad|detach|numpy)'"),
        "NumPy's arrays have no .{0}, that is PyTorch: gradients are returned, in a dictionary by name",
    ),
    (
        re.compile(r"'numpy\.ndarray' object has no attribute '(exp|log|sqrt|tanh|maximum|minimum|abs|where|matmul)'"),
        "{0} is no method of an array but a function of NumPy's: np.{0}(...)",
    ),
    (
        re.compile(r"'numpy\.ndarray' object has no attribute '(?:items|keys|values|get|update)'"),
        "an array stands where a dictionary of gradients belongs: backward returns (dx, {{name: gradient}}), dx first",
    ),
    (
        re.compile(
            r"'(?:int|float|numpy\.float\d+)' object (?:has no attribute '(?:shape|reshape|ndim|T|size|dot|sum|copy)'"
            r"|is not subscriptable|is not iterable|does not support item)|object of type '(?:int|float)' has no len"
        ),
        "a plain number is taken for an array: a loss is one, and so is the upstream of its backward, which multiplies",
    ),
    (
        re.compile(r"dscores\b.* must be an array of real numbers, got (?:dict|a tuple)"),
        "a loss's backward returns dscores alone, and no dictionary beside it: a loss has no parameters",
    ),
    (
        re.compile(r"(tuple|list) index out of range"),
        "a place is asked for that the {0} does not have: a model may have no layers, a shape one axis only",
    ),
    (
        re.compile(r"a layer's backward was given a (?:tuple|dict)"),
        "a layer's backward returns the pair (dx, grads): the layer before it takes dx, the first of the two, alone",
    ),
    (
        re.compile(r"'(\w+)' object is not reversible"),
        "reversed takes no {0}: make a list of it first, reversed(list(...))",
    ),
    (
        re.compile(r"unsupported operand type.* for .*'(dict|Grads|Params)'"),
        "a dictionary (a {0}) is calculated with as if it were an array: take the arrays in it, name by name",
    ),
    (
        re.compile(r"unsupported operand type.* for .*'tuple'"),
        "a pair is calculated with as if it were an array: take it apart, as in dx, grads = layer.backward(upstream)",
    ),
    (
        re.compile(r"unsupported operand type.* for .*'NoneType'"),
        "None is calculated with: it is what a function without return gives, and what is not set yet",
    ),
    (
        re.compile(r"^(\w+\.(?:forward|backward|step|update))$"),
        "{0} is another task: each part is asked alone, and has to do with what its function is given (such as model, "
        "loss and optimizer)",
    ),
    (
        re.compile(r"'([\w.]+)' object has no attribute '(forward|backward|recall|step|hits)'"),
        ".{1} is called of a {0}: the name before the dot is another thing than you think, or was given a new value",
    ),
    (
        re.compile(r"(?:the (?:layer|model|loss)|Sequential\b.*): backward found self.cache empty"),
        "backward is called of what has an empty cache: its forward fills that, its predict does not, nor does the "
        "forward of a copy",
    ),
    (OWN_EMPTY, "self.cache is empty where backward wants it: forward fills it, and backward leaves it as it is"),
    (
        re.compile(r"(?:name|local variable) '(scores|grads|dx)' (?:is not defined|where it is not|referenced before)"),
        "{0} is not set, and lines after the task use it: give the result that name",
    ),
)
"""What other messages mean."""

NUMBERS_OF = (SHAPE, r"size (\d+)", r"index (\d+)")
"""Where sizes stand in NumPy's messages."""

ENOUGH = 3
"""So many errors must name a size that their arrays do not have, lest it is called a number of the code by chance."""

UNTOLD = 1
"""A size that says nothing: it occurs whatever the arrays are."""


@dataclass(frozen=True)
class Raised:
    """An error of one question: its message, the place in the student's file, the arrays that the question gave."""

    message: str
    where: str = ""
    arrays: Mapping[str, Array] = field(default_factory=dict)


def essence(message: str) -> str:
    """The message, but the same for all ways to write one product or one sum whose shapes do not fit."""
    inner = _inner(message)
    if inner:
        return f"product of {inner[0]} columns and {inner[1]} rows"
    broadcast = BROADCAST.search(message)
    return f"broadcast of {broadcast[1]} and {broadcast[2]}" if broadcast else message


def explanations(errors: Sequence[Raised]) -> list[str]:
    """What the errors mean, as far as their words tell."""
    written = _written_in(errors)
    if written:
        return [
            f"the number {size} is written into the code, where arrays of other sizes come: take sizes from the "
            "arrays, such as len(x) or x.shape[1]"
            for size in sorted(written)[:1]
        ]
    found = (sentence for error in errors for sentence in _sentences(error))
    return list(dict.fromkeys(found))[:1]


def _written_in(errors: Sequence[Raised]) -> set[int]:
    """The sizes that most of the errors at one place name, and ENOUGH of those whose arrays have no such size."""
    by_place: dict[str, list[Raised]] = {}
    for error in errors:
        by_place.setdefault(error.where, []).append(error)
    for place, own in by_place.items():
        named = Counter(size for error in own for size in {*_sizes(error.message)})
        strange = Counter(size for error in own for size in {*_sizes(error.message)} - _given(error.arrays))
        written = {size for size, times in strange.items() if times >= ENOUGH and named[size] * 2 > len(own)}
        if place and written:
            return written
    return set()


def _sizes(message: str) -> Iterator[int]:
    if not NUMPYS.search(message):  # of the package's own messages: what was given, and what is expected
        return
    for pattern in NUMBERS_OF:
        for found in re.findall(pattern, message):
            yield from (int(number) for number in re.findall(r"\d+", found))


def _given(arrays: Mapping[str, Array]) -> set[int]:
    return {UNTOLD, 0, *(size for array in arrays.values() for size in array.shape)}


def _inner(message: str) -> tuple[int, int] | None:
    """The columns of a product's first factor and the rows of its second, where these differ."""
    found = DOT.search(message)
    if found:
        first, second = _shape(found[1]), _shape(found[2])
        return first[-1], second[-2] if len(second) > 1 else second[0]
    found = MATMUL.search(message)
    return (int(found[2]), int(found[1])) if found else None


def _sentences(error: Raised) -> Iterator[str]:
    message = error.message
    inner = _inner(message)
    if inner:
        yield (
            f"the factors of a product do not fit, the first has {inner[0]} columns and the second {inner[1]} rows: "
            f"{_mend(message)}"
        )
    found = BROADCAST.search(message)
    if found:
        first, second = _shape(found[1]), _shape(found[2])
        for matrix, vector in ((first, second), (second, first)):
            if len(matrix) == 2 and vector == matrix[:1]:
                yield (
                    f"one number for each row, {list(vector)}, does not go with {list(matrix)}: make a column of it, "
                    "[:, None], or keepdims=True in the sum or maximum that it comes of"
                )
                return
        yield f"arrays of the shapes {list(first)} and {list(second)} cannot be combined entry by entry"
    for pattern, sentence in MEANT:
        found = pattern.search(message)
        if found:
            yield sentence.format(*found.groups())
    yield from _unpacked(error)
    found = INDEX.search(message)
    if found and found[1] == found[2]:
        yield f"an index runs past the end, to {found[1]} where there are {found[2]} entries, 0 to {int(found[2]) - 1}"


def _unpacked(error: Raised) -> Iterator[str]:
    """Of values that are more or fewer than the names for them: sizes, where an input has that many, or rows."""
    found = UNPACKED.search(error.message)
    if not found:
        return
    names = int(found[2])
    axes = [array.ndim for name, array in error.arrays.items() if name.startswith(("x", "upstream"))]
    if any(n == int(found[3] or 0) if found[1] == "not enough" else n > names for n in axes):
        yield (
            f"{names} names stand for the sizes of an array that may have fewer or more axes: leave their number open "
            "(x.shape)"
        )
    else:
        yield (
            f"an array is taken apart into {names} names, row by row: forward returns one array, as a loss's backward "
            "does; a layer's backward returns the pair (dx, grads)"
        )


def _mend(message: str) -> str:
    found = DOT.search(message)
    if found:
        first, second = _shape(found[1]), _shape(found[2])
        if len(first) == len(second) == 2:
            fits = {
                "the second one transposed (.T) would fit": first[1] == second[1],
                "the first one transposed (.T) would fit": first[0] == second[0],
                "they would fit in the other order": first[0] == second[1],
            }
            told = [words for words, is_fit in fits.items() if is_fit]
            if told:
                return ", or ".join(told)
    return "a .T is missing or one too many, or they stand in the wrong order"


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))
