"""What is measured, and where: each workload runs in the process that calls it and returns a Record."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

import numpy as np

from benchmarks import handwritten, operations, peers
from benchmarks.harness import Disagreement, Effort, Missing, agree, measure
from benchmarks.networks import NETWORKS, Network


@dataclass(frozen=True)
class Record:
    """One workload's seconds of every round by contestant, who was missing and why, and figures beside the times."""

    workload: str
    device: str
    threads: int
    unit: str  # what one time is for: a call or an operation
    rounds: dict[str, list[float]]
    missing: dict[str, str]
    notes: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_json(self):
        rounds = {name: [float(f"{t:.4g}") for t in times] for name, times in self.rounds.items()}
        return {**asdict(self), "rounds": rounds}


@dataclass(frozen=True)
class Workload:
    name: str
    device: str
    unit: str
    run: Callable[[Effort], tuple]  # -> rounds, missing and, where there are any, notes

    def record(self, threads: int, effort: Effort) -> Record:
        try:
            return Record(self.name, self.device, threads, self.unit, *self.run(effort))
        except Disagreement as error:
            raise Disagreement(f"{self.name} on the {self.device}: {error}") from None


def workloads(device: str, first: bool) -> Iterator[Workload]:
    """All workloads of a device; those whose time does not depend on the number of threads only the first time."""
    for network in NETWORKS:
        yield Workload(network.name, device, "call", lambda effort, n=network: run_network(n, device, effort))
    if device == "cpu" and first:
        for name in operations.CHAINS:
            yield Workload(f"{name} operation", device, "operation", lambda effort, n=name: run_overhead(n, effort))
        yield Workload("chain", device, "operation", run_chains)


def run_network(network: Network, device: str, effort: Effort):
    params, X, Y = network.data(np.float64)
    reference = peers.flat(handwritten.value_and_grad(params, X, Y))
    present, missing = peers.contestants(peers.BUILDERS, network, peers.PLACES[device]())
    return timed(present, reference, effort), missing


def timed(present, reference, effort):
    for contestant in present:
        agree(contestant, reference)
    return measure(present, effort)


def run_overhead(name: str, effort: Effort):
    over, data, reference = operations.CHAINS[name]
    length = operations.LENGTH
    present, missing = peers.contestants(operations.BUILDERS, over, data(), length)
    present.append(operations.numpy_forward(over, data(), length))
    return timed(present, reference(length), effort), missing


def run_chains(effort: Effort):
    """One contestant for each length: an operation's share must not grow with the chain."""
    try:
        chains = [operations.chain(length) for length in operations.LENGTHS]
    except Missing as reason:
        return {}, {"gpuad": str(reason)}
    for contestant in chains:
        agree(contestant, operations.unary_reference(contestant.operations))
    notes = {c.name: operations.memory(c) for c in chains}
    return measure(chains, effort), {}, notes
