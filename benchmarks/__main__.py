"""`python -m benchmarks`: gpuad beside its peers; each number of threads, and the GPU, in a fresh process."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import machine, prediction, report, worker
from benchmarks.requirements import FAILED
from benchmarks.workloads import Record, described, failures
from linalg import arrays

RESULTS = Path(__file__).parent / "results"
MINUTES, QUICK_MINUTES = 7.5, 1.8
"""After which no workload begins on a GPU."""


def main():
    options = parse()
    if options.predict:
        return predict(options)
    others, found = machine.Others(), {}
    for device, threads, first in processes(options):
        facts, records = found.setdefault(device, (machine.facts(device), []))
        for line in run(device, threads, options, first):
            if isinstance(line, dict):
                facts |= line
                continue
            records.append(line)
            report.show(report.table(line))
            if device == "gpu":
                write(device, facts | about(device), records, options)  # what is measured stays, whatever comes
    for device, (facts, records) in found.items():
        facts |= {"other programs": str(others), **about(device)}
        conclude(device, facts, records, options)
    failed = [line for _facts, records in found.values() for line in failures(records)]
    print(*(f"FAILED: {line}" for line in failed), sep="\n", file=sys.stderr)
    return 1 if failed else 0


def parse():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="parts of names, as 2-8-8-1,training step,chain")
    parser.add_argument("--threads", type=counts, default="1,2", metavar="COUNTS", help="default 1,2")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="default auto: GPU too if any")
    parser.add_argument("--quick", action="store_true", help="few rounds: an impression, not a result")
    parser.add_argument("--minutes", type=float, metavar="N",
                        help=f"after which nothing begins on the GPU (default {MINUTES:g}, or {QUICK_MINUTES:g} with --quick)")
    parser.add_argument("--output", metavar="FOLDER", help=f"default benchmarks/{RESULTS.name} for a full run, else none")
    parser.add_argument("--predict", choices=prediction.DEVICES, metavar="GPU",
                        help=f"write what a model predicts for a GPU: {', '.join(prediction.DEVICES)}; needs none")
    return parser.parse_args()


def counts(text):
    """Thread counts, none above the number of cores that this process may use."""
    found = sorted({min(int(part), machine.cores()) for part in text.split(",")})
    if found[0] < 1:
        raise argparse.ArgumentTypeError(f"expected positive numbers as in 1,2, got {text}")
    return found


def predict(options):
    text = prediction.markdown(prediction.DEVICES[options.predict], options.only)
    print(text)
    folder = Path(options.output or RESULTS)
    if options.output or not options.only:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / prediction.NAME).write_text(text)
    return 0


def processes(options):
    """(device, threads, whether it is the first on that device) of every process to run, one after the other."""
    if options.device != "gpu":
        for threads in options.threads:
            yield "cpu", threads, threads == options.threads[0]
    reason = arrays.gpu_unavailable_reason()
    if options.device != "cpu" and reason is None:
        yield "gpu", machine.cores(), True
    elif options.device != "cpu":
        print(f"GPU: not measured, {reason}\n")


def run(device, threads, options, first):
    """Facts (dictionaries) and Records, as a worker prints them; on a GPU, a new worker goes on after one that died."""
    minutes = options.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    end, done, status = time.monotonic() + 60 * minutes, 0, None
    while status != 0:
        seconds, begun, before = max(0.0, end - time.monotonic()) if device == "gpu" else None, None, done
        with subprocess.Popen(worker.command(device, threads, options, first, done, seconds), stdout=subprocess.PIPE, text=True,
                              env=worker.environment(device, threads)) as process:
            for line in map(json.loads, process.stdout or ()):
                if "libraries" in line:
                    yield line["libraries"]
                elif "begins" in line:
                    begun, done = line["begins"], done + 1
                else:
                    begun = None
                    yield Record(**line)
        status = process.returncode
        if status and (device == "cpu" or done == before):
            raise SystemExit(f"the worker on the {device} with {threads} threads failed: nothing more was measured")
        if begun:
            yield Record(begun, "", device, threads, "call", {}, {"everyone": f"{FAILED}its process ended with status {status}"})


def about(device):
    return {"programs": described(device)}


def conclude(device, facts, records, options):
    for found in report.summaries(records):
        report.show(found)
    print(*report.listed(facts), sep="\n")
    print("", *report.promises(device, records), sep="\n")
    print("", *(f"wrote {path.name}" for path in write(device, facts, records, options, picture=True)), sep="\n")


def write(device, facts, records, options, picture=False):
    """The files of a run on one device: in the folder that was asked for, or, of a full run, among the results."""
    partial = options.only or options.quick or (device == "cpu" and options.device != "auto")
    folder = options.output or (None if partial else RESULTS)
    return report.write(folder, facts, records, device, picture) if folder else []


if __name__ == "__main__":
    sys.exit(main())
