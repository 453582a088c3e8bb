"""What `import handgrad` adds to the imports of NumPy and SciPy's BLAS."""

import statistics
import subprocess
import sys

BASE = "import numpy, scipy.linalg.blas"
TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def seconds(statement: str) -> float:
    result = subprocess.run([sys.executable, "-c", TIMED.format(statement)], capture_output=True, text=True, check=True)
    return float(result.stdout)


def compare(rounds: int = 15) -> None:
    """Both in turn, each in a fresh process."""
    pairs = [(seconds(BASE), seconds(f"{BASE}, handgrad")) for _ in range(rounds + 1)][1:]
    added = [both - base for base, both in pairs]
    base = statistics.median(base for base, _ in pairs)
    print(f"\nimport: {BASE[7:]} {base:.3f} s; handgrad adds {statistics.median(added):.3f} s", end="")
    print(f" ({min(added):.3f} to {max(added):.3f}, {rounds} rounds)")
