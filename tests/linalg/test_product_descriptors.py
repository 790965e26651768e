"""What products tell cuBLASLt, read back from the library itself, which needs no device for its descriptors."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REAL = """
import numpy as np
from nvmath.bindings import cublas, cublasLt as real
from tests.standin import nvmath_ as standin

for name in ("MatmulDescAttribute", "MatrixLayoutAttribute", "MatmulPreferenceAttribute", "Epilogue", "ReductionScheme"):
    for member in getattr(standin, name):
        assert getattr(real, name)[member.name] == member, (name, member)
for name in ("ComputeType", "Operation"):
    for member in getattr(standin, name):
        assert getattr(cublas, name)[member.name] == member, (name, member)
for kind in ("matmul_desc", "matrix_layout", "matmul_preference"):
    enum = getattr(standin, {"matmul_desc": "MatmulDescAttribute", "matrix_layout": "MatrixLayoutAttribute",
                             "matmul_preference": "MatmulPreferenceAttribute"}[kind])
    for member in enum:
        ours, theirs = (getattr(m, f"get_{kind}_attribute_dtype")(member) for m in (standin, real))
        assert np.dtype(ours) == np.dtype(theirs), (member, ours, theirs)
for dtype in ("matmul_algo_dtype", "matmul_heuristic_result_dtype"):
    assert getattr(standin, dtype) == getattr(real, dtype), dtype
"""

DESCRIPTORS = REAL + """
from linalg.kernels import products
from linalg.kernels.problems import problem

def attribute(get, dtype_of, descriptor, which):
    buffer, written = np.zeros(1, dtype_of(which)), np.zeros(1, np.uint64)
    get(descriptor, which, buffer.ctypes.data, buffer.nbytes, written.ctypes.data)
    assert written[0] == buffer.nbytes
    return int(buffer[0])

x, y, out, bias = np.ones((6, 5, 4)), np.ones((6, 3, 4)).swapaxes(1, 2), np.ones((6, 5, 3)), np.ones(3)
bias = type("Vector", (), {"data": type("Pointer", (), {"ptr": bias.ctypes.data})})
own, stated = products._Descriptors(), problem(x, y, out)
made = own.operation("COMPUTE_64F", 1, stated, "RELU_BIAS", bias)
read = lambda name: attribute(real.matmul_desc_get_attribute, real.get_matmul_desc_attribute_dtype, made,
                              real.MatmulDescAttribute[name])
expected = {"TRANSA": 1, "TRANSB": 0, "EPILOGUE": 6, "BIAS_POINTER": bias.data.ptr, "COMPUTE_TYPE": 70, "SCALE_TYPE": 1}
assert {name: read(name) for name in expected} == expected
layout = own.layout(1, stated.a, stated.count)
read = lambda name: attribute(real.matrix_layout_get_attribute, real.get_matrix_layout_attribute_dtype, layout,
                              real.MatrixLayoutAttribute[name])
expected = {"TYPE": 1, "ROWS": 4, "COLS": 3, "LD": 4, "BATCH_COUNT": 6, "STRIDED_BATCH_OFFSET": 12, "ORDER": 0}
assert {name: read(name) for name in expected} == expected
wanted = own.preference([256, 16, 256, 8], 32 << 20)
read = lambda name: attribute(real.matmul_preference_get_attribute, real.get_matmul_preference_attribute_dtype, wanted,
                              real.MatmulPreferenceAttribute[name])
assert read("MAX_WORKSPACE_BYTES") == (32 << 20) - products.SLACK and read("REDUCTION_SCHEME_MASK") == 2
assert [read(f"MIN_ALIGNMENT_{m}_BYTES") for m in "ABCD"] == [256, 16, 256, 8]
"""

NO_DRIVER = "int cuDriverGetVersion(int *version) { *version = 13000; return 0; }\n"
"""nvmath asks for the driver's version before it loads a library; nothing else of a driver is called here."""


def run_apart(script: str, libraries: Path | None = None) -> None:
    """A script in a process of its own, where no stand-in is."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    if libraries is not None:
        environment["LD_LIBRARY_PATH"] = f"{libraries}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, cwd=root)
    assert run.returncode == 0, run.stderr[-2000:]


def installed(module: str, script: str = "") -> bool:
    command = [sys.executable, "-c", f"import {module}; {script}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_stand_in_is_numbered_as_nvmath() -> None:
    if not installed("nvmath.bindings.cublasLt"):
        pytest.skip("nvmath-python is not installed")
    run_apart(REAL)


def test_descriptors_of_the_library_itself(tmp_path: Path) -> None:
    if not installed("nvmath.bindings.cublasLt, cupy"):
        pytest.skip("nvmath-python or CuPy is not installed")
    if not installed("cuda.pathfinder", "cuda.pathfinder.load_nvidia_dynamic_lib('cublasLt')"):
        pytest.skip("libcublasLt is not installed")
    libraries = None
    if not installed("nvmath.bindings.cublasLt", "nvmath.bindings.cublasLt.get_version()"):  # there is no driver
        if (compiler := shutil.which("gcc") or shutil.which("g++")) is None:
            pytest.skip("no driver, and no C compiler")
        (tmp_path / "driver.c").write_text(NO_DRIVER)
        library = tmp_path / "libcuda.so.1"
        subprocess.run([compiler, "-x", "c", "-shared", "-fPIC", "-o", library, tmp_path / "driver.c"], check=True)
        libraries = tmp_path
    run_apart(DESCRIPTORS, libraries)
