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
NO_METHOD = re.compile(r"'([\w.]+)' object has no attribute '(forward|backward|recall|step|hits)'")
EMPTY = re.compile(r"(?:the (?:layer|model|loss)|Sequential\b.*): backward found self.cache empty")
UNSET = re.compile(r"(?:name|local variable) '(scores|grads|dx)' (?:is not defined|where it is not)")
MEANT = (
    (re.compile(r"has no parameter b$"), "a layer made with bias=False has no b: ask self.bias first"),
    (re.compile(r"math range error"), "math.exp overflows above 709: take exp of what is never positive, or np.exp"),
    (
        re.compile(r"values to unpack \(expected (\d+)"),
        "{0} names stand for the sizes of an array that may have fewer or more axes: leave their number open (x.shape)",
    ),
    (
        re.compile(r"^'([\w.]+)'$"),
        "nothing is named {0} there: take the names that there are, from the dictionary itself",
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
    found = (sentence for error in errors for sentence in _sentences(error.message))
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


def _sentences(message: str) -> Iterator[str]:
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
    found = NO_METHOD.search(message)
    if found:
        yield (
            f".{found[2]} is called of a {found[1]}: the name before the dot is another thing than you think, or was "
            "given a new value"
        )
    if EMPTY.search(message):
        yield "backward is called of what has an empty cache: its forward fills that, its predict does not"
    found = UNSET.search(message)
    if found:
        yield f"{found[1]} is not set, and lines after the task use it: give the result that name"
    found = INDEX.search(message)
    if found and found[1] == found[2]:
        yield f"an index runs past the end, to {found[1]} where there are {found[2]} entries, 0 to {int(found[2]) - 1}"


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
