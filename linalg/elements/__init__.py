"""The structured blocks, a file per family."""
from linalg.elements.algebra import Inverse, Product, Sum, Transpose
from linalg.elements.banded import Banded, TriangularProduct
from linalg.elements.convolution import Convolution
from linalg.elements.dense import Dense, Kronecker
from linalg.elements.diagonal import Diagonal, Entrywise, Scaling, diagonal, entrywise
from linalg.elements.exponential import ExponentialDerivative
from linalg.elements.field import Cast, Conjugate, ImaginaryPart, RealPart
from linalg.elements.flow import LinearFlow
from linalg.elements.gather import CumulativeSum, Erase, Gather, Scatter
from linalg.elements.identity import Identity, Zero
from linalg.elements.matrix import Einsum, LeftProduct, RightProduct
from linalg.elements.recurrence import Recurrence
from linalg.elements.recursive import RecursiveFilter
from linalg.elements.sampled import SampledProduct, SparseProduct
from linalg.elements.shape import AxisSum, Broadcast, Permute, Reshape
from linalg.elements.sparse import Sparse
from linalg.elements.spectral import CosineTransform, Fourier, FromHalfFourier, HalfFourier
from linalg.elements.sylvester import Sylvester
from linalg.elements.toeplitz import Toeplitz
from linalg.elements.tridiagonal import SymTridiagonal

__all__ = [
    "AxisSum", "Banded", "Broadcast", "Cast", "Conjugate", "Convolution", "CosineTransform", "CumulativeSum", "Dense",
    "Diagonal", "Einsum", "Entrywise", "Erase", "ExponentialDerivative", "Fourier", "FromHalfFourier", "Gather",
    "HalfFourier", "Identity", "ImaginaryPart", "Inverse", "Kronecker", "LeftProduct", "LinearFlow", "Permute", "Product",
    "RealPart", "Recurrence", "RecursiveFilter", "Reshape", "RightProduct", "SampledProduct", "Scaling", "Scatter", "Sparse",
    "SparseProduct", "Sum", "Sylvester", "SymTridiagonal", "Toeplitz", "Transpose", "TriangularProduct", "Zero", "diagonal",
    "entrywise",
]
