"""Ctrl-C while the command is being imported, or has been interrupted already: it ends at once, without a traceback."""

from __future__ import annotations

import os
import signal
from typing import Any

MESSAGE = "handgrad: interrupted"
CODE = 130


def end_at_once() -> None:
    """Makes Ctrl-C end the process, until `as_usual`; nothing is being written. One that is ignored stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def as_usual() -> None:
    """Makes Ctrl-C a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(signum: int, frame: Any) -> None:
    os.write(2, f"{MESSAGE}\n".encode())
    os._exit(CODE)
