"""``python -m tests.fuzz``: the gradients of random programs against JAX's, in float64 (``make fuzz``)."""
from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz import compare
from tests.fuzz.programs import Maker, Program, Tally
from tests.fuzz.shrink import shrink

SCRIPT = '''"""{title}"""
import numpy as np
import scipy.special as special

import gpuad as ad


def put(x, index, value):
    x = np.copy(x)
    x[index] = value
    return x


{program}


print(ad.value_and_grad(f, argnums=tuple(range({count})))({arguments}))
'''


def main() -> int:
    """Exit status: 0 all agree, 1 some fail, 2 JAX is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--n", type=int, default=20_000, help="programs (default 20000)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first program (default 0)")
    parser.add_argument("--longest", type=int, default=30, help="steps of the longest program (default 30)")
    parser.add_argument("--stop-after", type=int, default=20, help="failures after which it ends (default 20)")
    parser.add_argument("--output", type=Path, help="a folder for a script of every failure")
    options = parser.parse_args()
    try:
        from tests.fuzz import peer
    except ImportError as error:
        print(f"python -m tests.fuzz: {error}; it needs JAX: pip install '.[fuzz]'", file=sys.stderr)
        return 2
    return Run(options, peer).run()


class Run:
    """One run, and what it counts."""

    def __init__(self, options: argparse.Namespace, peer: object):
        self.options, self.peer = options, peer
        self.tally, self.calls, self.kinds, self.depths = Tally(), Counter(), Counter(), Counter()
        self.worst, self.failures, self.notes = (0.0, -1), 0, Counter()
        self.started = time.monotonic()

    def run(self) -> int:
        """All programs, and a summary."""
        last = self.options.first + self.options.n
        for seed in range(self.options.first, last):
            self._one(seed)
            if (seed + 1 - self.options.first) % 500 == 0:
                self._progress()
            if self.failures >= self.options.stop_after:
                print(f"stopped after {self.failures} failures")
                break
        self._summary()
        return 1 if self.failures else 0

    def _one(self, seed: int) -> None:
        program = Maker(Random(seed), self.peer.shared, self.tally, portable=True).program(self.options.longest).program
        self.calls += program.calls
        self.depths[min(program.depth, 30) // 5] += 1
        verdict = compare.judge(program, self.peer.value_and_gradient)
        self.kinds[verdict.kind] += 1
        if verdict.kind == compare.AGREES:
            self.worst = max(self.worst, (verdict.error, seed))
        elif verdict.kind == compare.RAISES:
            self._note(verdict.detail, seed)
        elif verdict.kind in (compare.PEER, compare.FAILS):
            self._differs(seed, program, verdict.kind)

    def _differs(self, seed: int, program: Program, kind: str) -> None:
        small = shrink(program, lambda p: compare.judge(p, self.peer.value_and_gradient).kind == kind)
        if kind == compare.PEER:
            self._note(f"{kind}: {[text for _, text in small.lines]}", seed)
            return
        self.failures += 1
        self._report(seed, small)

    def _note(self, text: str, seed: int) -> None:
        self.notes[text] += 1
        if self.notes[text] == 1:
            print(f"program {seed}: {text}", flush=True)

    def _report(self, seed: int, small: Program) -> None:
        verdict = compare.judge(small, self.peer.value_and_gradient)
        title = f"program {seed}: {verdict.kind}, error {verdict.error:.3g}\n{verdict.detail}"
        script = SCRIPT.format(title=title, program=small, count=len(small.inputs), arguments=", ".join(small.inputs))
        print(f"\n{'-' * 100}\n{script}{'-' * 100}\n", flush=True)
        if self.options.output:
            self.options.output.mkdir(parents=True, exist_ok=True)
            (self.options.output / f"program_{seed}.py").write_text(script)

    def _progress(self) -> None:
        done, spent = sum(self.kinds.values()), time.monotonic() - self.started
        print(f"{done:,} of {self.options.n:,} programs, {spent:.0f} s, {self.failures} failures", flush=True)

    def _summary(self) -> None:
        done = sum(self.kinds.values())
        print(f"\n{done:,} programs with {self.tally.steps:,} steps in {time.monotonic() - self.started:.0f} s; "
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
