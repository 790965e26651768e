"""What is measured, and where: each workload runs in the process that calls it and returns a Record."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial

from benchmarks import allocations, operations, peers, rows
from benchmarks.harness import Disagreement, Effort, agree, expected, measure
from benchmarks.place import PLACES, Place
from benchmarks.programs import jacobian
from benchmarks.programs.black_scholes import BLACK_SCHOLES, SIZES, black_scholes
from benchmarks.programs.convolution import CONVOLUTION
from benchmarks.programs.digits import DIGITS
from benchmarks.programs.logistic import LOGISTIC
from benchmarks.programs.networks import LARGE, MEDIUM, NETWORKS
from benchmarks.programs.program import GRADIENT, STEP, VALUE, Program
from benchmarks.requirements import Missing

LESS = 0.4  # of the time of a workload, for what no promise compares with peers
COST, OPERATION, ROW = "gradient over function", "one operation", "one row"
PROGRAMS = [*NETWORKS, LOGISTIC, DIGITS, CONVOLUTION, BLACK_SCHOLES]
COSTS = [*(p for p in NETWORKS if p.name in (MEDIUM, LARGE)), *map(black_scholes, SIZES)]


@dataclass(frozen=True)
class Record:
    """One workload's seconds of every round by contestant, who was missing and why, and figures beside the times."""

    workload: str
    task: str
    device: str
    threads: int
    unit: str  # what one time is for: a call, an operation or a row
    rounds: dict[str, list[float]]
    missing: dict[str, str]
    notes: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_json(self):
        rounds = {name: [float(f"{t:.4g}") for t in times] for name, times in self.rounds.items()}
        return {**asdict(self), "rounds": rounds}


@dataclass(frozen=True)
class Workload:
    name: str
    task: str
    device: str
    unit: str
    run: Callable[[Effort], tuple]  # -> rounds, missing and, where there are any, notes
    share: float = 1.0  # of the time that a workload is given

    @property
    def title(self):
        return f"{self.name} {self.task}"

    def record(self, threads: int, effort: Effort) -> Record:
        try:
            return Record(self.name, self.task, self.device, threads, self.unit, *self.run(effort.share(self.share)))
        except Disagreement as error:
            raise Disagreement(f"{self.title} on the {self.device}: {error}") from None


def workloads(device: str, first: bool) -> Iterator[Workload]:
    """All workloads of a device; those whose time does not depend on the number of threads only the first time."""
    if device == "gpu":
        yield from (of_program(network, GRADIENT, PLACES["gpu"]()) for network in NETWORKS)
        return
    place = PLACES["cpu"]()
    for task in (GRADIENT, STEP, VALUE):
        yield from (of_program(program, task, place) for program in PROGRAMS if task in program.tasks)
        if task == GRADIENT:
            yield Workload(jacobian.NAME, GRADIENT, device, "call", run_jacobian)
    for program in COSTS:
        yield Workload(program.name, COST, device, "call", partial(run_cost, program), LESS)
    if first:
        yield from overheads()


def of_program(program: Program, task: str, place: Place) -> Workload:
    run = partial(run_program, program, task, place)
    return Workload(program.name, task, place.name, "call", run, 1.0 if task == GRADIENT else LESS)


def overheads() -> Iterator[Workload]:
    for name in operations.CHAINS:
        yield Workload(f"{name} chain", OPERATION, "cpu", "operation", partial(run_operations, name), LESS)
    yield Workload("chain", OPERATION, "cpu", "operation", run_chains)
    for name in rows.CHAINS:
        yield Workload(f"{name} chain", ROW, "cpu", "row", partial(run_rows, name), LESS)


def timed(present, reference, effort):
    for contestant in present:
        agree(contestant, reference)
    return measure(present, effort)


def run_program(program: Program, task: str, place: Place, effort: Effort):
    try:
        reference = peers.reference(program, task)
    except Missing as reason:
        return {}, {"everyone": str(reason)}
    present, missing = peers.everyone(program, task, place)
    rounds = timed(present, reference, effort)
    counted = [c for c in present if task == STEP and c.name in (peers.PLAN, "by hand, preallocated")]
    return rounds, missing, {c.name: allocations.figures(c.call) for c in counted}


def run_jacobian(effort: Effort):
    present, missing = jacobian.everyone()
    return timed(present, jacobian.reference(), effort), missing


def run_cost(program: Program, effort: Effort):
    """A planned program's value beside its value and gradient."""
    present, missing = peers.planned_tasks(program, PLACES["cpu"]())
    for contestant in present:
        agree(contestant, peers.reference(program, peers.COST_TASKS[contestant.name]))
    return measure(present, effort), missing


def run_operations(name: str, effort: Effort):
    over, data, reference = operations.CHAINS[name]
    length = operations.LENGTH
    present, missing = peers.contestants(operations.BUILDERS, over, data(), length)
    wanted, forward = expected(reference(length)), operations.numpy_forward(over, data(), length)
    for contestant in present:
        agree(contestant, wanted)
    agree(forward, wanted[:1])
    return measure([*present, forward], effort), missing


def run_chains(effort: Effort):
    """One contestant for each length: an operation's share must not grow with the chain."""
    try:
        chains = [operations.chain(length) for length in operations.LENGTHS]
    except Missing as reason:
        return {}, {"gpuad": str(reason)}
    for contestant in chains:
        agree(contestant, expected(operations.unary_reference(contestant.operations)))
    notes = {c.name: operations.memory(c) for c in chains}
    return measure(chains, effort), {}, notes


def run_rows(name: str, effort: Effort):
    present, missing = rows.everyone(name)
    return timed(present, rows.reference(name), effort), missing


def described():
    """What the programs are, a line for each."""
    return [*(program.about for program in PROGRAMS), jacobian.ABOUT,
            "all in float32; a training step is one of gradient descent, from the parameters that the last one left"]
