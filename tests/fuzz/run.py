"""A run of random programs against JAX: what it counts, and what it says."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.fuzz import compare, peer
from tests.fuzz.maker import Maker, Tally
from tests.fuzz.programs import Program
from tests.fuzz.shrink import shrink

SCRIPT = '''"""program {seed}: {kind}, error {error:.3g}
{detail}"""
import jax
import numpy
import numpy as np

import gpuad as ad
from tests.fuzz.peer import JAX
from tests.fuzz.programs import GPUAD

{program}


inputs = [{inputs}]
for name, module, names in (("gpuad", ad, GPUAD), ("JAX", jax, JAX)):
    print(name, module.value_and_grad(lambda *x: f(*x, **names), argnums=tuple(range(len(inputs))))(*inputs))
'''


@dataclass
class Findings:
    """What a number of programs have shown."""

    tally: Tally = field(default_factory=Tally)
    kinds: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    """what JAX does not do, or does otherwise"""
    worst: tuple[float, int] = (0.0, -1)
    """the largest relative error among the programs that agree, and the program"""
    scripts: dict[int, str] = field(default_factory=dict)
    """program -> a script of a small program that differs too"""
    failed: list[int] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Count what another one has counted."""
        self.tally.add(other.tally)
        for name in ("kinds", "calls", "depths", "notes"):
            getattr(self, name).update(getattr(other, name))
        self.worst = max(self.worst, other.worst)
        self.scripts |= other.scripts
        self.failed += other.failed

    def summary(self) -> str:
        """All of it, as lines of text."""
        return "\n".join([
            f"{self.kinds.total():,} programs with {self.tally.steps:,} steps; {self.tally.short} ended early",
            "depth       " + ", ".join(f"{5 * k} to {5 * k + 4}: {n:,}" for k, n in sorted(self.depths.items())),
            "result      " + ", ".join(f"{kind}: {n:,}" for kind, n in self.kinds.most_common()),
            f"largest relative error of those that agree: {self.worst[0]:.2g} (program {self.worst[1]})",
            "steps drawn in vain: " + ", ".join(f"{why} {n:,}" for why, n in self.tally.refused.most_common()),
            *(f"{n:5} × {text}" for text, n in self.notes.most_common()),
            f"{len(self.calls)} functions: " + ", ".join(f"{name} {n:,}" for name, n in self.calls.most_common()),
        ])


def examine(seeds: range, longest: int) -> Findings:
    """The findings of the programs with these seeds."""
    found = Findings()
    for seed in seeds:
        program = Maker(Random(seed), peer.shared, found.tally, portable=True).program(longest).program
        verdict = compare.judge(program, peer.ask)
        found.calls += program.calls
        found.depths[program.depth // 5] += 1
        found.kinds[verdict.kind] += 1
        if verdict.kind == compare.AGREES:
            found.worst = max(found.worst, (verdict.error, seed))
        elif verdict.kind == compare.RAISES:
            found.notes[verdict.detail] += 1
        elif verdict.kind != compare.ILL:
            _explain(seed, program, verdict.kind, found)
    peer.forget()
    return found


def _explain(seed: int, program: Program, kind: str, found: Findings) -> None:
    """Enter a program that differs, made small."""
    small = shrink(program, lambda p: compare.judge(p, peer.ask).kind == kind)
    verdict = compare.judge(small, peer.ask)
    found.scripts[seed] = SCRIPT.format(seed=seed, kind=kind, error=verdict.error, detail=verdict.detail,
                                        program=small.source(", np, special, sp, put"), inputs=", ".join(small.inputs))
    if kind == compare.PEER:
        found.notes[f"{kind}: {'; '.join(text for _, text in small.lines)}"] += 1
    else:
        found.failed.append(seed)
