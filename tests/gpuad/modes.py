"""Two modes of every gradient test: eager, and planned, where what a plan gives is held against the eager result.

A test module says ``pytestmark = pytest.mark.usefixtures("both_modes")``: in the second mode its name ``ad`` is
:data:`planned`, whose transforms run in a plan.
"""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import optree

import gpuad
from gpuad.errors import PlanError
from gpuad.planning import plan
from linalg.arrays import is_array

STEERED: dict[str, str] = {
    "test_output_that_does_not_depend_on_the_argument": "float(x)",
    "test_constant_changes_in_a_loop": "fills an array again that it has used",
    "masks": "x[mask] *= 2 with a mask of values that are computed",
    "getitem#1": "x[mask] with a mask among the arguments",
    **{f"piecewise#{k}": "a function gets the entries of its piece" for k in (2, 3, 4)},
    "trim_zeros#0": "how much is trimmed", "trim_zeros#1": "how much is trimmed", "extract#0": "a mask among the arguments",
    **{f"lstsq {which}#0": "the shape of the residuals depends on the rank"
       for which in ("rcond", "of low rank", "with many solutions")},
    **{f"scipy.linalg lstsq#{k}": "the rank is a number of Python's" for k in range(3)},
    "scipy.linalg eigvalsh by value#0": "the number of eigenvalues between two values depends on values",
    "lstsq#0": "the shape of the residuals depends on the rank", "lstsq#1": "the shape of the residuals depends on the rank",
    **dict.fromkeys("""unique#0 unique#1 unique#2 unique_all#0 unique_counts#0 unique_inverse#0 unique_values#0 union1d#0
        intersect1d#0 intersect1d#1 setdiff1d#0 setxor1d#0""".split(), "the number of results depends on values"),
    "real_if_close#1": "whether the result is real depends on values",
}
"""Tests, and entries of the catalogue, with programs that cannot be planned, and why: they must raise PlanError."""

EAGER: dict[str, str] = {
    "test_one_solve_for_a_gradient": "counts solves",
    "test_one_linearised_system": "counts solves",
    "test_one_solve_for_all_examples": "counts solves",
    "test_linearize_once_solve_often": "counts solves",
    "test_leading_axes_are_right_hand_sides": "counts solves",
    "test_jacobian_is_one_solve": "counts solves",
    "test_jacobian_of_pytrees": "counts solves",
    "test_a_second_solve_only_where_the_structure_leaves_it_open": "counts solves",
    "test_exception_inside_the_function_leaves_no_state": "looks at what was kept while it was traced",
    "test_one_trace_recorded_from_six_threads": "records in an order that differs from trace to trace",
    "test_primals_and_constants_change_before_the_solve": "changes arrays between linearize and the solve",
    "test_primals_and_constants_change_inside_the_function": "changes, once, arrays that it reads from outside",
    "test_may_write_to_its_arguments_and_read_from_lists": "changes, once, an array that it reads from outside",
    "test_six_threads": "an integer among the arguments chooses among captured arrays",
    "test_index_and_mask_change_before_the_solve": "changes arrays between vjp and the solve",
    "test_operator_in_the_program_changes_before_the_solve": "changes arrays between linearize and the solve",
    "test_differential_is_evaluated_when_the_function_is": "changes arrays between vjp and the solve",
    "test_results_are_snapshots": "changes arrays between vjp and the solve",
    "test_an_array_of_another_thread_s_open_trace_is_no_constant": "starts a thread, once",
    "test_many_pieces_are_joined_in_linear_work": "counts calls of a rule",
    "test_decompositions_give_numpys_named_results": "looks at types while it is traced",
}
"""Tests that are run eagerly only, and why: they look at how derivatives are made, not at what they are."""


