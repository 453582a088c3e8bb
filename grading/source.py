"""Grading with another source tree: its own package does it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

START = """
import importlib.util, sys
root, *sys.argv[1:] = sys.argv[1:]
spec = importlib.util.spec_from_file_location("handgrad", root + "/__init__.py", submodule_search_locations=[root])
sys.modules["handgrad"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from handgrad.cli import main
sys.exit(main())
"""
NEEDED = ("__init__.py", "cli.py", "grading/grade.py", "course/assignment.toml")


def run_from(tree: Path) -> int:
    """Runs this process's command line by the package in `tree`; its exit code. ValueError if that is none."""
    root = tree.resolve()
    missing = next((name for name in NEEDED if not (root / name).is_file()), None)
    if missing is not None:
        raise ValueError(f"--source {tree}: expected a source tree of handgrad with a file {missing}, there is none")
    command = [sys.executable, "-c", START, str(root), *sys.argv[1:]]
    return subprocess.run(command, check=False).returncode
