"""What every test shares: one BLAS thread, no deadlines, and the GPU where there is one."""

import functools
import importlib
import os
from types import ModuleType

import hypothesis
import pytest

# Read when NumPy is imported, which nothing above does. The processes that tests start inherit it.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

# In CI the examples are the same at every run: what is found is found by people, on their own machines, and mended.
hypothesis.settings.register_profile(
    "gpuad", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[hypothesis.HealthCheck.too_slow]
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
    parser.addoption("--cupy-standin", action="store_true",
                     help="run what is meant for CuPy on tests/standin, which is neither CuPy nor a GPU")


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--cupy-standin"):
        return
    if config.getoption("--require-gpu"):
        raise pytest.UsageError("--require-gpu: the stand-in of --cupy-standin is no GPU")
    importlib.import_module("tests.standin").install()
    config.option.markexpr = config.option.markexpr or "gpu"


def pytest_report_header(config: pytest.Config) -> str | None:
    return "NOT A GPU RUN: a stand-in on the CPU takes CuPy's place" if config.getoption("--cupy-standin") else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that asks for `xp` runs on NumPy and, where there is a GPU, on CuPy (or on its stand-in, and says so)."""
    if "xp" in metafunc.fixturenames:
        name = "standin" if metafunc.config.getoption("--cupy-standin") else "cupy"
        both = ["numpy", pytest.param("cupy", marks=pytest.mark.gpu, id=name)]
        metafunc.parametrize("xp", both, indirect=True, scope="module")


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


@pytest.fixture(scope="module")
def xp(request: pytest.FixtureRequest) -> ModuleType:
    """The array library: see `pytest_generate_tests`."""
    return importlib.import_module(request.param)
