"""One process with a fixed number of threads: `python -m benchmarks.worker`, started by `python -m benchmarks`.

Prints JSON, a line for what it ran on, and for each workload a line when it begins and one with its record. The environment that
it needs is set by its parent (environment below), since libraries read it when they are imported.
"""

import argparse
import json
import os
import sys
import time

POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
PIN = "OPENBLAS_CORETYPE"
LOST = 3
"""Exit status where the device answers no more: the workloads that are left need a new process."""


def environment(device, threads):
    """The parent's, with every library's pool set to `threads` (NPROC is XLA's) and OpenBLAS free to choose its core."""
    chosen = {name: value for name, value in os.environ.items() if name != PIN}
    chosen.update(dict.fromkeys(POOLS, str(threads)), XLA_PYTHON_CLIENT_PREALLOCATE="false")
    return chosen | ({"JAX_PLATFORMS": "cpu", "TORCHINDUCTOR_COMPILE_THREADS": "1"} if device == "cpu" else {})


def command(device, threads, options, first, done=0, seconds=None):
    flags = ["--device", device, "--threads", str(threads), "--only", options.only, "--done", str(done)]
    flags += ["--quick"] * options.quick + ["--first"] * first + (["--seconds", str(seconds)] if seconds is not None else [])
    return [sys.executable, "-m", "benchmarks.worker", *flags]


def main():
    options = parse()
    if options.device == "cpu":
        keep_cores(options.threads)
    from benchmarks import machine
    from benchmarks.harness import EFFORTS
    from benchmarks.workloads import workloads

    emit({"libraries": machine.libraries(options.device)})
    chosen = [w for w in workloads(options.device, options.first) if machine.named(w.title, options.only)]
    effort, start = EFFORTS[options.device][options.quick], time.monotonic()
    for workload in chosen[options.done:]:
        emit({"begins": workload.title})
        if options.seconds is not None and time.monotonic() - start > options.seconds:
            emit(workload.without(options.threads, "left out, the time was over").to_json())
            continue
        emit(workload.record(options.threads, effort).to_json())
        if options.device == "gpu" and not machine.gpu_answers():
            sys.exit(LOST)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=("cpu", "gpu"))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--done", type=int, default=0, help="workloads that an earlier process has measured")
    parser.add_argument("--seconds", type=float, help="after which no workload begins")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first", action="store_true")
    return parser.parse_args()


def keep_cores(count):
    """Holds the process to as many cores as it has threads: not every library obeys a variable."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-count:])


def emit(line):
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
