"""One process with a fixed number of threads: `python -m benchmarks.worker`, started by `python -m benchmarks`.

Prints JSON, a line for what it ran on and a line for each workload. The environment that it needs is set by its parent
(environment below), since libraries read it when they are imported.
"""

import argparse
import json
import os
import sys

POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")
PIN = "OPENBLAS_CORETYPE"


def environment(device, threads):
    """The parent's, with every library's pool set to `threads` (NPROC is XLA's) and OpenBLAS free to choose its core."""
    chosen = {name: value for name, value in os.environ.items() if name != PIN}
    chosen.update(dict.fromkeys(POOLS, str(threads)), XLA_PYTHON_CLIENT_PREALLOCATE="false",
                  TORCHINDUCTOR_COMPILE_THREADS="1")
    return chosen | ({"JAX_PLATFORMS": "cpu"} if device == "cpu" else {})


def command(device, threads, options, first):
    flags = ["--device", device, "--threads", str(threads), "--only", options.only]
    flags += ["--quick"] * options.quick + ["--first"] * first
    return [sys.executable, "-m", "benchmarks.worker", *flags]


def main():
    options = parse()
    keep_cores(options.threads)
    from benchmarks import machine
    from benchmarks.harness import QUICK, Effort
    from benchmarks.workloads import workloads

    emit({"libraries": machine.libraries()})
    for workload in workloads(options.device, options.first):
        if machine.named(workload.title, options.only):
            emit(workload.record(options.threads, QUICK if options.quick else Effort()).to_json())


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=("cpu", "gpu"))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", default="")
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
