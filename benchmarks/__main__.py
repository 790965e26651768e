"""`python -m benchmarks`: gpuad beside its peers; each number of threads in a fresh process."""

import argparse
import json
import subprocess
from pathlib import Path

from benchmarks import acceptance, machine, report, worker
from benchmarks.workloads import Record, described
from linalg import arrays

RESULTS = Path(__file__).parent / "results"


def main():
    options = parse()
    others, facts, records = machine.Others(), machine.facts(), []
    for device, threads, first in processes(options):
        for line in run(device, threads, options, first):
            if "libraries" in line:
                facts |= line["libraries"]
                continue
            records.append(Record(**line))
            report.show(report.table(records[-1]))
    for found in report.summaries(records):
        report.show(found)
    conclude(facts | {"other programs": str(others), "programs": described()}, records, options)


def parse():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="parts of names, as 2-8-8-1,training step,chain")
    parser.add_argument("--threads", type=counts, default="1,2", metavar="COUNTS", help="default 1,2")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="default auto: GPU too if any")
    parser.add_argument("--quick", action="store_true", help="few rounds: an impression, not a result")
    parser.add_argument("--output", metavar="FOLDER", help=f"default benchmarks/{RESULTS.name} for a full run, else none")
    return parser.parse_args()


def counts(text):
    """Thread counts, none above the number of cores that this process may use."""
    found = sorted({min(int(part), machine.cores()) for part in text.split(",")})
    if found[0] < 1:
        raise argparse.ArgumentTypeError(f"expected positive numbers as in 1,2, got {text}")
    return found


def processes(options):
    """(device, threads, whether it is the first on that device) of every process to run, one after the other."""
    if options.device != "gpu":
        for threads in options.threads:
            yield "cpu", threads, threads == options.threads[0]
    reason = arrays.gpu_unavailable_reason()
    if options.device != "cpu" and reason is None:
        yield "gpu", options.threads[-1], True
    elif options.device != "cpu":
        print(f"GPU: not measured, {reason}\n")


def run(device, threads, options, first):
    """The lines that a worker prints, as they come; stops the run if the worker fails."""
    with subprocess.Popen(worker.command(device, threads, options, first), stdout=subprocess.PIPE, text=True,
                          env=worker.environment(device, threads)) as process:
        yield from map(json.loads, process.stdout or ())
    if process.returncode:
        raise SystemExit(f"the worker on the {device} with {threads} threads failed: nothing was written")


def conclude(facts, records, options):
    print(*report.listed(facts), sep="\n")
    print("", *acceptance.lines(records), sep="\n")
    partial = options.only or options.quick or options.device != "auto"
    if folder := options.output or (None if partial else RESULTS):
        print("", *(f"wrote {path.name}" for path in report.write(folder, facts, records)), sep="\n")


if __name__ == "__main__":
    main()
