"""What a measurement was taken on."""

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def busy_seconds() -> float | None:
    """The time that all cpus together have worked since the machine started; None where it is not to be had."""
    file = Path("/proc/stat")
    if not file.exists():
        return None
    user, nice, system, idle, waiting, *others = map(int, file.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def description(packages: Iterable[str]) -> str:
    """The date, the processor and the versions, in one line."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in dict.fromkeys(packages))
    today = datetime.date.today().isoformat()
    return f"{today}, {processor()}, {cpus} cpus, {platform.system()}, Python {platform.python_version()}, {versions}"
