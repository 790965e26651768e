"""Tables for the terminal and for markdown, and the files of a run."""

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks import acceptance, gpu_acceptance, picture
from benchmarks.acceptance import counted
from benchmarks.ceilings import COPY, PRODUCTS
from benchmarks.comparison import best_peer, speedup
from benchmarks.harness import quartiles, ratio
from benchmarks.peers import COMPILED, EAGER, GRAPH, HAND, HIPS, JAX, PLAN, TORCH
from benchmarks.programs.program import GRADIENT, STEP, VALUE

ORDER = ("NumPy", EAGER, PLAN, TORCH, GRAPH, COMPILED, JAX, HIPS, HAND, f"{HAND}, preallocated", COPY, PRODUCTS)
FILES = {"cpu": "results", "gpu": "gpu"}
ON_GPU = ("A time is the wall clock's over a block of calls that are queued as they come, with one wait for the device at its "
          "end, divided by the calls. Data that fit in the L2 cache come in several sets, in turns. torch.compile runs with "
          "mode=\"reduce-overhead\", float32 is nowhere TF32, and TB/s and TFLOP/s count what the program needs at least.")


@dataclass(frozen=True)
class Table:
    header: list[str]
    rows: list[list[str]]

    def markdown(self):
        rule = [":--", *["--:"] * (len(self.header) - 1)]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows)) + "\n"

    def text(self):
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        pad = lambda row: "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        return "\n".join(map(pad, [self.header, *self.rows])) + "\n"


# ---- one workload: a line for each contestant

def table(record):
    """Median times and ratios with their quartiles, fastest first; ratios are taken within the rounds."""
    bases = [base for base in (PLAN, EAGER) if base in record.rounds]
    figures = list(dict.fromkeys(name for notes in record.notes.values() for name in notes))
    by_time = sorted(record.rounds.items(), key=lambda item: quartiles(item[1])[0])
    rows = [[name, duration(rounds), *(multiple(rounds, record.rounds[base]) for base in bases),
             *(figure(record.notes.get(name, {}).get(wanted)) for wanted in figures)] for name, rounds in by_time]
    header = [title(record), f"time per {record.unit}", *(f"× {base}" for base in bases), *figures]
    rows += [[name, f"({reason})", *[""] * (len(header) - 2)] for name, reason in record.missing.items()]
    return Table(header, rows)


def title(record):
    return f"{record.workload}, {record.task}, {place(record)}"


def place(record):
    """Device and threads; of a GPU the threads say nothing."""
    return f"cpu, {counted(record.threads)}" if record.device == "cpu" else record.device


def figure(number):
    return "" if number is None else f"{number:,g}"


def duration(rounds):
    """Median and quartiles in the median's unit."""
    scale, unit = unit_of(found := quartiles(rounds))
    return spread([t * scale for t in found], unit)


def unit_of(times):
    return next(((s, u) for s, u in ((1, " s"), (1e3, " ms"), (1e6, " µs")) if times[0] * s >= 1), (1e9, " ns"))


def multiple(rounds, others):
    return "1" if rounds is others else spread(ratio(rounds, others))


def spread(found, unit=""):
    median, *others = map(short, found)
    return f"{median}{unit} ({'–'.join(others)})"


def short(x):
    return f"{x:.{2 if x < 10 else 1 if x < 100 else 0}f}"


# ---- a task: a line for each workload

def summary(records):
    """Medians of all workloads of one task, device and number of threads, and a plan's speed as a multiple of the best peer's."""
    present = {name for record in records for name in record.rounds}
    columns = [name for name in ORDER if name in present]
    header = [f"{records[0].task}, {place(records[0])}", *columns, "plan × as fast as", "the best peer"]
    rows = [[record.workload, *(median(record, name) for name in columns), *beside_best(record)] for record in records]
    return Table(header, rows)


def median(record, name):
    if name not in record.rounds:
        return "–"
    time, *_quartiles = quartiles(record.rounds[name])
    scale, unit = unit_of([time])
    return f"{short(time * scale)}{unit}"


def beside_best(record):
    peer = best_peer(record)
    found = speedup(record, peer)
    return [spread(found), peer] if found else ["–", peer or "–"]


def summaries(records):
    groups: dict = {}
    for record in records:
        if record.task in (GRADIENT, STEP, VALUE):
            groups.setdefault((record.threads, record.device, record.task), []).append(record)
    return [summary(group) for group in groups.values()]


# ---- all of a run

def show(found):
    """Prints a table, drawn by rich where it is installed."""
    try:
        from rich import box, console
        from rich.table import Table as Drawn
    except ModuleNotFoundError:
        print(found.text())
        return
    drawn = Drawn(box=box.SIMPLE)
    for i, name in enumerate(found.header):
        drawn.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in found.rows:
        drawn.add_row(*row)
    widths = [max(map(len, column)) + 3 for column in zip(found.header, *found.rows, strict=True)]
    console.Console(width=max(console.Console().width, sum(widths) + 4)).print(drawn)


def write(folder, facts, records, device="cpu", drawing=True):
    """Writes <name>.json, with the seconds of every round, <name>.md and, with Matplotlib, the picture; returns their paths.

    The name is results of the CPU, gpu of a GPU.
    """
    folder, name = Path(folder), FILES[device]
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(record.to_json(), ensure_ascii=False) for record in records)
    head = json.dumps(facts, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(f'{{"facts": {head},\n"records": [\n{lines}\n]}}\n')
    (folder / f"{name}.md").write_text(markdown(facts, records, device))
    image = folder / picture.NAMES[device]
    drawn = drawing and picture.write(facts, records, image, device)
    return [folder / f"{name}.json", folder / f"{name}.md", *[image] * drawn]


def listed(facts):
    """A line for each fact; for one that has several parts a line for each, indented."""
    for name, value in facts.items():
        yield from [f"- {name}:", *(f"  - {part}" for part in value)] if isinstance(value, list) else [f"- {name}: {value}"]


def promises(device, records):
    """What was asked of a device, beside what was measured; on the CPU also, as not measured, what is asked of a GPU."""
    of_gpu = gpu_acceptance.lines(records)
    return of_gpu if device == "gpu" else [*acceptance.lines(records), *(f"GPU: {line}" for line in of_gpu)]


def markdown(facts, records, device="cpu"):
    command = "python -m benchmarks" + " --device gpu" * (device == "gpu")
    parts = [f"# Results of `{command}`", "", *listed(facts), ""]
    parts += ["Medians over the rounds; ratios are taken within each round, with their quartiles beside them.", ""]
    parts += [ON_GPU, ""] * (device == "gpu")
    parts += [found.markdown() for found in summaries(records)]
    parts += ["## Asked and measured", "", *(f"- {line}" for line in promises(device, records)), ""]
    parts += ["## Every workload, with quartiles", "", *(table(record).markdown() for record in records)]
    return "\n".join(parts)
