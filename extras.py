"""Optional packages, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any


def need(module: str, extra: str) -> Any:
    """The optional module; ImportError names the extra to install when it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f"this needs {package}: pip install 'handgrad[{extra}]' ({error})") from None


def have(module: str) -> bool:
    """Whether the optional module can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
