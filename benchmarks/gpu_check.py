"""`make gpu-check`: tests, compute-sanitizer and benchmarks on a GPU, one after the other, whatever becomes of each.

    python -m benchmarks.gpu_check [--quick] [--only tests,memcheck,racecheck,benchmarks]

Ends with a line for each part; the exit status is 0 where all have passed. A part that cannot run here says so: no failure.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine

ROOT = Path(__file__).resolve().parent.parent
SANITIZER = ("compute-sanitizer", "/usr/local/cuda/bin/compute-sanitizer", "/opt/cuda/bin/compute-sanitizer")
KERNELS = ("tests/gpuad/test_gpu_acceptance.py", "-k", "every_kind_of_kernel")
"""The tests that launch every kind of our kernels on small arrays: under the sanitizer a launch takes a hundred times as long."""
FOUND = 86
"""Exit status of the sanitizer where it has found something, whatever the tests' own."""
PROCESSES = 6
PARTS = ("tests", "memcheck", "racecheck", "benchmarks")


def commands(quick: bool) -> Iterator[tuple[str, list[str] | str]]:
    """(name, command, or why it cannot run here) of each part."""
    python = [sys.executable, "-m"]
    pytest = [*python, "pytest", "-q", "-m", "gpu", "--require-gpu", "-p", "no:cacheprovider"]
    several = ["-n", str(min(PROCESSES, machine.cores())), "--dist", "worksteal"]
    yield "tests", pytest + several * (importlib.util.find_spec("xdist") is not None)
    sanitizer = next(filter(None, map(shutil.which, SANITIZER)), None)
    for tool, more in (("memcheck", ["--report-api-errors", "no"]), ("racecheck", [])):  # what libraries ask in vain is no fault
        command = [sanitizer or "", "--tool", tool, *more, "--error-exitcode", str(FOUND), *pytest, *KERNELS]
        yield tool, command if sanitizer else "compute-sanitizer is not installed"
    yield "benchmarks", [*python, "benchmarks", "--device", "gpu", *["--quick"] * quick]


def run(command: list[str]) -> str:
    """How a command ended, in words."""
    start = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    found = "passed" if status == 0 else "FAILED, the sanitizer found errors" if status == FOUND else f"FAILED, status {status}"
    return f"{found} ({time.monotonic() - start:.0f} s)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="quick benchmarks, which write no results")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"--only {options.only}: expected some of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    found = {}
    for name, command in commands(options.quick):
        if name not in chosen:
            continue
        print(f"\n==== {name}: {command if isinstance(command, str) else ' '.join(command)}", flush=True)
        found[name] = f"not run: {command}" if isinstance(command, str) else run(command)
    print("\n==== gpu-check", *(f"{name:11}{outcome}" for name, outcome in found.items()), sep="\n")
    return 1 if any("FAILED" in outcome for outcome in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
