"""Whether CUDA C++ compiles, where there is no GPU: by nvrtc as CuPy calls it, else by nvcc, else the test skips."""
from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

ARCHITECTURE = "sm_90"
OPTIONS = ("--std=c++17", "--device-as-default-execution-space", "-ftz=true")  # as CuPy compiles a RawModule


class Resources(NamedTuple):
    """What a kernel takes: registers of a thread, bytes of its local memory, bytes of static shared memory."""

    registers: int
    local: int
    shared: int


class CompileError(AssertionError):
    """The compiler refused a source, or ptxas did: the message is the compiler's."""


@functools.cache
def nvrtc() -> tuple[ctypes.CDLL, Path] | None:
    """nvrtc's library and the folder of CUDA's headers, of the wheels from PyPI; None where they are missing."""
    try:
        import nvidia
    except ImportError:
        return None
    for home in map(Path, nvidia.__path__):
        for library in sorted(home.glob("*/lib/libnvrtc.so.*"), reverse=True):
            for headers in (library.parents[1] / "include", home / "cuda_runtime" / "include"):
                if (headers / "cuda_fp16.h").exists():
                    return ctypes.CDLL(str(library)), headers
    return None


def require_compiles(source: str, options: tuple[str, ...] = ()) -> dict[str, Resources]:
    """Compile to machine code; skip the test where there is no compiler. Returns what each kernel takes, by its name.

    Raises CompileError with the compiler's log.
    """
    if (found := nvrtc()) is not None:
        return resources(_by_nvrtc(*found, source, options))
    if shutil.which("nvcc"):
        return resources(_by_nvcc(source, options))
    pytest.skip("neither nvrtc nor nvcc is installed: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime")


def resources(log: str) -> dict[str, Resources]:
    """What ptxas says of each kernel."""
    found = {}
    for part in log.split("Compiling entry function '")[1:]:
        count = {what: int(n) for n, what in re.findall(r"(\d+) (registers|bytes smem|bytes stack frame|bytes cumulative)", part)}
        local = max(count.get("bytes stack frame", 0), count.get("bytes cumulative", 0))
        found[part.partition("'")[0]] = Resources(count.get("registers", 0), local, count.get("bytes smem", 0))
    return found


def _by_nvrtc(library: ctypes.CDLL, headers: Path, source: str, options: tuple[str, ...]) -> str:
    program = ctypes.c_void_p()
    _check(library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"source.cu", 0, None, None))
    try:
        given = [o.encode() for o in (*OPTIONS, f"-arch={ARCHITECTURE}", f"-I{headers}", "--ptxas-options=-v", *options)]
        status = library.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
        log = _log(library, program)
        if status:
            raise CompileError(log)
        return log
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _log(library: ctypes.CDLL, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _check(library.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value + 1)
    _check(library.nvrtcGetProgramLog(program, text))
    return text.value.decode(errors="replace")


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"nvrtc returned {status}")


def _by_nvcc(source: str, options: tuple[str, ...]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "source.cu")
        file.write_text(source, encoding="utf-8")
        command = ["nvcc", "-cubin", "-Xptxas", "-v", "-std=c++17", "-ftz=true", f"-arch={ARCHITECTURE}", *options, str(file)]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if run.returncode:
            raise CompileError(run.stdout + run.stderr)
        return run.stdout + run.stderr
