"""TOML files read with one clear sentence for whatever is not as it should be."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NoReturn, TypeVar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

KINDS = {str: "words in quotes", int: "a whole number >= 0", list: "a list", dict: "a table"}


class AssignmentError(ValueError):
    """An assignment.toml is missing or wrong; one sentence says where, what was expected and what came."""


class Table:
    """A table of a TOML file. What is asked for must be there and of its kind; `end` refuses what nobody asked for."""

    def __init__(self, content: dict[str, Any], where: str) -> None:
        self.content, self.where = dict(content), where

    def text(self, key: str, default: str | None = None) -> str:
        value = self._taken(key, str, default)
        if not value.isprintable() or (not value.strip() and default is None):
            self.wrong(f"{key} must be one line of words, got {value!r}")
        return value

    def name(self, key: str, form: str, example: str) -> str:
        value = self.text(key)
        if not re.fullmatch(form, value):
            self.wrong(f"{key} must be such as {example!r}, got {value!r}")
        return value

    def whole(self, key: str) -> int:
        value = self._taken(key, int, None)
        if isinstance(value, bool) or value < 0:
            self.wrong(f"{key} must be {KINDS[int]}, got {value!r}")
        return value

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        values = self._taken(key, list, default)
        for value in values:
            if not isinstance(value, str) or not value.isprintable() or not value.strip():
                self.wrong(f"{key} must be a list of words in quotes, got {value!r} in it")
        return tuple(values)

    def table(self, key: str) -> Table:
        """A table in this one, empty where it is not there."""
        return Table(self._taken(key, dict, {}), f"{self.where}, [{key}]")

    def tables(self, key: str) -> list[Table]:
        """The tables [[key]], at least one."""
        values = self._taken(key, list, None)
        if not values or not all(isinstance(value, dict) for value in values):
            self.wrong(f"expected at least one [[{key}]], got {values!r}")
        return [Table(value, f"{self.where}, [[{key}]] {number}") for number, value in enumerate(values, 1)]

    def keys(self) -> list[str]:
        """What nobody has asked for yet."""
        return list(self.content)

    def end(self) -> None:
        if self.content:
            self.wrong(f"does not know {', '.join(map(repr, self.content))}")

    def wrong(self, message: str) -> NoReturn:
        raise AssignmentError(f"{self.where}: {message}")

    def _taken(self, key: str, kind: type[T], default: T | None) -> T:
        if key not in self.content:
            if default is None:
                self.wrong(f"expected {key} = ..., {KINDS[kind]}; it is missing")
            return default
        value = self.content.pop(key)
        if not isinstance(value, kind):
            self.wrong(f"{key} must be {KINDS[kind]}, got {value!r}")
        return value


def read_toml(path: Path) -> Table:
    """The file's table. AssignmentError where it is missing, unreadable or no TOML."""
    try:
        return Table(tomllib.loads(path.read_bytes().decode("utf-8-sig")), str(path))
    except FileNotFoundError:
        raise AssignmentError(f"{path}: no such file") from None
    except OSError as error:
        raise AssignmentError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise AssignmentError(f"{path}: expected UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise AssignmentError(f"{path}: expected TOML: {error}") from None
