"""A stand-in for CuPy on the CPU, as strict as CuPy 14 where programs written for NumPy fail: no GPU is used, nor CuPy itself.

``python -m pytest --cupy-standin`` puts it in CuPy's place for one process. It shows which lines NumPy alone would accept: mixed
libraries, functions, methods, keyword arguments and dtypes that CuPy lacks, implicit conversions, synchronisations. It
cannot show kernels, rounding, speed, memory, streams, or what cuBLAS, cuSOLVER and cuSPARSE do with unusual input.
"""
from tests.standin.modules import install

__all__ = ["install"]
