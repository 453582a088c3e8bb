"""The comments that mark solutions, read by Python's own tokenizer: text in a string is no marker."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import NoReturn

FORM = '# BEGIN SOLUTION part.task points=N [hint="..."]'

BEGIN, END, SUFFIX = "BEGIN SOLUTION", "END SOLUTION", "SOLUTION"
SUFFIXES = (SUFFIX, "SOLUTION NO PROMPT")

ATTRIBUTE = re.compile(r'\s*([^\s="]+)(?:=("(?:[^"\\]|\\.)*"|\S*))?')
NAME = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
FARTHEST = 2


class MarkerError(ValueError):
    """A marker is not what it should be; one sentence says where, what was expected and what came."""


@dataclass(frozen=True)
class Marker:
    kind: str
    """BEGIN, END or SUFFIX."""
    line: int
    column: int
    name: str = ""
    """Empty where the marker gives none, as other courses' do."""
    points: int | None = None
    hint: str = ""


def lines_of(text: str) -> list[str]:
    """The lines as Python counts them, each with its own end."""
    return LINE.findall(text)


def tokens_of(text: str, path: str) -> list[tokenize.TokenInfo]:
    """The tokens of a Python file. MarkerError where Python cannot read it."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        return list(tokenize.generate_tokens(io.StringIO(plain).readline))
    except (tokenize.TokenError, SyntaxError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else error.args[1][0]
        message = error.msg if isinstance(error, SyntaxError) else error.args[0]
        raise MarkerError(f"{path}:{line}: cannot be read as Python: {message}") from None


def markers_of(text: str, path: str) -> list[Marker]:
    """All markers of a Python file in order. MarkerError for look-alikes and for those that say something else."""
    if not _may_hold_markers(text):
        return []
    found = []
    for token in tokens_of(text, path):
        if token.type == tokenize.COMMENT:
            marker = _marker(token, path)
            if marker is not None:
                found.append(marker)
    return found


def wrong(path: str, line: int, message: str) -> NoReturn:
    raise MarkerError(f"{path}:{line}: {message}")


def _marker(token: tokenize.TokenInfo, path: str) -> Marker | None:
    (line, column), comment = token.start, token.string.rstrip()
    body = comment.lstrip("#").strip()
    alone = not token.line[:column].strip()
    begun = re.fullmatch(rf"{BEGIN}(?: NO PROMPT)?(?:\s+(.*))?", body)
    if (begun or body == END) and not alone:
        wrong(path, line, f"expected the marker on a line of its own, got {token.line.strip()!r}")
    if begun:
        return _begin(begun.group(1) or "", line, column, path)
    if body == END:
        return Marker(END, line, column)
    if body in SUFFIXES and not alone:
        return Marker(SUFFIX, line, column)
    meant = _meant(body)
    if meant:
        expected = FORM if meant == BEGIN else "# END SOLUTION" if meant == END else "statement  # SOLUTION"
        wrong(path, line, f"expected the marker {expected!r}, got {comment!r}")
    return None


def _may_hold_markers(text: str) -> bool:
    """Whether what follows any # looks like a marker. Most files need not be read by the tokenizer, which is slow."""
    bodies = (match.group(1) for match in re.finditer(r"#(?=([^\r\n]*))", text))
    return any(_meant(body) for body in bodies)


def _begin(text: str, line: int, column: int, path: str) -> Marker:
    """The opening marker, whose name and points are missing altogether in other courses."""
    if not text:
        return Marker(BEGIN, line, column)
    name, given, place = "", {}, 0
    while place < len(text):
        match = ATTRIBUTE.match(text, place)
        if match is None:
            wrong(path, line, f"expected {FORM!r}, cannot read {text[place:].strip()!r}")
        key, value = match.groups()
        if value is None and not place:
            name = key
        elif value is None or key not in ("points", "hint") or key in given:
            wrong(path, line, f"expected {FORM!r}, got {match.group().strip()!r}")
        else:
            given[key] = value
        place = match.end()
    if not NAME.fullmatch(name):
        wrong(path, line, f"expected a name such as fc.backward after {BEGIN}, got {name or text!r}")
    points, hint = given.get("points", ""), given.get("hint", '""')
    if not re.fullmatch(r"[0-9]{1,6}", points):
        wrong(path, line, f"{name}: expected points=N with a whole number N >= 0, got {points or 'no points'!r}")
    try:
        words = ast.literal_eval(hint) if hint.startswith('"') else None
    except (ValueError, SyntaxError):
        words = None
    if not isinstance(words, str) or not words.isprintable():
        wrong(path, line, f'{name}: expected hint="one line of words in double quotes", got hint={hint}')
    return Marker(BEGIN, line, column, name, int(points), words)


def _meant(body: str) -> str:
    """The marker that a comment resembles: with at most two letters wrong, in other capitals, or led by other words."""
    words = re.sub(r"^[\W_]+", "", body).upper().rstrip()
    if not re.search("SOL|UT|ION", words):  # two wrong letters leave one of them whole
        return ""
    for marker in (BEGIN, END):
        if re.search(rf"\b{marker}\b", body):
            return marker
        ends = range(len(marker) - FARTHEST, min(len(marker) + FARTHEST, len(words)) + 1)
        if any(
            _distance(words[:end], marker) <= FARTHEST
            for end in ends
            if end == len(words) or not words[end].isalnum() or not words[end - 1].isalnum()
        ):
            return marker
    return SUFFIX if _distance(words, SUFFIX) <= FARTHEST or words in SUFFIXES else ""


def _distance(a: str, b: str) -> int:
    """How many letters must be put in, left out or exchanged to make b of a (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (letter != other))
    return row[-1]
