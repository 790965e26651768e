"""How a plan is called: analyses and their cache, static arguments, threads, what does not fit."""
from __future__ import annotations

import copy
import pickle
import threading
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad.planning.plan import CACHE_SIZE, plan


def test_a_function_is_traced_once_for_each_shape_dtype_and_structure() -> None:
    calls = []

    @plan
    def f(x: Any) -> Any:
        calls.append(1)
        return 2 * x["a"]

    for x in (np.zeros(3), np.ones(3), np.zeros(4), np.zeros(3, np.float32), np.zeros(3), 1.0, 2.0, np.float64(1.0)):
        np.testing.assert_array_equal(f({"a": x}), 2 * np.asarray(x))
    assert len(calls) == 2 * 5  # twice for each: the second run shows that nothing is frozen
    with pytest.raises(KeyError):
        f({"b": np.zeros(3)})


def test_static_arguments_are_settings() -> None:
    @plan(static_argnums=(1,))
    def f(x: Any, n: int) -> Any:
        for _ in range(n):
            x = x * 2
        return x

    assert (f(np.ones(2), 3) == 8).all()
    assert (f(np.ones(2), 1) == 2).all()
    assert (f(np.ones(2), 3) == 8).all()
    with pytest.raises(TypeError, match="hashable static arguments"):
        f(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="out of range"):
        f(np.ones(2))


def test_static_arguments_of_different_types_have_programs_of_their_own() -> None:
    f = plan(lambda x, n: x * n, static_argnums=1)
    x = np.ones(2, np.int64)
    assert f(x, 1).dtype == np.int64
    assert f(x, 1.0).dtype == np.float64
    assert f(x, True).dtype == np.int64


def test_numbers_are_arguments_and_promote_as_numbers() -> None:
    f = plan(lambda x, c: x * (2 * c + 1))
    x = np.ones(3, np.float32)
    for c in (0.5, 1.5, 2.5):
        y = f(x, c)
        assert y.dtype == np.float32
        assert (y == 2 * c + 1).all()
    assert f(x, np.float64(0.5)).dtype == np.float64


def test_keyword_arguments() -> None:
    f = plan(lambda x, *, scale: x * scale)
    assert (f(np.ones(2), scale=3.0) == 3).all()
    assert (f(np.ones(2), scale=4.0) == 4).all()


def test_what_is_no_array_is_refused_with_its_place() -> None:
    f = plan(lambda x, _options: x)
    with pytest.raises(TypeError, match=r"\['name'\].*static_argnums"):
        f(np.ones(2), {"name": "adam"})
    with pytest.raises(TypeError, match="of dtype object"):
        f(np.ones(2), np.array([None]))
    with pytest.raises(TypeError, match="MaskedArray"):
        f(np.ones(2), np.ma.masked_array([1.0]))


