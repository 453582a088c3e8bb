"""Asking a student's code without trusting it: a fresh, locked process each time, of which only arrays come back.

outcome = ask({**tree, "layers/fc.py": theirs}, probes)     questions.py, in the grader's process
forkserver.py                                               the process that locked ones are copies of
child.py                                                    what that process runs, and the locked ones
locks.py  syscalls.py                                       what the kernel keeps from them
asking.py                                                   asks the code, inside
"""

from handgrad.grading.sandbox.forkserver import SandboxError
from handgrad.grading.sandbox.questions import (
    FINISHED,
    NO_ANSWER,
    Answer,
    Failure,
    Limits,
    Outcome,
    ask,
    plain,
    precompiled,
)

__all__ = [
    "FINISHED",
    "NO_ANSWER",
    "Answer",
    "Failure",
    "Limits",
    "Outcome",
    "SandboxError",
    "ask",
    "plain",
    "precompiled",
]
