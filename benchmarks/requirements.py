"""What a contestant needs, or the reason why it cannot run here."""

import os
from importlib import import_module

FAILED = "failed: "


class Missing(Exception):
    """A contestant that cannot run here, and why."""


def reason(error):
    """Why a contestant is not there: what a Missing says, or after "failed: " what any other error says."""
    if isinstance(error, Missing):
        return str(error)
    first = str(error).strip().partition("\n")[0]
    return f"{FAILED}{type(error).__name__}{': ' * bool(first)}{first}"


def installed(name):
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise Missing(f"{error.name} is not installed") from error


def pytorch():
    """PyTorch with the process's number of threads."""
    torch = installed("torch")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    return torch


def plan():
    """gpuad's `plan`."""
    found = getattr(installed("gpuad"), "plan", None)
    if found is None:
        raise Missing("this gpuad has no plans")
    return found
