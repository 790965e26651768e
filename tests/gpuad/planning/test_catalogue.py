"""Every entry of the catalogue in a plan: value, derivatives of first and second order both ways, many right-hand sides."""
from __future__ import annotations

from typing import Any

import numpy as np
import optree
import pytest

import gpuad as ad
from gpuad.errors import PlanError
from gpuad.planning import plan
from tests.gpuad.modes import STEERED, planned
from tests.gpuad.programs import CASES, Case

EACH = [(c, kind) for c in CASES
        for kind in ({"d": "fd", "D": "D", "dD": "fdD"}[c.kinds] if c.name.endswith("#0") else c.kinds[0])]
"""Every program in its first precision, the first of each function in all."""


def _names(cases: list[tuple[Case, str]]) -> list[Any]:
    return [pytest.param(c, kind, id=f"{c.name}-{kind}") for c, kind in cases]


def problem(entry: Case, kind: str) -> tuple[Any, tuple[Any, ...]]:
    """A function that has all derivatives of an entry in it, and its arguments: the integers among them are arguments too."""
    arguments = entry.arguments(kind)
    differentiated = [a.dtype.kind in "fc" for a in arguments]
    rng = np.random.default_rng(5)

    def like(a: Any, *lead: int) -> np.ndarray:
        a = np.asarray(a)
        w = rng.standard_normal((*lead, *a.shape))
        return np.asarray(w + 1j * rng.standard_normal(w.shape) if a.dtype.kind == "c" else w, a.dtype)

    def everything(primals: Any, constants: Any, directions: Any, many: Any, weights: Any) -> Any:
        def f(*args: Any) -> list[Any]:
            both = {True: iter(args), False: iter(constants)}
            return optree.tree_leaves(entry.f(*[next(both[d]) for d in differentiated]))

        def gradient(*args: Any) -> tuple[Any, ...]:
            return ad.vjp(f, *args)[1](weights)

        out, system = ad.linearize(f, *primals)
        return (out, system.pushforward(*directions), system.pushforward(*many), system.pullback(weights),
                ad.jvp(gradient, primals, directions), ad.vjp(gradient, *primals)[1](directions))

    primals = tuple(a for a, d in zip(arguments, differentiated, strict=True) if d)
    constants = tuple(a for a, d in zip(arguments, differentiated, strict=True) if not d)
    outs = [np.asarray(y) for y in optree.tree_leaves(entry.f(*arguments))]
    weights = [like(y if y.dtype.kind in "fc" else y.astype(float)) for y in outs]
    return everything, (primals, constants, tuple(map(like, primals)), tuple(like(a, 2) for a in primals), weights)


@pytest.mark.parametrize(("entry", "kind"), _names([(c, kind) for c, kind in EACH if c.name not in STEERED]))
def test_a_plan_gives_what_the_function_gives(entry: Case, kind: str) -> None:
    f, args = problem(entry, kind)
    planned.both(f)(*args)


@pytest.mark.parametrize(("entry", "kind"), _names([(c, kind) for c, kind in EACH if c.name in STEERED]))
def test_what_cannot_be_planned_is_refused(entry: Case, kind: str) -> None:
    f, args = problem(entry, kind)
    f(*args)
    with pytest.raises(PlanError, match="A plan runs one recorded program for all values"):
        plan(f)(*args)
