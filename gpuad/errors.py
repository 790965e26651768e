"""The errors that gpuad raises, each saying what was expected, what came, and what to do."""
from __future__ import annotations


class LeakedTraceError(RuntimeError):
    """A traced array was used after the function that it belongs to had returned."""

    def __init__(self, operation: str):
        super().__init__(
            f"{operation}: got a traced array whose function has already returned: it leaked out of its trace (through a "
            "global, an attribute, or a closure). Return what you need from the differentiated function (has_aux=True), or "
            "store ad.stop_gradient(x), a plain array")


class NotDifferentiableError(TypeError):
    """A function without a differential was asked for one."""


class ArrayConversionError(TypeError):
    """A traced array was asked to become a plain array or number, which would lose its derivative."""


class PlanError(TypeError):
    """A function cannot be planned: values steer it, or something in it would be frozen."""
