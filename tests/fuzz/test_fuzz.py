"""Random programs of all kinds of functions against two-sided differences, and the machinery that compares them with JAX."""
from __future__ import annotations

import importlib.util
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import checks, compare
from tests.fuzz.lines import FAMILIES
from tests.fuzz.maker import Drawn, Maker, Tally
from tests.fuzz.operations import condition, names
from tests.fuzz.programs import Program, known
from tests.fuzz.shrink import shrink

SEEDS = given(st.integers(0, 2**60))
PHASES = [Phase.reuse, Phase.generate]  # not Phase.shrink: programs are made smaller as programs


def check(what: checks.Check, made: Drawn) -> None:
    if text := checks.explained(what, made):
        pytest.fail(text)


@settings(max_examples=2000, phases=PHASES)
@SEEDS
def test_random_programs(seed: int) -> None:
    """Up to 30 steps of all kinds of functions: forward mode, reverse mode and two-sided differences agree."""
    check(checks.against_differences, Maker(Random(seed)).program())


@settings(max_examples=200, phases=PHASES)
@SEEDS
def test_second_derivatives(seed: int) -> None:
    check(checks.second_derivatives, Maker(Random(seed)).program(longest=12))


@settings(max_examples=200, phases=PHASES)
@SEEDS
def test_random_programs_in_a_plan(seed: int) -> None:
    check(checks.in_a_plan, Maker(Random(seed)).program())


def test_what_is_drawn() -> None:
    """The programs reach depth 30 and nearly every line; few end early, and differences are a sharp check of nearly all."""
    tally, calls, depths, sharp = Tally(), Counter[str](), [], 0
    for seed in range(400):
        made = Maker(Random(seed), known, tally).program()
        calls += made.program.calls
        depths.append(made.program.depth)
        sharp += made.slack <= 1e-6 * (1 + abs(made.fine))
    available = {name for _, lines in FAMILIES.values() for line in lines for name in names(condition(line)[1]) if known(name)}
    assert max(depths) >= 25 and np.mean(depths) > 3
    assert len(available & set(calls)) >= 0.9 * len(available)
    assert tally.short <= 4 and sharp >= 396 and sum(tally.refused.values()) < tally.steps


def test_a_complaint_comes_with_a_small_program() -> None:
    def no_tanh(made: Drawn) -> str:
        return "tanh" * ("np.tanh" in made.program.calls)

    texts = [checks.explained(no_tanh, Maker(Random(seed)).program()) for seed in range(30)]
    assert "" in texts and min(text.count("\n    v") for text in texts if text) == 1
    assert checks.explained(lambda _: str(1 / 0), Maker(Random(0)).program()).startswith("ZeroDivisionError")


def _wrong(program: Program) -> Any:
    """A peer whose derivative of tanh is wrong."""
    value, gradient = compare.gradient(program)
    return [(value, [g * (1 + 1e-7 * ("np.tanh" in program.calls)) for g in gradient])]


def test_a_difference_is_found_and_made_small() -> None:
    verdicts, smallest = Counter[str](), 30
    for seed in range(40):
        program = Maker(Random(seed)).program().program
        kind = compare.judge(program, _wrong).kind
        verdicts[kind] += 1
        if kind == compare.FAILS:
            small = shrink(program, lambda p: compare.judge(p, _wrong).kind == compare.FAILS)
            assert "np.tanh" in small.calls
            smallest = min(smallest, len(small.lines))
    assert verdicts[compare.FAILS] >= 2 and verdicts[compare.AGREES] >= 20 and smallest == 1


def test_a_wrong_peer_is_told_from_a_wrong_gradient() -> None:
    program = Program({"x": np.array([0.3, -0.7])}, (("v", "np.sin(x)"),), {"v": np.ones(2)})
    value, gradient = compare.gradient(program)
    assert compare.judge(program, lambda _: [(value, gradient)]).kind == compare.AGREES
    assert compare.judge(program, lambda _: [(value, [2 * gradient[0]])]).kind == compare.PEER
    assert compare.judge(program, lambda _: [(value, [gradient[0] * np.nan])]).kind == compare.PEER
    assert compare.judge(program, lambda _: [(value, [gradient[0] * np.nan]), (value, gradient)]).kind == compare.AGREES
    assert compare.judge(program, lambda _: [1 / 0]).kind == compare.RAISES


def test_ill_conditioned_programs_are_counted_as_such() -> None:
    lines = (("v0", "np.exp(x)"), ("v1", "v0 + 1000000.0"), ("v2", "v1 - 1000000.0"), ("v3", "1 / v2"))
    program = Program({"x": np.array([-9.0])}, lines, {"v3": np.ones(1)})
    value, gradient = compare.gradient(program)
    assert compare.judge(program, lambda _: [(value, [gradient[0] * (1 + 1e-9)])]).kind == compare.ILL


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed: pip install '.[fuzz]'")
@pytest.mark.filterwarnings("ignore")
def test_a_few_against_jax() -> None:
    from tests.fuzz import peer

    for seed in range(20):
        program = Maker(Random(seed), peer.shared, portable=True).program(12).program
        verdict = compare.judge(program, peer.ask)
        assert verdict.kind in (compare.AGREES, compare.ILL, compare.RAISES), f"{verdict.detail}\n{program}"
