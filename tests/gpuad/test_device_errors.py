"""Bad input on the device: memory that is not there, other devices, other streams, NumPy among CuPy; and no device at all."""
from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gpuad as ad
import linalg
from linalg import arrays
from linalg.arrays import to_host

ROOT = Path(__file__).parents[2]


# ---- memory

@contextmanager
def little_memory(cupy: ModuleType, nbytes: int) -> Iterator[None]:
    """Within, CuPy's pool gives nbytes more than it has given."""
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.get_limit()
    pool.set_limit(size=pool.total_bytes() + nbytes)
    try:
        yield
    finally:
        pool.set_limit(size=before)


def grown(x: Any) -> Any:
    """Some twenty arrays of the size of x, all of them kept for the derivative."""
    for _ in range(10):
        x = np.tanh(x) * x
    return np.sum(x)


TRANSFORMS: dict[str, Callable[[Callable[[Any], Any], Any], Any]] = {
    "value_and_grad": lambda f, x: ad.value_and_grad(f)(x),
    "grad": lambda f, x: ad.grad(f)(x),
    "vjp": lambda f, x: ad.vjp(f, x)[1](1.0),
    "jvp": lambda f, x: ad.jvp(f, (x,), (x,)),
    "linearize": lambda f, x: ad.linearize(f, x),
    "jacobian": lambda f, x: ad.jacobian(f)(x),
    "hvp": lambda f, x: ad.hvp(f, (x,), (x,)),
    "elementwise_grad": lambda f, x: ad.elementwise_grad(lambda x: x + f(x))(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_memory_exhausted(gpu: ModuleType, name: str) -> None:
    from linalg.kernels.memory import OutOfDeviceMemory

    x, pool, wanted = gpu.ones(1 << 16), gpu.get_default_memory_pool(), TRANSFORMS[name](np.sum, gpu.ones(4))
    gc.collect()
    held = pool.used_bytes()
    with little_memory(gpu, 10 * x.nbytes):
        with pytest.raises(OutOfDeviceMemory, match=rf"no device memory for an array: {x.nbytes:,} bytes needed, [\d,]+ free; "
                                                    "delete arrays") as caught:
            TRANSFORMS[name](grown, x)
        assert pool.used_bytes() <= held  # although the error is still at hand
        TRANSFORMS[name](lambda x: np.sum(np.tanh(x)), x[:64])
    assert "grown" in [entry.name for entry in all_entries(caught.value)] or name in ("hvp", "vjp", "jacobian")
    del caught
    assert repr(TRANSFORMS[name](np.sum, gpu.ones(4))) == repr(wanted) or name in ("vjp", "linearize")


def all_entries(error: BaseException | None) -> Iterator[Any]:
    """The frames of an error's traceback and of those it came from."""
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            yield SimpleNamespace(name=trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        error = error.__cause__


def test_memory_exhausted_in_a_pullback(gpu: ModuleType) -> None:
    from linalg.kernels.memory import OutOfDeviceMemory

    x, pool = gpu.ones(1 << 16), gpu.get_default_memory_pool()
    _, system = ad.linearize(lambda x: np.exp(np.sin(x)), x)
    gc.collect()
    held = pool.used_bytes()
    with little_memory(gpu, 0):
        with pytest.raises(OutOfDeviceMemory, match=r"^pullback: no device memory"):
            system.pullback(x)
        assert pool.used_bytes() <= held
    assert system.pullback(x)[0].shape == x.shape


def test_a_host_s_own_memory_error_stays_as_it_is() -> None:
    def f(_x: Any) -> Any:
        raise MemoryError("of the user's own")

    for transform in TRANSFORMS.values():
        with pytest.raises(MemoryError, match=r"^of the user's own$"):
            transform(f, np.ones(3))


# ---- two devices

class Elsewhere:
    """What an array of another device shows of itself."""

    dtype, shape, ndim, data = np.dtype(float), (3,), 1, SimpleNamespace(device_id=1)


def test_arrays_of_two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    device = SimpleNamespace(get_device_id=lambda: 0)
    monkeypatch.setattr(arrays, "cupy", lambda: SimpleNamespace(cuda=SimpleNamespace(device=device)))
    monkeypatch.setattr(arrays, "is_cupy", lambda x: isinstance(x, Elsewhere))
    with pytest.raises(ValueError, match=r"arrays of one device, the current one \(0\), got an array on device 1; run the whole "
                                         r"program under `with cupy.cuda.Device\(1\):`, or move the array with cupy.asarray"):
        arrays.snapshot(Elsewhere())


def test_two_devices_in_one_program(gpu: ModuleType) -> None:
    if gpu.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("this machine has one GPU")
    here = gpu.ones(3)
    with gpu.cuda.Device(1):
        there = gpu.ones(3)
        assert ad.grad(lambda x: np.sum(x * there))(there).device.id == 1
    for f, x in ((np.sum, there), (lambda x: np.sum(x * there), here)):
        with pytest.raises(ValueError, match="arrays of one device"):
            ad.grad(f)(x)


# ---- another stream than the null stream

def test_another_stream(gpu: ModuleType) -> None:
    """Everything is enqueued on the current stream: nothing that another stream made is read on the way."""
    x = gpu.asarray(np.linspace(0.1, 2, 1000))
    f = lambda x: np.sum(np.tanh(x) * np.exp(-x)) + np.max(x) + np.mean(x[::2] ** 3)
    expected = to_host(ad.grad(f)(x))
    for stream in (gpu.cuda.Stream(), gpu.cuda.Stream(non_blocking=True), gpu.cuda.Stream(non_blocking=True)):
        gpu.cuda.get_current_stream().synchronize()  # x is made
        with stream:
            got = ad.grad(f)(x)
            stream.synchronize()
            np.testing.assert_array_equal(to_host(got), expected)


def test_no_array_of_another_stream_is_kept(gpu: ModuleType) -> None:
    """Index arrays of a sparse pattern go to the device once for each stream."""
    from linalg.pattern import SparsePattern

    pattern = SparsePattern("coo", (np.array([0, 1]), np.array([1, 0])), (2, 2))
    like = gpu.ones(2)
    first, again = pattern.on(like), pattern.on(like)
    with gpu.cuda.Stream(non_blocking=True):
        other = pattern.on(like)
    assert first[0] is again[0] is not other[0]


# ---- NumPy's arrays among CuPy's

MIXED: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda t, a: t + a, "reflected -": lambda t, a: a - t, "*": lambda t, a: t * a, "/": lambda t, a: a / t,
    "**": lambda t, a: t ** a, "@": lambda t, a: t @ a, "reflected @": lambda t, a: a @ t, "+=": lambda t, a: t.__iadd__(a),
    "a ufunc": lambda t, a: np.maximum(t, a), "a reflected ufunc": lambda t, a: np.arctan2(a, t),
    "hypot": lambda t, a: np.hypot(t, a), "clip": lambda t, a: np.clip(t, a, None),
    "where": lambda t, a: np.where(a > 0, t, 0), "where's branch": lambda t, a: np.where(t > 0, t, a),
    "dot": lambda t, a: np.dot(t, a), "vdot": lambda t, a: np.vdot(t, a), "inner": lambda t, a: np.inner(a, t),
    "outer": lambda t, a: np.outer(t, a), "kron": lambda t, a: np.kron(t, a), "tensordot": lambda t, a: np.tensordot(t, a),
    "einsum": lambda t, a: np.einsum("ij,jk", t, a), "cross": lambda t, a: np.cross(t, a),
    "concatenate": lambda t, a: np.concatenate([t, a]), "stack": lambda t, a: np.stack([a, t]),
    "solve": lambda t, a: np.linalg.solve(t, a), "solve's matrix": lambda t, a: np.linalg.solve(a, t),
    "interp": lambda t, a: np.interp(t[0], a[0], a[1]), "convolve": lambda t, a: np.convolve(t[0], a[0]),
    "average": lambda t, a: np.average(t, weights=a), "linalg.Dense": lambda t, a: linalg.Dense(a) @ t[0],
}
MESSAGE = r"NumPy and CuPy arrays mixed; move one side first, with cupy\.asarray"


@pytest.mark.parametrize("name", MIXED)
def test_numpy_s_arrays_in_a_program_on_the_device(gpu: ModuleType, name: str) -> None:
    on_host, x = np.eye(3) + 1, gpu.eye(3) + 1
    with pytest.raises(TypeError, match=MESSAGE):
        ad.grad(lambda t: np.sum(MIXED[name](t, on_host)))(x)


@pytest.mark.parametrize("name", MIXED)
def test_arrays_of_the_device_in_a_program_on_the_host(gpu: ModuleType, name: str) -> None:
    there = gpu.eye(3) + 1
    with pytest.raises(TypeError, match=MESSAGE):
        ad.grad(lambda t: np.sum(MIXED[name](t, there)))(np.eye(3) + 1)


def test_tangents_and_cotangents_of_the_other_library(gpu: ModuleType) -> None:
    for x, other in ((gpu.ones(3), np.ones(3)), (np.ones(3), gpu.ones(3))):
        pullback = ad.vjp(lambda x: 2 * x, x)[1]
        for call in (partial(ad.jvp, np.sin, (x,), (other,)), partial(pullback, other), partial(ad.hvp, np.sum, (x,), (other,))):
            with pytest.raises(TypeError, match="NumPy and CuPy arrays mixed"):
                call()


# ---- no device

def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


NO_CUPY = "import sys; sys.modules['cupy'] = None\n"
OLD_DRIVER = """
import sys, types
cupy = types.ModuleType("cupy")
runtime = types.SimpleNamespace(driverGetVersion=lambda: 12040, runtimeGetVersion=lambda: 13020)
cupy.is_available, cupy.cuda, cupy.__version__, cupy.ndarray = lambda: False, types.SimpleNamespace(runtime=runtime), "14", type
sys.modules["cupy"] = cupy
"""
BROKEN = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "cupy":
            raise ImportError("\\n===\\nCuPy is not installed well.\\n\\nlibcudart.so.13: cannot open shared object\\n===\\n")
sys.meta_path.insert(0, Broken())
"""
WAYS = {
    "no driver": ("", "CuPy finds no NVIDIA driver (nvidia-smi shows one; a container needs --gpus all)"),
    "missing": (NO_CUPY, "CuPy is not installed (pip install 'gpuad[cuda13]')"),
    "old driver": (OLD_DRIVER, ("the NVIDIA driver is too old: it runs CUDA 12, and this CuPy needs CUDA 13; update the driver, "
                                "or pip uninstall cupy-cuda13x and pip install 'gpuad[cuda12]'")),
    "broken": (BROKEN, "CuPy is installed and cannot be imported (libcudart.so.13: cannot open shared object); install it anew"),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_line_says_why_there_is_no_gpu(way: str) -> None:
    before, reason = WAYS[way]
    if way == "no driver" and python("import cupy; print(cupy.cuda.runtime.driverGetVersion())").stdout != "0\n":
        pytest.skip("CuPy is not installed, or there is a driver")
    info = python(before + "from gpuad import cli; cli.main(['info'])")
    row = next(line for line in info.stdout.splitlines() if line.startswith("GPU"))
    assert row.split(maxsplit=2)[2].startswith(reason), info
    compare = python(before + "import sys; from gpuad import cli; sys.exit(cli.main(['compare', '--device', 'gpu']))")
    if "needs" not in compare.stderr.partition("gpu:")[0]:  # of packages for the demonstration
        assert (compare.returncode, compare.stdout) == (2, "")
        assert compare.stderr.startswith(f"gpuad compare: --device gpu: {reason}") and compare.stderr.count("\n") == 1
    names = python(before + "import gpuad.cupy\ntry:\n    gpuad.cupy.ones\n"
                   "except (ImportError, RuntimeError) as error:\n    print(error)")
    assert names.stdout.count("\n") == 1 and reason.partition(" (pip")[0] in names.stdout, names


def test_gradients_on_the_host_need_none_of_it() -> None:
    for before, _ in WAYS.values():
        run = python(before + "import gpuad as ad, numpy as np; print(ad.grad(lambda x: np.sum(x * x))(np.ones(2)))")
        assert run.stdout == "[2. 2.]\n", run


@pytest.mark.parametrize("arrays_more", [0, 2, 5, 9, 14])
def test_memory_exhausted_in_a_plan(gpu: ModuleType, arrays_more: int) -> None:
    """While it is traced, when its buffers are made, or while it is captured: nothing stays, and a smaller one runs."""
    from linalg.kernels.memory import OutOfDeviceMemory

    x, pool = gpu.ones(1 << 16), gpu.get_default_memory_pool()
    planned = ad.plan(ad.value_and_grad(grown))
    expected = to_host(planned(x[:64])[1])
    gc.collect()
    held = pool.used_bytes()
    with little_memory(gpu, arrays_more * x.nbytes):
        try:
            planned(x)
            said = ""
        except OutOfDeviceMemory as error:
            said = str(error)
        if said:
            gc.collect()
            assert "bytes needed" in said and "free" in said
            assert pool.used_bytes() <= held
        else:
            assert arrays_more > 5
    np.testing.assert_array_equal(to_host(planned(x[:64])[1]), expected)
    assert to_host(planned(x)[1]).shape == x.shape
