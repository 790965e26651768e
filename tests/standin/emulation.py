"""CUDA kernels on the CPU: compiled by g++ with the headers of ``cuda/``, run block by block with CUDA's meaning.

Barriers and shuffles that not all threads reach, misaligned accesses, indices outside arrays of known size, and writes past
dynamic shared memory raise EmulationError. Shared memory holds NaN when a block starts. Every second launch runs its blocks, and
the threads of each, in reversed order, so that a result that depends on the order shows. What it cannot show: races between
blocks, rounding by fused multiplications and additions, and speed.
"""
from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HEADERS = Path(__file__).with_name("cuda")
FLAGS = ("-std=c++17", "-O1", "-g1", "-fPIC", "-fwrapv", "-fno-strict-aliasing", "-ffp-contract=off", "-fstack-clash-protection",
         "-U_FORTIFY_SOURCE", "-w")
CHECKS = ("-fsanitize=alignment,null,bounds,integer-divide-by-zero",)
LAUNCHES = itertools.count()

KERNEL = re.compile(r'(?:extern\s*"C"\s*)?(__global__[^;{}()]*?(?:__launch_bounds__\s*\([^)]*\)[^;{}()]*?)?)\b(\w+)(?=\s*\()')
DYNAMIC = re.compile(r"extern\s+__shared__\s+((?:__align__|alignas)\s*\(\s*\d+\s*\)\s+)?([\w\s:]+?)\s*\b(\w+)\s*\[\s*\]\s*;")


class EmulationError(RuntimeError):
    """A kernel did what no kernel may: the message says what, at which line of its source, and in which thread."""


class EmulatedCompileError(RuntimeError):
    """g++ refused a source: the message is g++'s."""


class Parameter(NamedTuple):
    kind: str
    size: int


def missing() -> str:
    """Why kernels cannot be emulated here; empty where they can."""
    return "" if shutil.which("g++") else "g++ is not installed, which compiles the emulated kernels"


def run(source: str, name: str, grid: Any, block: Any, arguments: Any, shared: int = 0, reverse: bool | None = None) -> None:
    """Launch the kernel ``name`` of a source: NumPy arrays are passed as pointers to their memory, NumPy scalars by value.

    Raises EmulatedCompileError; EmulationError for what a kernel may not do; TypeError where arguments do not match parameters.
    """
    module(source).launch(name, grid, block, [np.uintp(a.ctypes.data) if isinstance(a, np.ndarray) else a for a in arguments],
                          shared, reverse)


@functools.lru_cache(maxsize=4096)
def module(source: str) -> Module:
    """The compiled source, kept for the process and, on disk, for later ones."""
    return Module(source)


class Module:
    """The kernels of one source."""

    def __init__(self, source: str):
        self.kernels = list(dict.fromkeys(name for _, name in KERNEL.findall(source)))
        self._library = ctypes.PyDLL(str(compiled(source, tuple(self.kernels))))

    def parameters(self, name: str) -> list[Parameter]:
        """The kinds (p: pointer, f, i, u, b, s: struct) and sizes in bytes of a kernel's parameters. Raises KeyError."""
        if name not in self.kernels:
            raise KeyError(f"no kernel {name} in this source, which has {self.kernels}")
        numbers = (ctypes.c_int * (1 << 13))()  # a kernel takes 4 KiB of parameters at most
        getattr(self._library, f"describe_{name}")(numbers)
        return [Parameter(chr(numbers[1 + 2 * i]), numbers[2 + 2 * i]) for i in range(numbers[0])]

    def launch(self, name: str, grid: Any, block: Any, arguments: Any, shared: int = 0, reverse: bool | None = None) -> None:
        """Run a kernel on NumPy scalars, Python's numbers as CuPy takes them, and arrays of one entry (structs), by value."""
        values = [np.array(a, order="C") for a in arguments]
        check(name, self.parameters(name), values)
        pointers = (ctypes.c_void_p * max(1, len(values)))(*[v.ctypes.data for v in values])
        sizes = [(ctypes.c_uint * 3)(*(*(int(n) for n in shape), 1, 1)[:3]) for shape in (grid, block)]
        if 0 in (*sizes[0], *sizes[1]):
            raise EmulationError(f"{name}: an empty grid or block, {tuple(grid)} of {tuple(block)}")
        backwards = next(LAUNCHES) % 2 if reverse is None else int(reverse)
        launch = getattr(self._library, f"launch_{name}")
        launch.restype = ctypes.c_char_p
        message = launch(pointers, *sizes, ctypes.c_uint(shared), backwards)
        if message:
            raise EmulationError(f"{name}: {located(message.decode())}")


