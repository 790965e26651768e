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

import gpuad as ad
from tests.fuzz import compare
from tests.fuzz.lines import FAMILIES
from tests.fuzz.maker import Maker, Tally, normal
from tests.fuzz.operations import condition, names
from tests.fuzz.programs import GPUAD, Program, known
from tests.fuzz.shrink import shrink


def complaint(program: Program, direction: list[np.ndarray], slope: float, slack: float) -> str:
    """What is wrong with the derivatives of a program; empty where forward mode, reverse mode and differences agree."""
    try:
        _, system = ad.linearize(lambda *inputs: program.run(GPUAD, inputs), *program.inputs.values())
        forward, gradient = float(system.pushforward(*direction)), system.pullback(1.0)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    reverse, size = compare.along(gradient, direction)
    if not abs(forward - reverse) <= 1e-12 * size + 1e-14:
        return f"forward {forward!r}, reverse {reverse!r}"
    wrong = not abs(forward - slope) <= 1e-8 * size + 1e-10 + 4 * slack
    return f"forward and reverse {forward!r}, differences {slope!r}, wrong by {slack!r} at most" if wrong else ""


def _complaint(program: Program) -> str:
    rng = np.random.default_rng(0)
    direction = [normal(rng, x.shape, x.dtype) for x in program.inputs.values()]
    return complaint(program, direction, *compare.differences(program, direction))


@settings(max_examples=2000, phases=[Phase.reuse, Phase.generate])  # not Phase.shrink: programs are made smaller as programs
@given(st.integers(0, 2**60))
def test_random_programs(seed: int) -> None:
    """2,000 programs of up to 30 steps: forward mode, reverse mode and two-sided differences agree."""
    made = Maker(Random(seed)).program()
    if found := complaint(made.program, made.direction, made.slope, made.slack):
        small = shrink(made.program, lambda p: bool(_complaint(p)))
        pytest.fail(f"{found}\n{small}\n{_complaint(small)}")


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
