"""Curvature without matrices: the Gauss–Newton matrix times a vector."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpuad.trace import Function, require_callable
from gpuad.transforms import check_pairs, check_shapes, hvp, linearize


def gnvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any], loss: Function | None = None) -> tuple[Any, ...]:
    """The Gauss–Newton matrix of loss ∘ f times a tangent, Jᴴ H J t: a tuple with one entry for each primal.

    J is the Jacobian of f, the model, and H the Hessian of ``loss``, a function of what f gives to a real number, there: half
    the squared norm if none is given, so that H = I and this is JᴴJ t. Of a convex loss the matrix is positive semidefinite, and
    it is the Hessian of loss(f(…)) where f is linear or the loss at its minimum. For the cross-entropy of softmax it is the
    Fisher matrix.

    ``primals`` and ``tangents`` are tuples with one entry for each argument of f, of equal structure and shapes (pytrees, as is
    what f gives). f is linearised once: one forward and one back substitution in the same system, and no matrix is formed.

    (Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, Neural Computation 14, 2002.)

    >>> gnvp(lambda x: x**2, (3.0,), (1.0,))  # (dy/dx)²
    (np.float64(36.0),)
    """
    check_pairs(primals, tangents, "gnvp")
    require_callable(f, "gnvp")
    if loss is not None:
        require_callable(loss, "gnvp")
    out, system = linearize(f, *primals)
    check_shapes(tuple(tangents), tuple(primals), "gnvp", "tangent")
    pushed = system.pushforward(*tangents)
    return system.pullback(pushed if loss is None else hvp(loss, (out,), (pushed,))[0])
