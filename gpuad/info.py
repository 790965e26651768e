"""``gpuad info``: what the numbers of a run depend on: versions, the BLAS and its kernels, the GPU."""
from __future__ import annotations

import ctypes
import itertools
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

import gpuad
from linalg import arrays

PIN = "OPENBLAS_CORETYPE"


@dataclass(frozen=True)
class Blas:
    """NumPy's BLAS: library, the core whose kernels it runs, the threads it may use; None is unknown."""

    library: str
    core: str | None = None
    threads: int | None = None

    def __str__(self) -> str:
        return f"{self.library}, {self.core} kernels" if self.core else self.library


def report() -> str:
    """All of it, as lines of text."""
    found = blas()
    rows = [*versions().items(), ("processor", processor()), ("BLAS", str(found)),
            ("BLAS threads", str(found.threads or "unknown")), *gpu_rows()]
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join([f"{name:{width}}{value}" for name, value in rows] + pin_warnings(found))


def versions() -> dict[str, str]:
    """Versions of gpuad, Python and the array libraries; CuPy and nvmath-python where they are installed."""
    found = {"gpuad": gpuad.__version__, "python": platform.python_version(), "numpy": np.__version__,
             "scipy": metadata.version("scipy")}
    with suppress(ImportError):
        found[arrays.cupy().__name__] = arrays.cupy().__version__
    with suppress(metadata.PackageNotFoundError):
        found["nvmath-python"] = metadata.version("nvmath-python")
    return found


def processor() -> str:
    """The CPU's name and how many of its cores this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor_name()}, {count} core{'' if count == 1 else 's'}"


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


# ---- BLAS

def blas() -> Blas:
    """NumPy's BLAS, asked itself where it is OpenBLAS, else as NumPy was built."""
    for library in _openblas_libraries():
        core, config = _ask(library, "get_corename"), _ask(library, "get_config")
        if core and config:
            return Blas(" ".join(config.split()[:2]), core, _ask(library, "get_num_threads", ctypes.c_int))
    built = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return Blas(f"{built.get('name', 'unknown')} {built.get('version', '')}".strip())


def _openblas_libraries() -> Iterator[ctypes.CDLL]:
    """OpenBLAS libraries of this process, NumPy's own first; loading one again gives the one that runs."""
    root = Path(np.__file__).parent
    folders = (root.parent / "numpy.libs", root / ".dylibs", root / ".libs")
    bundled = [str(path) for folder in folders for path in sorted(folder.glob("*openblas*"))]
    for path in dict.fromkeys(bundled + _mapped("openblas")):
        try:
            yield ctypes.CDLL(path)
        except OSError:
            continue


def _mapped(name: str) -> list[str]:
    """Files mapped into this process whose name contains ``name``, where the system tells (Linux)."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    paths = (line.split(maxsplit=5)[-1] for line in lines if line.count("/"))
    return sorted({path for path in paths if name in Path(path).name})


def _ask(library: ctypes.CDLL, question: str, kind=ctypes.c_char_p):
    """The answer of ``openblas_<question>``, under any of the names that builds give it; None without one."""
    for prefix, suffix in itertools.product(("scipy_", ""), ("64_", "_64", "")):
        function = getattr(library, f"{prefix}openblas_{question}{suffix}", None)
        if function is not None:
            function.argtypes, function.restype = [], kind
            answer = function()
            return answer.decode() if isinstance(answer, bytes) else answer
    return None


def pin_warnings(found: Blas) -> list[str]:
    """A WARNING where OPENBLAS_CORETYPE pins other kernels than OpenBLAS would choose for this CPU."""
    if PIN not in os.environ or found.core is None:
        return []
    unpinned = core_without_pin()
    if unpinned is None or unpinned == found.core:
        return []
    return [(f"WARNING: {PIN}={os.environ[PIN]} pins OpenBLAS to its {found.core} kernels; for this CPU it "
             f"would choose {unpinned}. Matrix products may run at half speed: unset {PIN}.")]


def core_without_pin() -> str | None:
    """The core that OpenBLAS detects by itself: asked in a process of its own, without the variable."""
    environment = {name: value for name, value in os.environ.items() if name != PIN}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    question = "from gpuad import info; print(info.blas().core or '')"
    answer = subprocess.run([sys.executable, "-c", question], env=environment, capture_output=True, text=True,
                            timeout=60, check=False)
    return answer.stdout.strip() or None


# ---- GPU

def gpu_rows() -> Iterator[tuple[str, str]]:
    """Name, driver, CUDA and memory of the GPU, and how plans run there; or one row that says why there is none."""
    reason = arrays.gpu_unavailable_reason()
    if reason is not None:
        yield "GPU", f"none: {reason}"
        return
    free, total = arrays.cupy().cuda.runtime.memGetInfo()
    yield "GPU", str(gpu_name())
    yield "GPU driver", _driver()
    yield "CUDA runtime", _cuda(arrays.cupy().cuda.runtime.runtimeGetVersion())
    yield "GPU memory", f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    yield "GPU plans", gpu_plans()


def gpu_plans() -> str:
    """Whether plans on the GPU can be captured as CUDA graphs, and if not all of them, why."""
    from linalg.kernels import products

    reason = products.unavailable_reason()
    return "CUDA graphs" if reason is None else f"CUDA graphs, but launched one by one where there are matrix products: {reason}"


def gpu_name() -> str | None:
    """Name of the current GPU; None where there is none."""
    if arrays.gpu_unavailable_reason() is not None:
        return None
    runtime = arrays.cupy().cuda.runtime
    name = runtime.getDeviceProperties(runtime.getDevice())["name"]
    return name.decode() if isinstance(name, bytes) else name


def _driver() -> str:
    """Version of the driver, where the system tells, and the newest CUDA that it runs."""
    cuda = f"CUDA {_cuda(arrays.cupy().cuda.runtime.driverGetVersion())}"
    try:
        line = Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except (OSError, IndexError):
        return f"for {cuda}"
    versions = [word for word in line.split() if word[0].isdigit() and "." in word]
    return f"{versions[0]}, for {cuda}" if versions else f"for {cuda}"


def _cuda(number: int) -> str:
    """A version of CUDA as it is written, 13.0 for 13000."""
    return f"{number // 1000}.{number % 1000 // 10}"
