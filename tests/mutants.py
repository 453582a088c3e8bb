"""Mutants of every backward of the package, with one thing changed at a time: see course/mutation.py."""

import inspect
import sys
import textwrap
from dataclasses import dataclass

from handgrad.course import mutation


@dataclass(frozen=True)
class Mutant:
    """A class whose backward differs from the original's in one place."""

    original: type
    changed: type
    what: str

    def __str__(self):
        return f"{self.original.__name__}: {self.what}"


def mutants_of(cls):
    """Every mutant of the backward that `cls` defines itself."""
    source = textwrap.dedent(inspect.getsource(cls.backward))
    return [
        Mutant(cls, _class(cls, one.code), f"line {one.line}: {'; '.join(one.before)} -> {'; '.join(one.after)}")
        for one in mutation.mutants_of(source, mutation.basic_ways)
    ]


def _class(cls, text):
    names = dict(vars(sys.modules[cls.__module__]))
    exec(compile(text, f"<mutant of {cls.__name__}>", "exec"), names)
    return type(cls.__name__, (cls,), {"backward": names["backward"], "__module__": cls.__module__})
