"""The README's tables of times, from the files of a run: `python -m benchmarks.readme cpu` (or gpu) prints the lines.

A test holds that the README has them, and that it shows a GPU's only where its files are.
"""

import json
import statistics
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.peers import COMPILED, EAGER, GRAPH, HAND, HIPS, JAX, PLAN, TORCH
from benchmarks.programs.program import GRADIENT
from benchmarks.workloads import Record

RESULTS = Path(__file__).parent / "results"
COLUMNS = {
    "cpu": {"": None, "by hand": HAND, "**gpuad, a plan**": PLAN, "gpuad, eager": EAGER, "JAX jit": JAX, "PyTorch eager": TORCH,
            "torch.compile": COMPILED, "HIPS/autograd": HIPS},
    "gpu": {"on the GPU": None, "by hand in CuPy": HAND, "**gpuad, a plan**": PLAN, "gpuad, eager": EAGER, "JAX jit": JAX,
            "PyTorch eager": TORCH, "PyTorch CUDA graph": GRAPH, "torch.compile": COMPILED},
}
ROWS = {
    "2-8-8-1": "tanh network 2-8-8-1, batch 64",
    "64-64-64-10": "64-64-64-10, batch 128",
    "784-512-512-10": "784-512-512-10, batch 256",
    "1024-2048-2048-1024": "1024-2048-2048-1024, batch 512",
    "12 layers of 256": "12 layers of 256, batch 128",
    "logistic regression": "logistic regression, 10⁶ × 100",
    "digits 64-64-32-10": "digits 64-64-32-10, cross entropy",
    "digits convolution": "digits, two 3 × 3 convolutions",
    "Black-Scholes 1000000": "Black–Scholes, 10⁶ options",
    "Jacobian 64-64-64": "Jacobian 64 × 64",
}


def measured(device: str) -> bool:
    """Whether there are results of a device."""
    return (RESULTS / f"{report.FILES[device]}.json").exists()


def lines(device: str) -> list[str]:
    """The lines of a device's table: value and gradient, medians, on the CPU with one thread."""
    document = json.loads((RESULTS / f"{report.FILES[device]}.json").read_text())
    records = [Record(**line) for line in document["records"] if line["task"] == GRADIENT]
    chosen = {r.workload: r for r in records if device == "gpu" or r.threads == 1}
    columns = COLUMNS[device]
    found = [f"| {label} | {' | '.join(cells(chosen[name], columns))} |" for name, label in ROWS.items() if name in chosen]
    header = "| " + " | ".join(columns) + " |"
    return [header.replace("|  |", "| |"), "|---|" + "--:|" * (len(columns) - 1), *found]


def cells(record: Record, columns: dict) -> list[str]:
    """Medians; by hand the quicker of two, which allocate their arrays at each call and once; a plan's in bold."""
    found = []
    for heading, name in list(columns.items())[1:]:
        written = [n for n in (name, f"{name}, preallocated") if n in record.rounds]
        text = report.median(record, min(written, key=lambda n: statistics.median(record.rounds[n]), default=name))
        found.append(f"**{text}**" if heading.startswith("**") else text)
    return found


if __name__ == "__main__":
    print(*lines(*sys.argv[1:] or ["cpu"]), sep="\n")
