"""A process of its own for each peer and setting, which works when it is told to and sleeps in between."""

from __future__ import annotations

import copy
import importlib
import os
import pickle
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from benchmarks import machine
from benchmarks.peers.base import Unsupported

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
UNTOUCHED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Unset, lest one BLAS runs otherwise than its users have it."""

CHECKED_REPEATS = 5
"""Of the distinct batches, after which the weights are compared."""


class Pass(NamedTuple):
    """What one pass over the batches took."""

    step: float
    """Seconds a step."""
    seconds: float
    others: float | None
    """Seconds that the cpus worked for other processes meanwhile; None where that is not to be had."""
    asleep: bool
    """Whether the process had gone to sleep before it answered."""


class WorkerError(Exception):
    """What went wrong in a worker, in one line."""


def environment(setting: str) -> dict[str, str]:
    """The environment of a process that may use so many threads: "1 thread", "2 threads", "1 cpu"."""
    kept = {name: value for name, value in os.environ.items() if name not in UNTOUCHED}
    return kept | dict.fromkeys(THREAD_VARIABLES, setting.split()[0])


def pin(setting: str, package: str) -> None:
    """Keeps this process to its cpus, where the number of threads follows from that: in JAX."""
    if (setting.endswith("cpu") or package == "jax") and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(setting.split()[0])])


class Worker:
    """The parent's end."""

    def __init__(self, file: str, setting: str) -> None:
        self.file, self.setting = file, setting
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        call = f"from benchmarks.worker import serve; serve({file!r}, {setting!r})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", call],
            env=environment(setting),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def ask(self, what, *arguments):
        """The worker's answer; WorkerError when there is none."""
        try:
            pickle.dump((what, arguments), self._process.stdin)
            self._process.stdin.flush()
            ok, answer = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            code = self._process.wait()
            raise WorkerError(f"the process ended with code {code}: {lines[-1] if lines else ''}") from None
        if not ok:
            raise WorkerError(answer)
        return answer

    def close(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.stdout.close()
        self._errors.close()


class Served:
    """The worker's end: the questions it answers."""

    def __init__(self, file: str) -> None:
        self.module = importlib.import_module(f"benchmarks.peers.{file}")

    def load(self, net):
        """Makes the peer for this net and compiles it; the weights after a first few steps, none for the products.

        None where the library has no such net.
        """
        try:
            self.peer = self.module.Peer(net)
        except Unsupported:
            return None
        self.peer.load(CHECKED_REPEATS)
        self.peer.run()
        weights = copy.deepcopy(self.peer.weights())  # the next steps may change them in place
        self.peer.load(net.repeats)
        self.steps = net.DISTINCT * net.repeats
        self.peer.run()
        return weights

    def time(self):
        """What one pass took: see Pass."""
        busy, own, start = machine.busy_seconds(), time.process_time(), time.perf_counter()
        step = self.peer.run()
        seconds, own = time.perf_counter() - start, time.process_time() - own
        others = None if busy is None else machine.busy_seconds() - busy - own
        return Pass(step or seconds / self.steps, seconds, others, asleep())


def asleep() -> bool:
    """Waits until no thread of this process runs any more: those of a BLAS wait busily for a while."""
    for _ in range(100):
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.0005:
            return True
    return False


def serve(file: str, setting: str) -> None:
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pin(setting, file.partition("_")[0])
    served = None
    while True:
        try:
            what, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            served = served or Served(file)
            answer = True, getattr(served, what)(*arguments)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}".strip().splitlines()[0]
        pickle.dump(answer, answers)
        answers.flush()
