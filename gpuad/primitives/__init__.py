"""The array functions, a file per family, each function with its differential."""
from gpuad.primitives import constants, elementwise, products, reductions, shapes

__all__ = ["constants", "elementwise", "products", "reductions", "shapes"]
