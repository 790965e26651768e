"""``python -m tests.fuzz``: the gradients of random programs against JAX's, in float64 (``make fuzz``)."""
from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.run import Findings

CHUNK = 100


def main() -> int:
    """Exit status: 0 all agree, 1 some fail, 2 JAX is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--n", type=int, default=20_000, help="programs (default 20000)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first program (default 0)")
    parser.add_argument("--longest", type=int, default=30, help="steps of the longest program (default 30)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
                        help="processes (default: one for each core)")
    parser.add_argument("--stop-after", type=int, default=20, help="failures after which it ends (default 20)")
    parser.add_argument("--output", type=Path, help="a folder for a script of every program that differs")
    options = parser.parse_args()
    if importlib.util.find_spec("jax") is None:
        print("python -m tests.fuzz: it needs JAX, which is not installed: pip install '.[fuzz]'", file=sys.stderr)
        return 2
    return run(options)


def run(options: argparse.Namespace) -> int:
    """All programs, with what differs as soon as it is found, and a summary."""
    from tests.fuzz.run import Findings

    all_found, started = Findings(), time.monotonic()
    for found in _chunks(options):
        all_found.add(found)
        _say(found, options.output)
        done = all_found.kinds.total()
        if done % 500 == 0 or done == options.n:
            print(f"{done:,} of {options.n:,} programs, {time.monotonic() - started:.0f} s, {len(all_found.failed)} failures",
                  flush=True)
        if len(all_found.failed) >= options.stop_after:
            print(f"stopped after {len(all_found.failed)} failures")
            break
    print(f"\n{all_found.summary()}")
    return 1 if all_found.failed else 0


def _chunks(options: argparse.Namespace) -> Iterator[Findings]:
    from tests.fuzz.run import examine

    last = options.first + options.n
    ranges = [range(a, min(a + CHUNK, last)) for a in range(options.first, last, CHUNK)]
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=20) as pool:  # JAX's memory grows
        yield from pool.imap(partial(examine, longest=options.longest), ranges)


def _say(found: Findings, folder: Path | None) -> None:
    for seed, script in found.scripts.items():
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"program_{seed}.py").write_text(script)
        if seed in found.failed:
            print(f"\n{'-' * 100}\n{script}{'-' * 100}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
