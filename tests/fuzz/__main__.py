"""``python -m tests.fuzz``: the gradients of random programs against JAX's, in float64 (``make fuzz``)."""
from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from types import ModuleType

from tests.fuzz import compare
from tests.fuzz.maker import Maker, Tally
from tests.fuzz.programs import Program
from tests.fuzz.shrink import shrink

SCRIPT = '''"""{title}"""
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


def main() -> int:
    """Exit status: 0 all agree, 1 some fail, 2 JAX is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--n", type=int, default=20_000, help="programs (default 20000)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first program (default 0)")
    parser.add_argument("--longest", type=int, default=30, help="steps of the longest program (default 30)")
    parser.add_argument("--stop-after", type=int, default=20, help="failures after which it ends (default 20)")
    parser.add_argument("--output", type=Path, help="a folder for a script of every program that differs")
    options = parser.parse_args()
    try:
        from tests.fuzz import peer
    except ImportError as error:
        print(f"python -m tests.fuzz: {error}; it needs JAX: pip install '.[fuzz]'", file=sys.stderr)
        return 2
    return Run(options, peer).run()


class Run:
    """One run, and what it counts."""

    def __init__(self, options: argparse.Namespace, peer: ModuleType):
        self.options, self.peer = options, peer
        self.tally = Tally()
        self.calls, self.kinds, self.depths, self.notes = Counter[str](), Counter[str](), Counter[int](), Counter[str]()
        self.worst, self.failures = (0.0, -1), 0
        self.started = time.monotonic()

    def run(self) -> int:
        """All programs, and a summary."""
        for seed in range(self.options.first, self.options.first + self.options.n):
            self._one(seed)
            done = seed + 1 - self.options.first
            if done % 100 == 0:
                self.peer.forget()
            if done % 500 == 0:
                self._progress()
            if self.failures >= self.options.stop_after:
                print(f"stopped after {self.failures} failures")
                break
        self._summary()
        return 1 if self.failures else 0

    def _one(self, seed: int) -> None:
        program = Maker(Random(seed), self.peer.shared, self.tally, portable=True).program(self.options.longest).program
        self.calls += program.calls
        self.depths[program.depth // 5] += 1
        verdict = self._judge(program)
        self.kinds[verdict.kind] += 1
        if verdict.kind == compare.AGREES:
            self.worst = max(self.worst, (verdict.error, seed))
        elif verdict.kind == compare.RAISES:
            self._note(seed, verdict.detail)
        elif verdict.kind != compare.ILL:
            self._report(seed, shrink(program, lambda p: self._judge(p).kind == verdict.kind))

    def _judge(self, program: Program) -> compare.Verdict:
        return compare.judge(program, self.peer.ask)

    def _note(self, seed: int, text: str) -> None:
        self.notes[text] += 1
        if self.notes[text] == 1:
            print(f"program {seed}: {text}", flush=True)

    def _report(self, seed: int, small: Program) -> None:
        verdict = self._judge(small)
        title = f"program {seed}: {verdict.kind}, error {verdict.error:.3g}\n{verdict.detail}"
        script = SCRIPT.format(title=title, program=small.source(", np, special, sp, put"), inputs=", ".join(small.inputs))
        if self.options.output:
            self.options.output.mkdir(parents=True, exist_ok=True)
            (self.options.output / f"program_{seed}.py").write_text(script)
        if verdict.kind == compare.PEER:
            self._note(seed, f"{verdict.kind}: {'; '.join(text for _, text in small.lines)}")
            return
        self.failures += 1
        print(f"\n{'-' * 100}\n{script}{'-' * 100}\n", flush=True)

    def _progress(self) -> None:
        done, spent = self.kinds.total(), time.monotonic() - self.started
        print(f"{done:,} of {self.options.n:,} programs, {spent:.0f} s, {self.failures} failures", flush=True)

    def _summary(self) -> None:
        print(f"\n{self.kinds.total():,} programs with {self.tally.steps:,} steps in {time.monotonic() - self.started:.0f} s; "
              f"{self.tally.short} ended early")
        print("depth      " + ", ".join(f"{5 * k} to {5 * k + 4}: {n:,}" for k, n in sorted(self.depths.items())))
        print("result     " + ", ".join(f"{kind}: {n:,}" for kind, n in self.kinds.most_common()))
        print(f"largest relative error among those that agree: {self.worst[0]:.2g} (program {self.worst[1]})")
        print("steps drawn in vain: " + ", ".join(f"{why} {n:,}" for why, n in self.tally.refused.most_common()))
        for text, n in self.notes.most_common():
            print(f"{n:4} × {text}")
        print(f"{len(self.calls)} functions: " + ", ".join(f"{name} {n:,}" for name, n in self.calls.most_common()))


if __name__ == "__main__":
    sys.exit(main())
