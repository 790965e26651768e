"""What was promised, beside what was measured."""

from dataclasses import dataclass

from benchmarks.harness import ratio


@dataclass(frozen=True)
class Promise:
    """One contestant's time as a multiple of another's, in one workload."""

    text: str
    workload: str
    contestant: str
    against: str
    at_most: float
    threads: int | None = None  # None: with each number of threads that was measured

    def lines(self, records):
        """One line for each record that can answer; one that says so where none can."""
        fitting = [r for r in records if r.workload == self.workload and r.device == "cpu"
                   and self.threads in (None, r.threads)]
        return [self.line(record) for record in fitting] or [f"asked {self.text}: not measured in this run"]

    def line(self, record):
        asked = f"asked {self.text} ({record.threads} thread{'s' * (record.threads > 1)})"
        for name in (self.contestant, self.against):
            if name not in record.rounds:
                return f"{asked}: not measured, {name} is missing here"
        median, low, high = ratio(record.rounds[self.contestant], record.rounds[self.against])
        verdict = "holds" if median <= self.at_most else "missed"
        return f"{asked}: measured {median:.3g} × (quartiles {low:.3g} to {high:.3g}): {verdict}"


SMALL, MEDIUM = "2-8-8-1", "784-512-512-10"
PROMISES = [
    Promise(f"{SMALL} at most 0.2 × HIPS/autograd", SMALL, "gpuad", "HIPS/autograd", 0.2, threads=1),
    Promise(f"{SMALL} less than PyTorch eager", SMALL, "gpuad", "PyTorch eager", 1.0, threads=1),
    Promise(f"{MEDIUM} at most 1.15 × by hand", MEDIUM, "gpuad", "by hand", 1.15),
    # Linear in the length; the allowance is for the memory of 100,000 rows, which no cache holds.
    Promise("chain of 100,000: an operation at most 1.5 × its time in one of 1,000", "chain",
            "gpuad, 100,000 operations", "gpuad, 1,000 operations", 1.5, threads=1),
]


def lines(records):
    return [line for promise in PROMISES for line in promise.lines(records)]
