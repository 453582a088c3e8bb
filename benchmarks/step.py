"""One step of training: handgrad beside its peers on the same net, weights and batches, and the limit of all.

    python -m benchmarks.step [--quick] [--rounds N] [--nets WORD ...] [--peers NAME ...]
                              [--markdown FILE] [--plot FILE]

Each peer has processes of its own, one for each setting (1 and 2 threads; JAX also kept to one cpu). Only one works
at a time: before it answers, each makes sure that its threads have gone to sleep. (Told to sleep at once by
OMP_WAIT_POLICY=passive, PyTorch took twice as long.) For each net,

1. every peer takes 20 steps from the same weights, which must end as they do in double precision, but for rounding;
2. a short trial finds each peer's fastest setting;
3. round by round, in an order drawn anew, each peer goes over the same batches, and its time a step is recorded.

handgrad's time is that of train() itself, on batches that lie ready in memory as those of its peers do; "handgrad,
steps alone" is without hits and history; "NumPy's calls alone" is without layers and checks, too: no layers made of
these calls can take less. A net that a library cannot have is left out of its table. What is not
installed, and what fails, such as a compilation, is reported by name. So is how much of the machine others had
meanwhile: with threads that wait for one another, one busy process more can double any of the figures.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import cache

import numpy as np

from benchmarks import machine, tables
from benchmarks.nets import NETS, NO_MOMENTUM, Net
from benchmarks.peers import ENTRIES, Entry
from benchmarks.results import Result, Weights, apart
from benchmarks.worker import Worker, WorkerError


def main(argv: list[str] | None = None) -> list[Result]:
    arguments = parsed(argv)
    nets = [net for net in NETS if any(word in net.name for word in arguments.nets)]
    entries = [entry for entry in ENTRIES if entry.name in arguments.peers]
    for entry in entries:
        if not entry.installed:
            print(f"{entry.name}: skipped, it is not installed (pip install {entry.package})")
    entries = [entry for entry in entries if entry.installed]

    about = f"{machine.description(entry.package for entry in entries)}; {arguments.rounds} rounds"
    print(f"{about}\nmicroseconds a step: median (quartiles)")
    results, workers = [], {entry: [Worker(entry.file, setting) for setting in entry.settings] for entry in entries}
    try:
        for net in nets:
            results.append(measure(net, workers, arguments.rounds, arguments.trial))
            print(f"\n{tables.text(results[-1])}", flush=True)
            if arguments.markdown:  # after each net: a run takes long, and may be ended
                tables.write_markdown(arguments.markdown, results, about)
    finally:
        for candidates in workers.values():
            for worker in candidates:
                worker.close()
    if arguments.plot:
        tables.plot(arguments.plot, results, about)
    return results


def parsed(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__.splitlines()[0])
    peers = [entry.name for entry in ENTRIES]
    parser.add_argument("--quick", action="store_true", help="5 rounds, and 1 rather than 10 to find the settings")
    parser.add_argument("--rounds", type=int, metavar="N", help="how many (30)")
    parser.add_argument("--nets", nargs="+", metavar="WORD", default=[""], help="those with such a word in their name")
    parser.add_argument("--peers", nargs="+", metavar="NAME", default=peers, choices=peers, help="only these")
    parser.add_argument("--markdown", metavar="FILE", help="write a table there")
    parser.add_argument("--plot", metavar="FILE", help="draw it there; needs the extra handgrad[plot]")
    arguments = parser.parse_args(argv)
    arguments.rounds = arguments.rounds or (5 if arguments.quick else 30)
    arguments.trial = 1 if arguments.quick else 10
    if not any(word in net.name for net in NETS for word in arguments.nets):
        parser.error(f"{arguments.nets} is in no net's name; there are {'; '.join(net.name for net in NETS)}")
    return arguments


def measure(net: Net, workers: dict[Entry, list[Worker]], rounds: int, trial_rounds: int) -> Result:
    result, ready = Result(net), {}
    for entry, candidates in workers.items():
        if entry.name == NO_MOMENTUM and not net.momentum:
            continue
        own = replace(net, momentum=0.0) if entry.name == NO_MOMENTUM else net
        reference = in_double_precision(own)
        for worker in candidates:
            try:
                weights = worker.ask("load", own)
            except WorkerError as error:
                result.remarks.append(f"{entry.name}, {worker.setting}: {error}")
                continue
            if weights is None:
                continue
            ready.setdefault(entry.name, []).append(worker)
            if weights:
                off = apart(weights, reference, own.weights())
                result.off[entry.name] = max(off, result.off.get(entry.name, 0.0))

    trial = timed([worker for candidates in ready.values() for worker in candidates], trial_rounds, result)
    for name, candidates in ready.items():
        if candidates := [worker for worker in candidates if worker in trial]:
            result.settings[name] = min(candidates, key=lambda worker: np.median(trial[worker])).setting
    chosen = {name: worker for name in ready for worker in ready[name] if worker.setting == result.settings.get(name)}
    times = timed(list(chosen.values()), rounds, result)
    result.times = {name: 1e6 * np.array(times[worker]) for name, worker in chosen.items() if worker in times}
    return result


@cache
def in_double_precision(net: Net) -> Weights:
    """The weights after the steps that are compared, by plain NumPy."""
    worker = Worker("numpy_loop", "1 thread")
    try:
        return worker.ask("load", replace(net, dtype="float64"))
    finally:
        worker.close()


def timed(workers: list[Worker], rounds: int, result: Result) -> dict[Worker, list[float]]:
    """Seconds a step of each worker in each round, one worker after the other; without those that fail."""
    rng, times = np.random.default_rng(0), {worker: [] for worker in workers}
    for _ in range(rounds):
        for worker in rng.permutation(list(times)):
            try:
                passed = worker.ask("time")
            except WorkerError as error:
                del times[worker]
                result.remarks.append(f"{worker.file}, {worker.setting}: {error}")
                continue
            times[worker].append(passed.step)
            result.passes.append(passed)
            remark = f"{worker.file}, {worker.setting}: was still busy half a second after its turn"
            if not passed.asleep and remark not in result.remarks:
                result.remarks.append(remark)
    return times


if __name__ == "__main__":
    sys.exit(any(result.wrong() for result in main()))
