"""What every test shares: one BLAS thread, no deadlines, and the GPU where there is one."""

import functools
import importlib
import os
from types import ModuleType

import hypothesis
import pytest

# Read when NumPy is imported, which nothing above does. The processes that tests start inherit it.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

hypothesis.settings.register_profile(
    "gpuad", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("gpuad")


@functools.cache
def why_no_gpu() -> str:
    """The reason why tests on the GPU cannot run here; empty where they can."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        return f"CuPy cannot be imported ({error}): pip install 'gpuad[cuda13]'"
    return "" if cupy.is_available() else "CuPy finds no CUDA device (cupy.is_available() is False)"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-gpu", action="store_true", help="stop, not skip, where there is no GPU")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that use the fixture `gpu`, and skip what is marked where there is none."""
    for item in items:
        if "gpu" in getattr(item, "fixturenames", ()):
            item.add_marker("gpu")
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu or not (reason := why_no_gpu()):
        return
    if config.getoption("--require-gpu"):
        raise pytest.UsageError(f"--require-gpu: {reason}")
    for item in on_gpu:
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    """CuPy, on a machine with a CUDA device."""
    return importlib.import_module("cupy")


@pytest.fixture(scope="module", params=["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request: pytest.FixtureRequest) -> ModuleType:
    """The array library: each test that asks for it runs on NumPy and, where there is a GPU, on CuPy."""
    return importlib.import_module(request.param)
