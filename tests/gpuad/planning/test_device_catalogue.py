"""The first program of each function of the catalogue in a plan on the device, with its derivatives of first and second order."""
from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import numpy as np
import optree
import pytest

from gpuad.planning import plan
from linalg.arrays import to_host
from tests.gpuad.modes import STEERED, _other
from tests.gpuad.planning.test_catalogue import problem
from tests.gpuad.programs import CASES, Case

FIRST = [c for c in CASES if c.name.endswith("#0") and c.name not in STEERED and not c.lists and not c.scalars]

REFUSED = {
    **{f"{name}.accumulate#0": "CuPy has no such method of the ufunc"
       for name in "maximum minimum fmax fmin logaddexp logaddexp2 hypot".split()},
    "special spherical_yn#0": "SciPy's function is no ufunc, and CuPy's of that name is another",
}
"""Programs that run eagerly on the device and are refused in a plan, and why."""


def on_device(gpu: ModuleType, tree: Any) -> Any:
    return optree.tree_map(lambda x: gpu.asarray(x) if isinstance(x, (np.ndarray, np.generic)) else x, tree)


def on_host(tree: Any) -> list[np.ndarray]:
    return [np.asarray(to_host(x)) for x in optree.tree_leaves(tree)]


@pytest.mark.slow
@pytest.mark.parametrize("entry", FIRST, ids=lambda c: c.name)
def test_a_plan_gives_what_the_function_gives(gpu: ModuleType, entry: Case) -> None:
    f, args = problem(entry, entry.kinds[0])
    here = on_device(gpu, args)
    try:
        expected = on_host(f(*here))
    except (TypeError, NotImplementedError) as error:
        pytest.skip(f"eagerly on the device: {str(error)[:100]}")
    planned = plan(f)
    if entry.name in REFUSED:
        with pytest.raises((NotImplementedError, TypeError)):
            planned(*here)
        return
    with np.errstate(all="ignore"), warnings.catch_warnings():
        first = planned(*here)
        close(on_host(first), expected)
        others = on_device(gpu, optree.tree_map(_other, args))
        try:
            elsewhere = on_host(f(*others))
        except Exception:  # no place where f is defined
            elsewhere = None
        if elsewhere is not None:
            close(on_host(planned(*others)), elsewhere)
        close(on_host(planned(*here)), expected)
        close(on_host(first), expected)  # what was handed out stays as it was


def close(got: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for a, b in zip(got, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
