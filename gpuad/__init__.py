"""gpuad: reverse-mode automatic differentiation of NumPy and CuPy programs by linear algebra."""
from gpuad import cupy, numpy, scipy
from gpuad import operands as _operands  # noqa: F401  (attaches the operators with sparse operands)
from gpuad import operators as _operators  # noqa: F401  (attaches the operators of traced arrays)
from gpuad import primitives as _primitives  # noqa: F401
from gpuad.checkpointing import checkpoint
from gpuad.curvature import gnvp
from gpuad.custom import primitive
from gpuad.dual import Dual
from gpuad.errors import ArrayConversionError, LeakedTraceError, NotDifferentiableError, PlanError
from gpuad.optimize import least_squares, minimize
from gpuad.per_example import per_example_grads, per_example_norms
from gpuad.planning import plan
from gpuad.testing import check_grads
from gpuad.transforms import (
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    stop_gradient,
    value_and_grad,
    vjp,
)

__version__ = "0.1.0"

__all__ = [
    "grad", "value_and_grad", "vjp", "jvp", "jacobian", "hessian", "hvp", "gnvp", "linearize", "elementwise_grad",
    "per_example_grads", "per_example_norms", "stop_gradient", "checkpoint", "plan", "primitive", "check_grads", "minimize",
    "least_squares", "Dual", "numpy", "cupy", "scipy",
    "ArrayConversionError", "LeakedTraceError", "NotDifferentiableError", "PlanError",
]
