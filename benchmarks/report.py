"""Tables for the terminal and for markdown, and the files of a run."""

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks import acceptance
from benchmarks.harness import quartiles, ratio

BASES = {"call": ("by hand", "gpuad"), "operation": ("gpuad",)}


@dataclass(frozen=True)
class Table:
    title: str
    header: list[str]
    rows: list[list[str]]

    def markdown(self):
        rule = [":--", *["--:"] * (len(self.header) - 1)]
        lines = [f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows)]
        return "\n".join([f"### {self.title}", "", *lines, ""])

    def text(self):
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows)]
        pad = lambda row: "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        return "\n".join([self.title, *map(pad, [self.header, *self.rows]), ""])


def table(record):
    """Times with quartiles, and ratios within the rounds, fastest first."""
    bases = [base for base in BASES[record.unit] if base in record.rounds]
    figures = sorted({name for notes in record.notes.values() for name in notes})
    header = ["", f"time per {record.unit}", "quartiles", *(f"× {base}" for base in bases), *figures]
    by_time = sorted(record.rounds.items(), key=lambda item: quartiles(item[1])[0])
    rows = [[name, *times(rounds), *(multiple(rounds, record.rounds[base]) for base in bases),
             *(f"{record.notes[name][figure]:,}" for figure in figures)] for name, rounds in by_time]
    rows += [[name, f"({reason})", *[""] * (len(header) - 2)] for name, reason in record.missing.items()]
    return Table(title(record), header, rows)


def title(record):
    counted = max(map(len, record.rounds.values()), default=0)
    return f"{record.workload}, {record.device}, threads: {record.threads} ({counted} rounds)"


def times(rounds):
    median, low, high = quartiles(rounds)
    return [duration(median), f"{duration(low)} – {duration(high)}"]


def multiple(rounds, others):
    median, low, high = ratio(rounds, others)
    return f"{median:.2f} ({low:.2f} – {high:.2f})"


def duration(seconds):
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            break
    return f"{seconds * scale:.3g} {unit}"


def show(found):
    """Prints a table with rich where it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table as RichTable
    except ModuleNotFoundError:
        print(found.text())
        return
    drawn = RichTable(title=found.title, title_justify="left")
    for i, name in enumerate(found.header):
        drawn.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in found.rows:
        drawn.add_row(*row)
    Console().print(drawn)


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
