"""Who may import what, read from the source."""
from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for package in ("linalg", "gpuad") for path in (ROOT / package).rglob("*.py"))
CUPY = ("cupy", "cupyx", "cupy_backends")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, at the top or inside a function, or gives to importlib by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def may_name_cupy(path: Path) -> bool:
    place = path.relative_to(ROOT).as_posix()
    return place in ("linalg/arrays.py", "gpuad/cupy.py") or place.startswith(("linalg/kernels/", "gpuad/kernels/"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports(path: Path) -> None:
    packages = {name.split(".")[0] for name in imported(path)}
    if path.is_relative_to(ROOT / "linalg"):
        assert "gpuad" not in packages
    if not may_name_cupy(path):
        assert not packages.intersection(CUPY)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_import_leaves_its_package_by_dots(path: Path) -> None:
    relative = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.ImportFrom) and node.level]
    assert not relative


@pytest.mark.parametrize("name", ["linalg"])
def test_importing_does_not_import_cupy(name: str) -> None:
    code = f"import sys, {name}; print([m for m in sys.modules if m.split('.')[0] in {CUPY!r} or m.split('.')[0] == 'gpuad'])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_scan_sees_what_it_should(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("import os.path\ndef f():\n    from cupyx.scipy import sparse\n    import_module('cupy')\n")
    assert list(imported(source)) == ["os.path", "cupyx.scipy", "cupy"]


def test_transposition_lives_in_linalg() -> None:
    """No file of gpuad defines a transpose of its own: elements do."""
    for path in SOURCES:
        if path.is_relative_to(ROOT / "gpuad"):
            defined = {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                       if isinstance(node, ast.FunctionDef)}
            assert "_apply_transpose" not in defined, path


def test_files_stay_small() -> None:
    for path in SOURCES:
        if path.is_relative_to(ROOT / "linalg"):
            assert len(path.read_text(encoding="utf-8").splitlines()) < 400, path