def test_bad_settings() -> None:
    with pytest.raises(TypeError, match="expected a function"):
        plan(np.ones(2))
    with pytest.raises(TypeError, match="static_argnums"):
        plan(np.sin, static_argnums="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="both static and donated"):
        plan(np.sin, static_argnums=0, donate=0)
    with pytest.raises(ad.PlanError, match="has not been called"):
        plan(np.sin).program  # noqa: B018


def test_the_cache_is_bounded_and_many_analyses_warn() -> None:
    f = plan(lambda x: x + 1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for n in range(CACHE_SIZE + 5):
            f(np.zeros(n + 1))
    assert all(f"has analysed its function {n} times" in str(w.message) for n, w in zip((8, 16, 32), warned, strict=True))
    assert len(f._entries) == CACHE_SIZE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(np.zeros(CACHE_SIZE + 5))


def test_arrays_from_outside_that_meet_arguments_are_read_at_each_run() -> None:
    table = np.zeros(3)
    f = plan(lambda x: x + table)
    assert (f(np.ones(3)) == 1).all()
    table[:] = 5
    assert (f(np.ones(3)) == 6).all()


def test_many_threads_share_a_plan() -> None:
    f = ad.value_and_grad(lambda w, x: np.sum(np.tanh(x @ w) ** 2))
    p = plan(f)
    rng = np.random.default_rng(0)
    jobs = [(rng.standard_normal((8, 8)), rng.standard_normal((16, 8))) for _ in range(8)]
    expected = [f(*job) for job in jobs]
    failures: list[Any] = []

    def work(k: int) -> None:
        try:
            for _ in range(50):
                value, gradient = p(*jobs[k])
                np.testing.assert_allclose(value, expected[k][0], rtol=1e-12)
                np.testing.assert_allclose(gradient, expected[k][1], rtol=1e-11, atol=1e-13)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_a_plan_inside_a_trace_is_the_function_itself() -> None:
    inner = plan(lambda x: np.sum(np.sin(x) ** 2))
    x = np.linspace(0, 1, 5)
    np.testing.assert_allclose(ad.grad(inner)(x), np.sin(2 * x))
    np.testing.assert_allclose(plan(ad.grad(inner))(x), np.sin(2 * x))
    np.testing.assert_allclose(plan(lambda x: inner(x) * 2)(x), 2 * np.sum(np.sin(x) ** 2))


def test_methods_and_names() -> None:
    class Model:
        def __init__(self) -> None:
            self.w = np.ones(3)

        @plan(static_argnums=0)
        def loss(self, x: Any) -> Any:
            """Docs."""
            return np.sum(self.w * x)

    assert Model.loss.__name__ == "loss"
    assert Model.loss.__doc__ == "Docs."
    assert Model().loss(np.arange(3.0)) == 3


def test_results_that_are_no_arrays() -> None:
    f = plan(lambda x: {"name": "sum", "value": np.sum(x), "none": None, "n": x.size, "list": [x, (1, 2.5)]})
    out = f(np.ones(3))
    assert out["name"] == "sum"
    assert out["value"] == 3
    assert type(out["value"]) is np.float64
    assert out["none"] is None
    assert out["n"] == 3
    assert out["list"][1] == (1, 2.5)


def test_no_arguments() -> None:
    table = np.ones(3)
    f = plan(lambda: table * 2)
    assert (f() == 2).all()
    table[:] = 4
    # nothing in the function depends on an argument: its result is a constant, made when it is traced
    assert (f() == 2).all()


def test_static_arguments_are_told_apart_by_all_their_parts() -> None:
    f = plan(lambda x, s: x * s[0], static_argnums=1)
    x = np.arange(3)
    assert [f(x, s).dtype.kind for s in ((2,), (2.0,), (2,))] == ["i", "f", "i"]
    g = plan(lambda x, s: np.copysign(x, s), static_argnums=1)
    assert [float(g(np.ones(1), s)[0]) for s in (0.0, -0.0, 0.0)] == [1, -1, 1]
    h = plan(lambda x, s: x + s, static_argnums=1)
    h(np.ones(1), float("nan"))
    h(np.ones(1), float("nan"))
    assert h._analyses == 1


def test_a_static_object_that_changes_its_value_has_another_program() -> None:
    @dataclass(unsafe_hash=True)
    class Settings:
        rate: float

    f = plan(lambda s, x: s.rate * x, static_argnums=0)
    settings = Settings(1.0)
    assert f(settings, np.ones(1)) == 1
    settings.rate = 7.0
    assert f(settings, np.ones(1)) == 7


def test_the_order_of_a_dict_counts() -> None:
    f = plan(lambda d: np.concatenate(list(d.values())))
    a, b = np.zeros(1), np.ones(1)
    assert f({"a": a, "b": b}).tolist() == [0, 1]
    assert f({"b": b, "a": a}).tolist() == [1, 0]
    assert f({"a": a, "b": b}).tolist() == [0, 1]


@pytest.mark.parametrize("change", [
    lambda r: setattr(r, "strides", (0,)), lambda r: setattr(r, "dtype", np.int64),
    lambda r: setattr(r.flags, "writeable", False),
])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_result_whose_layout_the_caller_changed_is_not_used_again(change: Any) -> None:
    f = plan(lambda x: x + 1)
    r = f(np.arange(3.0))
    change(r)
    del r
    assert f(np.arange(3.0)).tolist() == [1, 2, 3]
    assert f(np.arange(3.0)).dtype == float


def test_a_donated_array_that_the_function_also_reads_from_outside() -> None:
    w = np.arange(4.0)
    f = plan(lambda x: (2 * x, np.cumsum(2 * x) * w), donate=0)
    with pytest.raises(ValueError, match="array from outside"):
        f(w)
    assert f(w.copy())[1].tolist() == [0, 2, 12, 36]


def test_copies_of_a_plan_analyse_anew() -> None:
    f = plan(np.sin)
    f(np.ones(2))
    for g in (copy.copy(f), copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert g._analyses == 0
        assert (g(np.ones(2)) == np.sin(1.0)).all()


def test_as_numpy_does_it() -> None:
    x, mask = np.array([0.5, 2.0]), np.array([True, False])
    for f, arg in ((lambda c: np.where(c, 1, 2), np.array([0, 2, 1])), (np.add.reduce, np.array(3.0)), (lambda m: m**2, mask),
                   (np.tril, np.ones((2, 2), bool)), (lambda y: np.inner(y, y), x), (lambda y: y**-1 + y**0.5, x + 0j)):
        got, expected = plan(f)(arg), f(arg)
        assert type(got) is type(expected)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
