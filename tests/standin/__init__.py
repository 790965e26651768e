"""A stand-in for CuPy on the CPU, as strict as CuPy 14 where programs written for NumPy fail: no GPU is used, nor CuPy itself.

``python -m pytest --cupy-standin`` puts it in CuPy's place for one process. It shows which lines NumPy alone would accept (mixed
libraries, functions, methods, keyword arguments and dtypes that CuPy lacks, implicit conversions, synchronisations), what a
captured graph may not hold, memory that is used after it was freed or written past its end, missing order between streams, and
what generated kernels compute: they are compiled by g++. It cannot show fused rounding, races between blocks, speed, or what
cuBLAS, cuSOLVER and cuSPARSE do with unusual input.

=============== =====================================================================================================
array, methods  cupy.ndarray
ufunc, special, universal functions and others, with the parameters and loops in ``cupy.json``, which :mod:`generate`
functions, ...  writes down from an installed CuPy
memory          blocks with guard zones, and pools; :func:`memory.limited` makes the device small
streams         streams, events, graphs; :func:`streams.late` runs everything as late as it may
kernels         RawModule and RawKernel, by :mod:`emulation`, which tests of kernels use alone
compiling       :func:`compiling.require_compiles`: whether nvrtc or nvcc takes a source
counters        launches, allocations, transfers, synchronisations: lists that tests read
=============== =====================================================================================================
"""
from tests.standin.modules import install

__all__ = ["install"]
