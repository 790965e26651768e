"""The array functions, a file per family, each function with its differential."""
from gpuad.primitives import (
    constants,
    decompositions,
    elementwise,
    inverses,
    joining,
    norms,
    products,
    reductions,
    shapes,
    triangles,
)

__all__ = ["constants", "decompositions", "elementwise", "inverses", "joining", "norms", "products", "reductions", "shapes",
           "triangles"]
