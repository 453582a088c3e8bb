"""The trees that a student's file is put into: the handout's files, without what would help it to answers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files as resources

from handgrad.grading.sandbox import precompiled

HIDDEN = ("assignment/", "checking/", "commands/", "course/", "docs/", "examples/", "grading/", "tests/")
HIDDEN_FILES = ("__main__.py", "cli.py", "confusion.py", "expression.py", "gradcheck.py", "monitor.py")
SHOWN = ("assignment/__init__.py", "assignment/probes/")
"""What of the hidden folders the child needs after all."""

PACKAGE = b'''"""handgrad, as far as the graded code needs it: each public name where it is looked for."""

from importlib import import_module


def __getattr__(name):
    if not name.startswith("_"):
        for module in ("layers", "losses", "model", "optim", "train", "history"):
            found = import_module(f"handgrad.{module}")
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module 'handgrad' has no attribute {name!r}")
'''


def asked_tree(skeleton: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the child sees that answers probes: no checker, since its definitions are answers."""
    seen = {path: content for path, content in skeleton.items() if path.endswith(".py") and _is_seen(path)}
    return precompiled({**seen, "__init__.py": PACKAGE})


def checked_tree(skeleton: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the child sees whose words, and nothing but words, come from the gradient checker."""
    runner = resources("handgrad.grading").joinpath("gradients.py").read_bytes()
    seen = {path: content for path, content in skeleton.items() if path.endswith((".py", ".npz"))}
    return precompiled({**seen, "assignment/probes/gradients.py": runner})


def _is_seen(path: str) -> bool:
    return path not in HIDDEN_FILES and (path.startswith(SHOWN) or not path.startswith(HIDDEN))
