"""What runs inside the sandbox: a server, guards that end everything, and locked processes that ask a student's code.

Run as `python -I -S -B child.py CONTROL PACKAGES`: a socket's descriptor, and NumPy's and SciPy's folders (JSON). Each
message on the socket (see forkserver.py) is JSON, the folder to stand in and the wall limit (s), with four descriptors:
of the locked process its input, its answers, its log, and of its guard what tells (JSON) the process's wait status and
whether it ran out of time. The input is a line of settings (JSON), then as many bytes of probes as it says (see
protocol.py). Any byte ends the guard, and is answered by the CPU time (s).

The grader believes nothing that comes out of here beyond "these are arrays", save the first frame: the missing locks,
written before any of the student's code is there. What asks that code is in asking.py and in the tree's
assignment/probes, both out of the code's reach (`_Apart`).
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from handgrad.grading.sandbox import locks
else:  # the package handgrad is the student's in here
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import locks


PATIENCE = 5.0
"""Seconds after which what does not end is left."""
MOST_DESCRIPTORS = 256


class _Over(BaseException):
    """Time is up (SIGALRM), or the server wants an end or is gone (SIGTERM)."""


def main() -> NoReturn:
    """Loads what every process needs, then serves the grader until its end of the socket is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    packages = json.loads(sys.argv[2])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by who started the grader, no child could be waited for
    locks.adopt_orphans()
    sys.meta_path[:0] = [_Apart, _Packages(packages)]
    if sys.platform == "linux":  # elsewhere the libraries that NumPy calls need not outlive a fork
        _load(packages)
        gc.freeze()
    is_grader_there = True
    while is_grader_there:
        is_grader_there = _serve(control, packages)
    os._exit(0)


def _serve(control: socket.socket, packages: Mapping[str, str]) -> bool:
    """Makes a guard for one message, and has it end when the grader says so; whether the grader is still there.

    Not in `main`, whose names with their values every copy finds: none of them may tell of another process.
    """
    message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
    if not message:
        return False
    asked = json.loads(message)
    guard = os.fork()
    if not guard:
        control.close()
        _guarded(packages, asked["tree"], asked["wall"], *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    is_there = bool(control.recv(1))
    cpu = _ended(guard)
    if is_there:
        control.sendall(b"%f" % cpu)
    else:  # it was killed, and removes nothing any more
        shutil.rmtree(os.path.dirname(asked["tree"]), ignore_errors=True)
    return is_there


def _load(packages: Mapping[str, str]) -> None:
    """Imports what every process needs before it is locked: NumPy and SciPy, and what asks a student's code; once."""
    for name in (*packages, "asking"):
        importlib.import_module(name)


def _ended(guard: int) -> float:
    """Ends the guard, which first ends all under it, and what it has left; their CPU time (s)."""
    os.kill(guard, signal.SIGTERM)
    patience = time.monotonic() + PATIENCE
    while True:
        pid, _, usage = os.wait4(guard, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > patience:
            os.kill(guard, signal.SIGKILL)
        time.sleep(0.001)
    _end_children()
    return usage.ru_utime + usage.ru_stime


def _guarded(
    packages: Mapping[str, str], tree: str, wall: float, source: int, answers: int, log: int, life: int
) -> NoReturn:
    """Becomes a guard with a locked process under it, both of which stand in the folder `tree`."""
    try:
        os.setsid()
        locks.die_with_parent(signal.SIGTERM)
        locks.adopt_orphans()
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, _over)
        os.chdir(tree)
        for descriptor, own in ((source, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, own)
        child = os.fork()
        if child:
            _guard(child, wall, life)
            os._exit(0)
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        locks.die_with_parent(signal.SIGKILL)
        os.setpgid(0, 0)
        _locked(packages, answers)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(70)


def _over(number: int, frame: object) -> NoReturn:
    raise _Over(number)


def _guard(child: int, wall: float, life: int) -> None:
    """Waits for `child`, ends what it leaves behind, daemons in sessions of their own too, and tells how it ended."""
    status, over = None, 0
    try:
        signal.setitimer(signal.ITIMER_REAL, wall)
        os.closerange(0, life)  # the child's own
        os.closerange(life + 1, MOST_DESCRIPTORS)
        _, status = os.waitpid(child, 0)
    except _Over as caught:
        over = caught.args[0]
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    status = _end_children().get(child, status)
    if over != signal.SIGTERM:  # else the grader has had enough, or the end came from outside
        with contextlib.suppress(OSError):
            os.write(life, json.dumps({"status": status, "late": over == signal.SIGALRM}).encode())


def _end_children() -> dict[int, int]:
    """Ends this process's children, adopted orphans too, and their children in turn; their wait statuses."""
    ended: dict[int, int] = {}
    patience = time.monotonic() + PATIENCE
    while time.monotonic() < patience:
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        ended[pid] = status
        if pid == 0:
            time.sleep(0.002)
    return ended


def _children() -> list[int]:
    """The children of this process, adopted orphans among them (on Linux)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _locked(packages: Mapping[str, str], answers: int) -> None:
    """Puts the locks on, then answers one probe after the other."""
    source = sys.stdin.buffer
    settings = json.loads(source.readline())
    missing = locks.limit(settings["cpu"], settings["memory"])
    _load(packages)  # while the processor's description may still be read
    if TYPE_CHECKING:
        from handgrad.grading.sandbox import asking, protocol
    else:
        import asking
        import protocol
    questions = list(protocol.frames(source.read(settings["length"])))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.closerange(3, answers)
    os.closerange(answers + 1, MOST_DESCRIPTORS)
    sys.path[0] = settings["tree"]
    sys.path.append(sys.path.pop(0))  # the standard library and NumPy come first
    view, folders = settings["view"], settings["folders"]
    missing += locks.lock(view, folders, bytes.fromhex(settings["filter"]))
    asking.send(answers, protocol.frame({"locks": missing}, {}))
    asked = asking.prepared(questions)
    sys.meta_path.remove(_Apart)
    _hide()
    asking.answer(asked, answers, settings["tree"])


class _Packages:
    """Finds packages in their folders, and no others that lie beside them."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = places

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [os.path.dirname(self.places[name])]) if name in self.places else None


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
    try:
        main()
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
