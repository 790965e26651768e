"""What the results were measured on."""

import datetime
import os
import platform
import time
from importlib import import_module, metadata
from pathlib import Path

LIBRARIES = ("gpuad", "numpy", "scipy", "autograd", "torch", "jax", "cupy", "cupy-cuda12x", "cupy-cuda13x", "nvmath-python")


def facts(device):
    """The machine, as the parent process sees it, with what matters on the device."""
    from gpuad import info

    pin = os.environ.get("OPENBLAS_CORETYPE")
    here = {"OPENBLAS_CORETYPE": f"was {pin}, unset for the measurement" if pin else "unset"}
    return {
        "date": datetime.date.today().isoformat(),
        "processor": info.processor(),
        **(dict(info.gpu_rows()) if device == "gpu" else {"GPU": info.gpu_name() or "none"}),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        **(here if device == "cpu" else {}),
    }


def libraries(device):
    """The versions, as a worker process sees them, and on the CPU NumPy's BLAS with the core it runs for."""
    from gpuad import info

    versions = {"versions": ", ".join(filter(None, map(version, LIBRARIES)))}
    return {"BLAS": str(info.blas()), **versions} if device == "cpu" else versions | gpu_libraries()


def gpu_libraries():
    """What PyTorch was built with; JAX and CuPy say it in the names and versions of their packages."""
    try:
        torch = import_module("torch")
    except ImportError:
        return {}
    return {"PyTorch's CUDA": torch.version.cuda or "none"}


def gpu_answers():
    """Whether the GPU still takes work: after an illegal access it takes none from this process."""
    from linalg import arrays

    try:
        arrays.synchronize(arrays.cupy().zeros(1))
    except Exception:  # whatever the driver says
        return False
    return True


def version(name):
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""


class Others:
    """How busy other programs kept the machine since this was made: threaded times are wrong by far where they did."""

    def __init__(self):
        self.start = self.now()

    def now(self):
        """Wall clock, CPU seconds of all programs (Linux; else zero), and of this one with its ended children."""
        stat = Path("/proc/stat")
        ticks = stat.read_text().split(maxsplit=9)[1:9] if stat.exists() else [0] * 8
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks)
        everyone = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), everyone, sum(os.times()[:4])

    def __str__(self):
        wall, everyone, own = (now - then for now, then in zip(self.now(), self.start, strict=True))
        return f"{max(0.0, everyone - own) / wall:.2f} cores busy on average" if everyone else "unknown"


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def named(name, only):
    """Whether a workload's name contains one of the comma-separated parts; no parts select all."""
    return not only or any(part.strip() in name for part in only.split(","))
