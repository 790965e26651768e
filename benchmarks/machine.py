"""What the results were measured on."""

import datetime
import os
import platform
from importlib import metadata

LIBRARIES = ("gpuad", "numpy", "scipy", "autograd", "torch", "jax", "cupy-cuda12x", "cupy-cuda13x")


def facts():
    """The machine, as the parent process sees it."""
    from gpuad import info

    pin = os.environ.get("OPENBLAS_CORETYPE")
    return {
        "date": datetime.date.today().isoformat(),
        "processor": info.processor(),
        "GPU": info.gpu_name() or "none",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "OPENBLAS_CORETYPE": f"was {pin}, unset for the measurement" if pin else "unset",
        "load before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else "unknown",
    }


def libraries():
    """NumPy's BLAS with the core it runs for, and the versions, as a worker process sees them."""
    from gpuad import info

    return {"BLAS": str(info.blas()), "versions": ", ".join(filter(None, map(version, LIBRARIES)))}


def version(name):
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def named(name, only):
    """Whether a workload's name contains one of the comma-separated parts; no parts select all."""
    return not only or any(part.strip() in name for part in only.split(","))