def located(message: str) -> str:
    """A message that names a place in a library: with the line of the source instead."""
    found = re.search(r" \[(\S+)\+(0x[0-9a-f]+)\]", message)
    if not found:
        return message
    line = ""
    if shutil.which("addr2line"):
        line = subprocess.run(["addr2line", "-e", *found.groups()], capture_output=True, text=True, check=False).stdout
    at = re.search(r"source\.\w+:(\d+)", line)
    return (f"line {at[1]}: " if at else "") + message.replace(found[0], "")


def check(name: str, parameters: list[Parameter], values: list[np.ndarray]) -> None:
    """Raise TypeError where values do not have the number, kinds and sizes that a kernel's parameters have."""
    if len(parameters) != len(values):
        raise TypeError(f"{name} takes {len(parameters)} arguments, got {len(values)}")
    for i, (p, v) in enumerate(zip(parameters, values, strict=True)):
        kinds = {"p": "ui", "s": "Vcef", "i": "i", "u": "u", "f": "f", "b": "b"}[p.kind]
        if v.size != 1 or v.dtype.kind not in kinds or v.dtype.itemsize != p.size:
            raise TypeError(f"{name}: argument {i} is {v.dtype} of shape {v.shape}, expected kind {p.kind} of {p.size} bytes")


# ---- compilation

def translated(source: str, kernels: tuple[str, ...]) -> str:
    """A source as g++ takes it, with a way in for each kernel; kernels may have the names of C's functions."""
    body = KERNEL.sub(r"\1kernel_\2", source)
    body = DYNAMIC.sub(r"\1\2* const \3 = reinterpret_cast<\2*>(cuda::dynamic_shared());", body)
    entries = "".join(f"ENTRY({k})\n" for k in kernels)
    return f"""#include "cuda.hpp"
namespace {{
#line 1 "source.cu"
{body}
#line 1 "entries"
}}
{entries}"""


def compiled(source: str, kernels: tuple[str, ...]) -> Path:
    """The shared library of a source. Raises EmulatedCompileError."""
    text, home = translated(source, kernels), machine()
    library = home / (hashlib.sha256(text.encode()).hexdigest()[:32] + ".so")
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=home) as folder:
            file, made = Path(folder, "source.cpp"), Path(folder, "source.so")
            file.write_text(text, encoding="utf-8")
            gcc(*FLAGS, *CHECKS, f"-I{home}", f"-I{HEADERS / 'include'}", "-c", str(file), "-o", f"{file}.o")
            gcc("-shared", f"{file}.o", "-o", str(made))
            made.replace(library)
    return library


@functools.cache
def machine() -> Path:
    """The folder of compiled sources; the machine that runs them is compiled, and loaded. Raises EmulatedCompileError."""
    texts = [file.read_bytes() for file in sorted(HEADERS.rglob("*.?pp"))]
    version = subprocess.run(["g++", "--version"], capture_output=True, check=True).stdout
    key = hashlib.sha256(b"\0".join([*texts, version, repr((FLAGS, CHECKS)).encode()])).hexdigest()[:16]
    top = Path(tempfile.gettempdir(), f"cuda-on-the-cpu-{os.getuid()}")
    top.mkdir(mode=0o700, exist_ok=True)
    if top.stat().st_uid != os.getuid():
        raise PermissionError(f"{top} is another user's")
    home = top / key
    if not (home / "machine.so").exists():
        with tempfile.TemporaryDirectory(dir=top) as folder:
            work = Path(folder, "home")
            work.mkdir()
            for header in HEADERS.glob("*.hpp"):
                shutil.copy(header, work)
            gcc(*FLAGS, *CHECKS, "-x", "c++-header", str(work / "cuda.hpp"), "-o", str(work / "cuda.hpp.gch"))
            gcc(*FLAGS, "-shared", str(HEADERS / "machine.cpp"), "-o", str(work / "machine.so"))
            try:
                work.rename(home)
            except OSError:  # another process was faster
                if not (home / "machine.so").exists():
                    raise
    ctypes.PyDLL(str(home / "machine.so"), mode=ctypes.RTLD_GLOBAL)
    return home


def gcc(*arguments: str) -> None:
    run = subprocess.run(["g++", *arguments], capture_output=True, text=True, check=False)
    if run.returncode:
        raise EmulatedCompileError(run.stderr)