class Planned(threading.local):
    """gpuad, whose transforms run eagerly and in a plan and must agree; a transform inside another one belongs to its plan."""

    def __init__(self) -> None:
        self.inside = False
        self.steered: str | None = None  # why the program of the running test cannot be planned
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(gpuad, name)

    def grad(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        return self.both(gpuad.grad(f, *args, **kwargs))

    def value_and_grad(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        return self.both(gpuad.value_and_grad(f, *args, **kwargs))

    def jacobian(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        return self.both(gpuad.jacobian(f, *args, **kwargs))

    def hessian(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        return self.both(gpuad.hessian(f, *args, **kwargs))

    def elementwise_grad(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        return self.both(gpuad.elementwise_grad(f, *args, **kwargs))

    def hvp(self, f: Any, primals: Any, tangents: Any) -> Any:
        return self.both(lambda p, t: gpuad.hvp(f, p, t))(primals, tangents)

    def gnvp(self, f: Any, primals: Any, tangents: Any, loss: Any = None) -> Any:
        return self.both(lambda p, t: gpuad.gnvp(f, p, t, loss))(primals, tangents)

    def per_example_grads(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        return self.both(gpuad.per_example_grads(f, *args, **kwargs))

    def per_example_norms(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        return self.both(gpuad.per_example_norms(f, *args, **kwargs))

    def jvp(self, f: Any, primals: Any, tangents: Any) -> Any:
        return self.both(lambda p, t: gpuad.jvp(f, p, t))(primals, tangents)

    def vjp(self, f: Any, *primals: Any) -> Any:
        if self.inside:
            return gpuad.vjp(f, *primals)
        pull = self.both(lambda p, cotangent: gpuad.vjp(f, *p)[1](cotangent))
        return self.both(lambda *p: gpuad.vjp(f, *p)[0])(*primals), lambda cotangent: pull(primals, cotangent)

    def linearize(self, f: Any, *primals: Any) -> Any:
        if self.inside:
            return gpuad.linearize(f, *primals)
        return self.both(lambda *p: gpuad.linearize(f, *p)[0])(*primals), PlannedSystem(self, f, primals)

    def both(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """f run eagerly and in a plan: twice with these arguments, and once with others of their kind in between."""
        p = plan(f)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.inside:
                return f(*args, **kwargs)
            self.inside = True
            try:
                return self._compare(f, p, args, kwargs)
            finally:
                self.inside = False

        call.__name__, call.__doc__ = f.__name__, f.__doc__
        return call

    def _compare(self, f: Any, p: Any, args: Any, kwargs: Any) -> Any:
        try:
            expected = f(*args, **kwargs)
        except Exception as error:
            _must_raise(type(error), p, args, kwargs)
            raise
        if self.steered is not None:
            try:
                first = p(*args, **kwargs)
            except PlanError:
                self.refused += 1
                return expected
        else:
            first = p(*args, **kwargs)
        precision = _precision((args, kwargs))
        assert_same(first, expected, precision)
        with np.errstate(all="ignore"):
            others = optree.tree_map(_other, args)
            try:
                elsewhere = f(*others, **kwargs)
            except Exception:  # no place where f is defined
                elsewhere = None
            if elsewhere is not None:
                assert_same(p(*others, **kwargs), elsewhere, precision)
        second = p(*args, **kwargs)
        assert_same(second, expected, precision)
        assert_same(first, expected, precision)  # what was handed out stays as it was
        return second


class PlannedSystem:
    """A system whose substitutions run in a plan; all else is the eager one's."""

    def __init__(self, ad: Planned, f: Any, primals: Any):
        ad.inside = True  # derivatives inside f belong to this system
        try:
            self._system = gpuad.linearize(f, *primals)[1]
        finally:
            ad.inside = False
        forward = ad.both(lambda p, tangents: gpuad.linearize(f, *p)[1].pushforward(*tangents))
        reverse = ad.both(lambda p, cotangent: gpuad.linearize(f, *p)[1].pullback(cotangent))
        self.pushforward = lambda *tangents: forward(primals, tangents)
        self.pullback = lambda cotangent: reverse(primals, cotangent)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def __repr__(self) -> str:
        return repr(self._system)


def _must_raise(kind: type[Exception], p: Any, args: Any, kwargs: Any) -> None:
    try:
        p(*args, **kwargs)
    except (kind, PlanError):
        return
    raise AssertionError(f"{kind.__name__} is raised eagerly, but not in a plan")


def _other(x: Any) -> Any:
    """Another array of x's shape and dtype, which lies where functions of x are defined: turned round, and a little less."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "fc":
        return np.asarray(np.flip(x) * x.dtype.type(0.97))
    return x * type(x)(0.97) if isinstance(x, (float, np.floating)) else x


def _precision(tree: Any) -> int:
    """The bytes of the least precise real numbers in a tree: results of any dtype may be computed from them."""
    return min([x.real.dtype.itemsize for x in optree.tree_leaves(tree) if is_array(x) and x.dtype.kind in "fc"], default=8)


def assert_same(got: Any, expected: Any, precision: int = 8) -> None:
    """Equal to rounding: the structure, and of every leaf its type, shape, dtype and values."""
    (a, one), (b, other) = optree.tree_flatten(got), optree.tree_flatten(expected)
    assert one == other
    for x, y in zip(a, b, strict=True):
        assert type(x) is type(y), (type(x), type(y))
        if not isinstance(y, (np.ndarray, np.generic)):
            assert x == y or np.isnan(x)
            continue
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        if y.dtype.kind in "fc":
            finite = np.abs(y[np.isfinite(y)]) if y.size else np.zeros(0)
            relative = {2: 1e-2, 4: 1e-4}.get(min(precision, y.real.dtype.itemsize), 1e-10)
            slack = relative * (float(np.max(finite, initial=0)) + 1e-2)
            np.testing.assert_allclose(x, y, rtol=0, atol=slack)
        else:
            np.testing.assert_array_equal(x, y)


planned = Planned()
