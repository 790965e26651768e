"""What values decide: checks of them, and answers such as how many coefficients are zero. A plan repeats both at each run."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpuad.errors import PlanError
from gpuad.traced import raw
from linalg.arrays import records


def require(check: Callable[..., None], *args: Any) -> None:
    """check(*args) on the values of arrays, which raises where they will not do."""
    values = [raw(a) for a in args]
    staged = next(filter(records, values), None)
    if staged is None:
        check(*values)
    else:
        staged._record(check, *values, ordered=True)


def decided(question: Callable[..., Any], *args: Any) -> Any:
    """question(*args), something about arrays that their values decide, such as a length.

    A plan is made for one answer: where a later run would give another one it raises PlanError.
    """
    values = [raw(a) for a in args]
    answer = question(*[a.value if records(a) else a for a in values])
    if any(map(records, values)):
        require(_require_same, question, answer, *values)
    return answer


def _require_same(question: Callable[..., Any], answer: Any, *values: Any) -> None:
    if (now := question(*values)) != answer:
        raise PlanError(f"{question.__doc__}: {answer} when the plan was made, {now} in this run. It decides the shape or the "
                        "dtype of a result, which a plan has fixed: make a plan for each case, or call the function without it")


__all__ = ["decided", "require"]
