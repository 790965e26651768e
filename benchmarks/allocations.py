"""How many arrays a call allocates, and what memory it keeps.

tracemalloc files NumPy's array data under a domain of its own, but shows only what is alive when one looks. So NumPy's
allocator is wrapped too (NEP 49), which sees every request, even for memory that is given back at once.
"""

import ctypes
import gc
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import numpy as np

WARM, CALLS, FEW, SLOW = 3, 100, 5, 0.02
ALLOCATED, SCALARS, KEPT = "arrays allocated per call", "scalars allocated per call", "array bytes kept"
SCALAR = 16  # bytes at most: NumPy makes one for a number that meets an array, and for a sum of all entries
SET_HANDLER = 304  # its place in NumPy's C interface, fixed since NumPy 1.22
CAPSULE = b"mem_handler"


def figures(call):
    """In steady state: array data that each call asks for, and what calls add to it for good, and to all memory at the peak.

    Of 100 calls, or 5 slow ones, after three. A result is alive while the next call runs, as in a loop that uses it.
    """
    tracemalloc.start()
    try:
        with counted() as requests:
            start = time.perf_counter()
            for _ in range(WARM):
                result = call()
            calls = FEW if time.perf_counter() - start > WARM * SLOW else CALLS
            gc.collect()
            kept, (memory, _peak) = array_bytes(), tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            requests.arrays = requests.scalars = 0
            for _ in range(calls):
                result = call()
            arrays, scalars = requests.arrays, requests.scalars
            peak = tracemalloc.get_traced_memory()[1] - memory
            gc.collect()
            kept = array_bytes() - kept
    finally:
        tracemalloc.stop()
    del result
    return {ALLOCATED: arrays / calls, SCALARS: scalars / calls, KEPT: kept, "peak bytes": peak}


def array_bytes():
    only = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([only]).traces)


# ---- NumPy's allocator

@dataclass
class Requests:
    arrays: int = 0
    scalars: int = 0

    def add(self, size):
        if size > SCALAR:
            self.arrays += 1
        else:
            self.scalars += 1


class Allocator(ctypes.Structure):
    MALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    CALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
    REALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    _fields_ = [("context", ctypes.c_void_p), ("malloc", MALLOC), ("calloc", CALLOC), ("realloc", REALLOC), ("free", FREE)]


class Handler(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", Allocator)]


@contextmanager
def counted():
    """Requests of array data that NumPy makes in this thread within the context."""
    requests = Requests()
    previous = numpy_function(SET_HANDLER, ctypes.py_object)(capsule(counting(requests)))
    try:
        yield requests
    finally:
        numpy_function(SET_HANDLER, ctypes.py_object)(previous)


def counting(requests):
    """C's allocator, with a record of every request."""
    c = ctypes.CDLL(None)
    for function, arguments in ((c.malloc, 1), (c.calloc, 2), (c.realloc, 2), (c.free, 1)):
        function.restype, function.argtypes = ctypes.c_void_p, (ctypes.c_void_p,) * arguments  # sizes are as wide

    def malloc(_context, size):
        requests.add(size)
        return c.malloc(size)

    def calloc(_context, count, size):
        requests.add(count * size)
        return c.calloc(count, size)

    def realloc(_context, memory, size):
        requests.add(size)
        return c.realloc(memory, size)

    def free(_context, memory, _size):
        c.free(memory)

    functions = (Allocator.MALLOC(malloc), Allocator.CALLOC(calloc), Allocator.REALLOC(realloc), Allocator.FREE(free))
    return Handler(b"counting", 1, Allocator(None, *functions))


def capsule(handler):
    """What NumPy keeps a handler in. An array frees its memory by the handler that allocated it, so it lives for ever."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handler))
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return new(ctypes.addressof(handler), CAPSULE, None)


def numpy_function(place, *arguments):
    """A function of NumPy's C interface that returns an object."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    table = ctypes.cast(get(import_module("numpy._core._multiarray_umath")._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    return ctypes.PYFUNCTYPE(ctypes.py_object, *arguments)(table[place])
