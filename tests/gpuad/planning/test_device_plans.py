"""Plans on the device: what they give is what the function gives, wherever arguments and results lie, and whoever holds them."""
from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import optree
import pytest

import gpuad as ad
from linalg.arrays import to_host


def network(seed: int = 0, dtype: Any = np.float64) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Parameters, inputs and targets."""
    rng = np.random.default_rng(seed)
    parameters = [rng.normal(size=s).astype(dtype) for s in ((3, 4), (4,), (4, 2), (2,))]
    return parameters, rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=(5, 2)).astype(dtype)


def loss(p: Any, x: Any, y: Any) -> Any:
    return np.mean((np.tanh(x @ p[0] + p[1]) @ p[2] + p[3] - y) ** 2)


def step(p: Any, x: Any, y: Any, rate: Any) -> Any:
    value, slope = ad.value_and_grad(loss)(p, x, y)
    return [w - rate * g for w, g in zip(p, slope, strict=True)], value


def on(gpu: ModuleType, tree: Any) -> Any:
    return optree.tree_map(lambda x: gpu.asarray(x) if isinstance(x, np.ndarray) else x, tree)


def same(got: Any, expected: Any, tolerance: float = 1e-12) -> None:
    flat, structure = optree.tree_flatten(expected)
    leaves, found = optree.tree_flatten(got)
    assert found == structure
    for a, b in zip(leaves, flat, strict=True):
        np.testing.assert_allclose(to_host(a), b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("donate", [(), (0,)], ids=["kept", "donated"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_training_steps(gpu: ModuleType, donate: Any, dtype: Any) -> None:
    p, x, y = network(dtype=dtype)
    planned, q, xs, ys = ad.plan(step, donate=donate), on(gpu, p), gpu.asarray(x), gpu.asarray(y)
    for k in range(6):
        p, value = step(p, x, y, 0.1 + 0.05 * k)
        q, found = planned(q, xs, ys, 0.1 + 0.05 * k)
        same((q, found), (p, value), 1e-12 if dtype is np.float64 else 1e-4)
        assert type(q[0]) is gpu.ndarray and q[0].dtype == dtype


def test_what_is_held_is_not_written_again(gpu: ModuleType) -> None:
    planned, held, expected = ad.plan(ad.value_and_grad(loss)), [], []
    for k in range(6):
        args = network(k)
        held.append(planned(*on(gpu, args)))
        expected.append(ad.value_and_grad(loss)(*args))
    same(held, expected)
    view = held[0][1][0].T
    del held[:], expected
    kept = to_host(view)
    for k in range(4):
        planned(*on(gpu, network(k)))
    np.testing.assert_array_equal(to_host(view), kept)


def test_a_loop_that_keeps_every_loss_gets_its_parameters_back_in_place(gpu: ModuleType) -> None:
    p, x, y = on(gpu, network())
    planned, losses, places = ad.plan(step, donate=0), [], set()
    for _ in range(6):
        p, value = planned(p, x, y, 0.1)
        losses.append(value)
        places.add(p[0].data.ptr)
    assert len(places) <= 2
    assert len({float(v) for v in losses}) == 6


def test_donated_arguments_in_each_other_s_place(gpu: ModuleType) -> None:
    planned = ad.plan(lambda a, b: (a + 1, b * 2), donate=(0, 1))
    a, b = planned(gpu.zeros(100), gpu.ones(100))
    a, b = planned(b, a)
    same((a, b), (np.full(100, 3.0), np.full(100, 2.0)))
    c, d = planned(gpu.full(100, 7.0), gpu.full(100, 8.0))  # while a and b are held
    same((a, b, c, d), (np.full(100, 3.0), np.full(100, 2.0), np.full(100, 8.0), np.full(100, 16.0)))


def test_a_result_that_becomes_an_argument(gpu: ModuleType) -> None:
    planned = ad.plan(lambda a, b: (a + b, a - b))
    a, b = planned(gpu.full(100, 5.0), gpu.full(100, 3.0))
    a, b = planned(b, a)
    a, b = planned(b, a)
    same((a, b), (np.full(100, 4.0), np.full(100, -16.0)))


def test_arguments_at_the_same_place_and_elsewhere(gpu: ModuleType) -> None:
    x = gpu.arange(200_005, dtype=float)
    planned = ad.plan(lambda x, c: np.sum(x * x) * c)
    expected = float(np.sum(to_host(x) ** 2))
    for k in range(4):
        assert float(planned(x, 1.0 + k)) == pytest.approx(expected * (1 + k), rel=1e-12)
    x += 1  # the same memory, other entries
    assert float(planned(x, 1.0)) == pytest.approx(float(np.sum(to_host(x) ** 2)), rel=1e-12)
    y = x[::-1] * 2
    assert float(planned(y, 1.0)) == pytest.approx(float(np.sum(to_host(y) ** 2)), rel=1e-12)
    assert float(planned(x, 1.0)) == pytest.approx(float(np.sum(to_host(x) ** 2)), rel=1e-12)


def test_arguments_that_are_no_contiguous_arrays(gpu: ModuleType) -> None:
    x = np.arange(24.0).reshape(4, 6)
    planned = ad.plan(ad.grad(lambda x: np.sum(np.sin(x) * x[0])))
    for view in (x[:, ::2], x.T[:4, :3], x[::-1, 3:], np.broadcast_to(x[0, :3], (4, 3))):
        same(planned(on_device_view(gpu, view)), ad.grad(lambda x: np.sum(np.sin(x) * x[0]))(view))


def on_device_view(gpu: ModuleType, view: np.ndarray) -> Any:
    """An array of the device with the strides of a view."""
    base = gpu.asarray(np.ascontiguousarray(np.broadcast_to(view, (2, *view.shape)).transpose(*range(1, view.ndim + 1), 0)))
    return base[..., 1]


def test_arrays_from_outside_are_read_anew(gpu: ModuleType) -> None:
    c, index = gpu.arange(5.0), np.array([0, 2, 2])
    planned = ad.plan(ad.grad(lambda x: np.sum(x[index] ** 2 * c[1:4])))
    x = gpu.ones(4)
    same(planned(x), np.array([2.0, 0, 10, 0]))
    c += 1
    same(planned(x), np.array([4.0, 0, 14, 0]))
    index[0] = 3
    same(planned(x), np.array([0.0, 0, 14, 4]))


def test_arrays_from_outside_alone_lie_on_the_device(gpu: ModuleType) -> None:
    c = gpu.arange(3.0)
    planned, slope = ad.plan(lambda n: c * n), ad.plan(ad.grad(lambda n: np.sum(c * n)))
    for n in (2.0, 3.0):
        same((planned(n), slope(n)), (np.arange(3.0) * n, 3.0))
    made = ad.plan(lambda n: gpu.ones(3) * n)
    same((made(2.0), made(4.0)), (np.full(3, 2.0), np.full(3, 4.0)))
    with pytest.raises(TypeError, match="expected CuPy arrays as arguments"):
        ad.plan(lambda x, n: (x * 2, c * n))(np.ones(2), 1.0)


def test_numbers_of_python_are_arguments(gpu: ModuleType) -> None:
    planned = ad.plan(lambda x, a, n, flag: (x * (a * 2 + n), a + n, np.where(flag, x, -x), n))
    for a, n, flag in ((0.5, 1, True), (0.5, 2, True), (-1.5, 2, False), (float("nan"), 3, False)):
        x = np.arange(3.0)
        same(planned(gpu.asarray(x), a, n, flag), (x * (a * 2 + n), a + n, x if flag else -x, n))


def test_outputs_that_are_inputs_constants_and_views(gpu: ModuleType) -> None:
    x = np.arange(6.0).reshape(2, 3)
    planned = ad.plan(lambda x: {"same": x, "view": x.T, "both": (x + 1, (x + 1)[0]), "number": 3, "none": None})
    got = planned(gpu.asarray(x))
    same(got, {"same": x, "view": x.T, "both": (x + 1, x[0] + 1), "number": 3, "none": None})
    again = planned(gpu.asarray(x * 2))
    same(got["both"], (x + 1, x[0] + 1))
    same(again["view"], 2 * x.T)


def test_empty_arrays(gpu: ModuleType) -> None:
    planned = ad.plan(lambda x: (np.sum(x), x * 2, np.sum(x, axis=0)))
    same(planned(gpu.zeros((0, 3))), (0.0, np.zeros((0, 3)), np.zeros(3)))


def test_derivatives_of_plans(gpu: ModuleType) -> None:
    x = np.arange(3.0)
    planned = ad.plan(lambda x: np.sum(np.sin(x) ** 2))
    same(ad.grad(planned)(gpu.asarray(x)), np.sin(2 * x))
    same(ad.plan(lambda x: planned(x) * 2)(gpu.asarray(x)), 2 * np.sum(np.sin(x) ** 2))
    same(ad.plan(ad.hessian(planned))(gpu.asarray(x)), np.diag(2 * np.cos(2 * x)))


def test_functions_that_no_kernel_of_ours_computes(gpu: ModuleType) -> None:
    a = np.random.default_rng(0).normal(size=(3, 3))
    f = lambda a: np.sum(np.linalg.inv(a @ a.T + np.eye(3, like=a)) * a) + np.sum(np.sort(a, axis=None) * np.arange(9.0, like=a))
    same(ad.plan(ad.value_and_grad(f))(gpu.asarray(a)), ad.value_and_grad(f)(a), 1e-9)


def test_a_stream_of_the_caller_s(gpu: ModuleType) -> None:
    planned = ad.plan(ad.value_and_grad(loss))
    expected = [ad.value_and_grad(loss)(*network(k)) for k in range(4)]
    streams, got = [gpu.cuda.Stream(non_blocking=True) for _ in range(2)], []
    for k in range(4):
        args = on(gpu, network(k))
        gpu.cuda.get_current_stream().synchronize()
        with streams[k % 2]:
            got.append(planned(*args))
    for stream in streams:
        stream.synchronize()
    same(got, expected)


@pytest.mark.parametrize("deterministic", [False, True])
def test_adding_at_places(gpu: ModuleType, deterministic: bool) -> None:
    rng = np.random.default_rng(0)
    table, places = rng.normal(size=(6, 3)), rng.integers(0, 6, size=(4, 50))

    def f(table: Any, places: Any) -> Any:
        return np.sum(np.tanh(table[places]) ** 2)

    planned = ad.plan(ad.grad(f), deterministic=deterministic)
    first = planned(gpu.asarray(table), gpu.asarray(places))
    same(first, ad.grad(f)(table, places))
    if deterministic:
        for _ in range(3):
            assert to_host(planned(gpu.asarray(table), gpu.asarray(places))).tobytes() == to_host(first).tobytes()


# ---- what cannot be

def test_libraries_mixed(gpu: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"one library and one device, got arguments 0 on device 0, 1 on the host"):
        ad.plan(lambda x, y: x + y)(gpu.ones(2), np.ones(2))
    c = np.ones(2)
    with pytest.raises(TypeError, match="NumPy and CuPy arrays mixed"):
        ad.plan(lambda x: x + c)(gpu.ones(2))


def test_values_cannot_steer(gpu: ModuleType) -> None:
    with pytest.raises(ad.PlanError, match="values cannot steer Python"):
        ad.plan(lambda x: x if x[0] > 0 else -x)(gpu.ones(2))
    with pytest.raises(ad.PlanError, match="in-place change of an argument"):
        ad.plan(lambda x: x.fill(0))(gpu.ones(2))


def test_what_is_random_would_be_frozen(gpu: ModuleType) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ad.PlanError, match="traced again"):
        ad.plan(lambda x: x + gpu.asarray(rng.normal(size=2)))(gpu.ones(2))


def test_a_donated_array_that_is_another_argument_too(gpu: ModuleType) -> None:
    x = gpu.ones(4)
    with pytest.raises(ValueError, match="shares memory with another argument"):
        ad.plan(lambda a, b: a + b, donate=0)(x, x[:])


def test_the_report(gpu: ModuleType) -> None:
    planned = ad.plan(step, donate=0)
    planned(*on(gpu, network()), 0.1)
    report = planned.report()
    assert report.flops > 0 and sum(report.launches.values()) > 0
    assert str(report).startswith("plan(step)")
    assert ("one CUDA graph" in str(report)) == (report.why_no_graph is None)
    inverse = ad.plan(np.linalg.inv)
    inverse(gpu.eye(3))
    assert inverse.report().why_no_graph and "steps on the stream" in str(inverse.report())


def test_the_picture(gpu: ModuleType) -> None:
    planned = ad.plan(step)
    planned(*on(gpu, network()), 0.1)
    assert planned.draw().axes


@pytest.mark.parametrize(("shape", "dtype"), [((3, 129), np.float32), ((64, 200), np.float64), ((3, 65), np.float64)])
def test_sums_of_rows_beside_sums_of_all(gpu: ModuleType, shape: Any, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=shape).astype(dtype), rng.normal(size=shape[0]).astype(dtype)
    f = lambda a, b: np.mean((a - b[:, None]) ** 2) + np.sum(b * b) + np.max(a * 2)
    slope = ad.value_and_grad(f, argnums=(0, 1))
    same(ad.plan(slope)(gpu.asarray(a), gpu.asarray(b)), slope(a, b), 1e-4 if dtype is np.float32 else 1e-11)


@pytest.mark.parametrize(("f", "dtype", "first", "then", "error"), [
    (lambda x, n: x * 2**n, float, 3, -1, ad.PlanError),  # a power that is no integer
    (lambda x, n: x * n**0.5, float, 3.0, -2.0, ad.PlanError),  # a complex root
    (lambda x, n: x < n, np.int8, 3, -129, OverflowError),
    (lambda x, n: x + n, np.int8, 3, 300, OverflowError),
    (lambda x, n: x * n, float, 3, 2**70, OverflowError),
    (lambda x, n: x[n] + np.sum(x), float, 1, 100, IndexError),
    (lambda x, n: x**n, np.int64, 3, -1, ValueError),
])
def test_numbers_with_which_a_plan_would_do_something_else(gpu: ModuleType, f: Any, dtype: Any, first: Any, then: Any,
                                                           error: Any) -> None:
    x, planned = np.arange(5).astype(dtype), ad.plan(f)
    same(planned(gpu.asarray(x), first), f(x, first))
    with pytest.raises(error, match="expected"):
        planned(gpu.asarray(x), then)
    same(planned(gpu.asarray(x), first), f(x, first))


def test_a_number_that_is_refused_does_not_hide_another(gpu: ModuleType) -> None:
    planned = ad.plan(lambda x, a, n: x * a + n)
    x = gpu.arange(3, dtype=np.int8)
    planned(x, 2, 3)
    with pytest.raises(OverflowError):
        planned(x, 5, 300)
    same(planned(x, 5, 3), np.arange(3, dtype=np.int8) * 5 + 3)


def test_memory_that_somebody_holds_without_the_array(gpu: ModuleType) -> None:
    planned = ad.plan(lambda a: a * 2)
    r = planned(gpu.ones(50))
    alias = gpu.ndarray(r.shape, r.dtype, r.data)
    del r
    kept = planned(gpu.full(50, 9.0))
    same((alias, kept), (np.full(50, 2.0), np.full(50, 18.0)))
    del planned
    same(kept, np.full(50, 18.0))


def test_a_vector_on_the_right_of_solve(gpu: ModuleType) -> None:
    a, b = np.random.default_rng(0).normal(size=(3, 3)) + 3 * np.eye(3), np.arange(3.0)
    same(ad.plan(np.linalg.solve)(gpu.asarray(a), gpu.asarray(b)), np.linalg.solve(a, b))
