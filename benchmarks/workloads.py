"""What is measured, and where: each workload runs in the process that calls it and returns a Record."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial

from benchmarks import allocations, ceilings, operations, peers, rows
from benchmarks.harness import Effort, agree, expected, measure
from benchmarks.place import PLACES, Place
from benchmarks.programs import jacobian
from benchmarks.programs.black_scholes import BLACK_SCHOLES, MANY, SIZES, black_scholes
from benchmarks.programs.convolution import CONVOLUTION
from benchmarks.programs.digits import DIGITS
from benchmarks.programs.growth import growth
from benchmarks.programs.logistic import LOGISTIC
from benchmarks.programs.networks import LARGE, MEDIUM, NETWORKS
from benchmarks.programs.program import GRADIENT, STEP, VALUE, Program
from benchmarks.programs.wide import WIDE
from benchmarks.requirements import FAILED, Missing, reason

ALL_FIT = 1e9  # bytes of a program's data and gradients
LESS = 0.4  # of the time of a workload, for what no promise compares with peers
COST, OPERATION, ROW = "gradient over function", "one operation", "one row"
PROGRAMS = [*NETWORKS, LOGISTIC, DIGITS, CONVOLUTION, BLACK_SCHOLES]
SMALL_NETWORKS = [*NETWORKS[:2], DIGITS]
MOVING = [black_scholes(MANY), growth(MANY), black_scholes(10 * MANY)]
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
        """What it measures; of a contestant that fails, the reason among those who are missing."""
        found = self.run(effort.share(self.share))
        return Record(self.name, self.task, self.device, threads, self.unit, *found)

    def without(self, threads: int, why: str) -> Record:
        """The record of a workload that was not measured."""
        return Record(self.name, self.task, self.device, threads, self.unit, {}, {"everyone": why})


def failures(records: list[Record]) -> list[str]:
    """Who failed, a line for each."""
    return [f"{r.workload}, {r.task}, {r.device}, {name}: {why}" for r in records for name, why in r.missing.items()
            if why.startswith(FAILED)]


def workloads(device: str, first: bool) -> Iterator[Workload]:
    """All workloads of a device; those whose time does not depend on the number of threads only the first time."""
    yield from on_gpu(PLACES["gpu"]()) if device == "gpu" else on_cpu(PLACES["cpu"](), first)


def on_cpu(place: Place, first: bool) -> Iterator[Workload]:
    for task in (GRADIENT, STEP, VALUE):
        yield from (of_program(program, task, place) for program in PROGRAMS if task in program.tasks)
        if task == GRADIENT:
            yield of_jacobian(place)
    for program in COSTS:
        yield Workload(program.name, COST, place.name, "call", partial(run_cost, program), LESS)
    if first:
        yield from overheads()


def on_gpu(place: Place) -> Iterator[Workload]:
    """What promises are about comes first, lest the time is over before."""
    both = [(program, task) for task in (GRADIENT, STEP) for program in PROGRAMS if task in program.tasks]
    first = [(program, task) for program, task in both if program in SMALL_NETWORKS]
    chosen = [*first, *((program, GRADIENT) for program in [*WIDE, *MOVING]), *(pair for pair in both if pair not in first)]
    yield from (of_program(program, task, place) for program, task in chosen)
    yield of_jacobian(place)
    yield from (of_program(program, STEP, place) for program in WIDE)


def of_jacobian(place: Place) -> Workload:
    return Workload(jacobian.NAME, GRADIENT, place.name, "call", partial(run_jacobian, place))


def of_program(program: Program, task: str, place: Place) -> Workload:
    run = partial(run_program, program, task, place)
    return Workload(program.name, task, place.name, "call", run, 1.0 if task == GRADIENT else LESS)


def overheads() -> Iterator[Workload]:
    for name in operations.CHAINS:
        yield Workload(f"{name} chain", OPERATION, "cpu", "operation", partial(run_operations, name), LESS)
    yield Workload("chain", OPERATION, "cpu", "operation", run_chains)
    for name in rows.CHAINS:
        yield Workload(f"{name} chain", ROW, "cpu", "row", partial(run_rows, name), LESS)


def timed(present, missing, wanted, effort):
    """(rounds of those who agree, the reasons of all others); ``wanted`` may differ by contestant's name."""
    present, missing = peers.screened(present, missing, wanted)
    return measure(present, effort), missing


def run_program(program: Program, task: str, place: Place, effort: Effort):
    """On a GPU the reference of large data, which the CPU would take long for, is computed there."""
    large = program.moves or program.products
    try:
        reference = peers.reference(program, task, place if large else None)
    except Exception as error:
        return {}, {"everyone": reason(error)}
    present, missing = peers.everyone(program, task, place, left_out(program, effort))
    limits, without = ceilings.everyone(program, task, place) if place.name == "gpu" else ([], {})
    wanted = {c.name: reference for c in present} | {c.name: [] for c in limits}
    rounds, missing = timed([*present, *limits], missing | without, wanted, effort)
    counted = [c for c in present if task == STEP and c.name in rounds and place.name == "cpu"
               and c.name in (peers.PLAN, "by hand, preallocated")]
    notes = {c.name: allocations.figures(c.call) for c in counted} or ceilings.rates(program, task, rounds)
    del present, limits
    place.release()
    return rounds, missing, notes


def left_out(program: Program, effort: Effort) -> tuple[str, ...]:
    """Who keeps every intermediate array, where arrays are so large that memory would not hold them all beside the others."""
    keeping = (peers.EAGER, peers.TORCH, peers.GRAPH) if program.moves and ceilings.bytes_moved(program) > ALL_FIT else ()
    return keeping if effort.compiles else (*keeping, peers.COMPILED)


def run_jacobian(place: Place, effort: Effort):
    present, missing = jacobian.everyone(place, () if effort.compiles else (peers.COMPILED,))
    return timed(present, missing, jacobian.reference(), effort)


def run_cost(program: Program, effort: Effort):
    """A planned program's value beside its value and gradient."""
    wanted = {name: peers.reference(program, task) for name, task in peers.COST_TASKS.items()}
    return timed(*peers.planned_tasks(program, PLACES["cpu"]()), wanted, effort)


def run_operations(name: str, effort: Effort):
    over, data, reference = operations.CHAINS[name]
    length = operations.LENGTH
    present, missing = peers.contestants(operations.BUILDERS, over, data(), length)
    wanted, forward = expected(reference(length)), operations.numpy_forward(over, data(), length)
    wanted = {c.name: wanted for c in present} | {forward.name: wanted[:1]}
    return timed([*present, forward], missing, wanted, effort)


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
    return timed(present, missing, rows.reference(name), effort)


def described(device: str) -> list[str]:
    """What the programs are, a line for each."""
    more = [program.about for program in [*WIDE, *MOVING]] if device == "gpu" else []
    step = "a training step is one of gradient descent, from the parameters that the last one left"
    return [*(program.about for program in PROGRAMS), jacobian.ABOUT, *more, f"in float32 where nothing else is said; {step}"]
