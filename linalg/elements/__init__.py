"""The structured blocks, a file per family."""
from linalg.elements.algebra import Inverse, Product, Sum, Transpose
from linalg.elements.dense import Dense, Kronecker
from linalg.elements.diagonal import Diagonal, Scaling, diagonal
from linalg.elements.field import Cast, Conjugate, ImaginaryPart, RealPart
from linalg.elements.gather import CumulativeSum, Gather, Scatter
from linalg.elements.identity import Identity, Zero
from linalg.elements.matrix import Einsum, LeftProduct, RightProduct
from linalg.elements.shape import AxisSum, Broadcast, Permute, Reshape
from linalg.elements.sparse import Sparse
from linalg.elements.tridiagonal import SymTridiagonal

__all__ = [
    "AxisSum", "Broadcast", "Cast", "Conjugate", "CumulativeSum", "Dense", "Diagonal", "Einsum", "Gather", "Identity",
    "ImaginaryPart", "Inverse", "Kronecker", "LeftProduct", "Permute", "Product", "RealPart", "Reshape", "RightProduct",
    "Scaling", "Scatter", "Sparse", "Sum", "SymTridiagonal", "Transpose", "Zero", "diagonal",
]
