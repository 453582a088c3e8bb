"""What runs inside the sandbox: a guard that ends everything, and the locked process that asks a student's code.

Run as `python -I -S -B child.py WALL ANSWERS LIFE`: the wall limit (s), the descriptor that answers go to, and the one
on which the guard tells (JSON) the locked process's wait status and whether it ran out of time. Standard input holds a
line of settings (JSON), then the probes (see protocol.py). The parent believes nothing that comes out of here beyond
"these are arrays", save the first frame: the missing locks, written before any of the student's code is there.
What asks that code is in asking.py and in the tree's assignment/probes, both out of the code's reach (`_Apart`).
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from handgrad.grading import locks
else:  # the package handgrad is the student's in here
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import locks


class _Over(BaseException):
    """Time is up (SIGALRM), or the parent has had enough or is gone (SIGTERM)."""


def main() -> NoReturn:
    wall, answers, life = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    parent = os.getppid()
    locks.die_with_parent(signal.SIGTERM)
    locks.adopt_orphans()
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, _over)
    child = os.fork()
    if child:
        _guard(child, wall, answers, life)
        if os.getppid() != parent:  # it was killed, and removes nothing any more
            import shutil

            shutil.rmtree(os.path.dirname(os.getcwd()), ignore_errors=True)
        os._exit(0)
    try:
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        locks.die_with_parent(signal.SIGKILL)
        os.close(life)
        os.setpgid(0, 0)
        _locked(answers)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(70)


def _over(number: int, frame: object) -> NoReturn:
    raise _Over(number)


def _guard(child: int, wall: float, answers: int, life: int) -> None:
    """Waits for `child` and ends whatever it leaves behind, daemons in sessions of their own too."""
    status, late = None, False
    try:
        signal.setitimer(signal.ITIMER_REAL, wall)
        for descriptor in (0, 1, 2, answers):  # the child's own
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
    except _Over as over:
        late = over.args[0] == signal.SIGALRM
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    patience = time.monotonic() + 5
    while time.monotonic() < patience:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == child:
            status = ended
        elif pid == 0:
            time.sleep(0.002)
    with contextlib.suppress(OSError):
        os.write(life, json.dumps({"status": status, "late": late}).encode())


def _children() -> list[int]:
    """The children of this process, adopted orphans among them (on Linux)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _locked(answers: int) -> None:
    """Puts the locks on, then answers one probe after the other."""
    source = sys.stdin.buffer
    settings = json.loads(source.readline())
    missing = locks.limit(settings["cpu"], settings["memory"])
    sys.path.append(settings["packages"])
    sys.meta_path.insert(0, _Apart)
    if TYPE_CHECKING:
        from handgrad.grading import asking, protocol
    else:
        import asking
        import protocol  # with it NumPy, while the processor's description may still be read
    questions = list(protocol.frames(source.read()))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.closerange(3, answers)
    os.closerange(answers + 1, 64)
    sys.path[0] = settings["tree"]
    sys.path.append(sys.path.pop(0))  # the standard library and NumPy come first
    view, folders = settings["view"], settings["folders"]
    missing += locks.lock(view, folders, bytes.fromhex(settings["filter"]))
    asking.send(answers, protocol.frame({"locks": missing}, {}))
    asked = asking.prepared(questions)
    sys.meta_path.remove(_Apart)
    _hide()
    asking.answer(asked, answers, settings["tree"])


class _Apart:
    """Imports what asks a student's code, so that nothing this code changes by name changes what is asked or reported.

    Its modules have `builtins` of their own, and `_hide` makes them unknown before the code is imported: whoever
    imports them then gets new ones, which nobody uses. The same holds for this module and those beside it.
    """

    BUILTINS = vars(builtins).copy()

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if _is_apart(name) else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = _Apart.BUILTINS
        super().exec_module(module)


def _is_apart(name: str) -> bool:
    return name in ("asking", "locks", "protocol") or f"{name}.".startswith("handgrad.assignment.")


def _hide() -> None:
    for name in [name for name in sys.modules if _is_apart(name)]:
        del sys.modules[name]
        folder, _, own = name.rpartition(".")
        if folder in sys.modules:
            delattr(sys.modules[folder], own)
    sys.modules["__main__"] = ModuleType("__main__")


if __name__ == "__main__":
    main()
