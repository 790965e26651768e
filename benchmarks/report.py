"""Tables for the terminal and for markdown, and the files of a run."""

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks import acceptance
from benchmarks.harness import quartiles, ratio

BASES = {"call": ("by hand", "gpuad"), "operation": ("gpuad",)}


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


def table(record):
    """Median times and ratios with their quartiles, fastest first; ratios are taken within the rounds."""
    bases = [base for base in BASES[record.unit] if base in record.rounds]
    figures = sorted({name for notes in record.notes.values() for name in notes})
    by_time = sorted(record.rounds.items(), key=lambda item: quartiles(item[1])[0])
    rows = [[name, duration(rounds), *(multiple(rounds, record.rounds[base]) for base in bases),
             *(f"{record.notes[name][figure]:,}" for figure in figures)] for name, rounds in by_time]
    header = [title(record), f"time per {record.unit}", *(f"× {base}" for base in bases), *figures]
    rows += [[name, f"({reason})", *[""] * (len(header) - 2)] for name, reason in record.missing.items()]
    return Table(header, rows)


def title(record):
    return f"{record.workload}, {record.device}, {counted(record.threads)}"


def counted(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def duration(rounds):
    """Median and quartiles in the median's unit."""
    found = quartiles(rounds)
    unit, scale = next(((u, s) for u, s in (("s", 1), ("ms", 1e3), ("µs", 1e6)) if found[0] * s >= 1), ("ns", 1e9))
    return spread([t * scale for t in found], f" {unit}")


def multiple(rounds, others):
    return "1" if rounds is others else spread(ratio(rounds, others))


def spread(found, unit=""):
    median, low, high = (f"{x:.{2 if x < 10 else 1 if x < 100 else 0}f}" for x in found)
    return f"{median}{unit} ({low}–{high})"


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
    console.Console(width=max(100, console.Console().width)).print(drawn)


def write(folder, facts, records):
    """Writes results.json, with the seconds of every round, and results.md; returns their names."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(record.to_json(), ensure_ascii=False) for record in records)
    head = json.dumps(facts, indent=1, ensure_ascii=False)
    (folder / "results.json").write_text(f'{{"facts": {head},\n"records": [\n{lines}\n]}}\n')
    (folder / "results.md").write_text(markdown(facts, records))
    return [folder / "results.json", folder / "results.md"]


def markdown(facts, records):
    parts = ["# Results of `python -m benchmarks`", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    parts += ["Medians over the rounds, quartiles beside them; ratios are taken within each round.", ""]
    parts += [table(record).markdown() for record in records]
    parts += ["### Asked and measured", "", *(f"- {line}" for line in acceptance.lines(records)), ""]
    return "\n".join(parts)
