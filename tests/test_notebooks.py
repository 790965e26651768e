"""Every notebook runs from its first cell to its last, and is stored with its outputs and nothing of the machine it ran on."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: pip install 'gpuad[test]'")
pytest.importorskip("nbclient", reason="nbclient is not installed: pip install 'gpuad[test]'")

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
LARGEST = 350_000  # bytes
MACHINE = re.compile(r"(?<![\w/.])/(home|root|tmp|usr|Users|opt|mnt|var|work)/|[A-Z]:\\\\|\b0x[0-9a-f]{8,}")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@functools.cache
def executed(path: Path) -> Any:
    """The notebook after a run here and now."""
    from notebooks.refresh import execute

    return execute(path)


@functools.cache
def stored(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def source(notebook: Any) -> str:
    return "\n".join(cell.source for cell in code_cells(notebook))


def printed(notebook: Any) -> str:
    """All text that the cells give: streams and results, not pictures."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "\n".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in outputs)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@every_notebook
def test_every_cell_runs(path: Path) -> None:
    text = printed(executed(path))
    assert not re.search(r"\bFalse\b", text), f"a comparison in {path.name} has failed:\n{text}"


@pytest.mark.slow
@pytest.mark.gpu
@every_notebook
def test_the_gpu_is_used_where_there_is_one(path: Path, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--cupy-standin"):
        pytest.skip("the notebook's own process has no stand-in")
    if "gpu_unavailable_reason" not in source(stored(path)):
        pytest.skip(f"{path.name} has no cells for the GPU")
    assert "GPU: " in printed(executed(path))


@every_notebook
def test_stored_outputs_are_those_of_one_run(path: Path) -> None:
    nbformat.validate(stored(path))
    cells = code_cells(stored(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run notebooks/refresh.py"
    kinds = {output.get("name", output.output_type) for cell in cells for output in cell.outputs}
    assert kinds <= {"stdout", "display_data", "execute_result"}, f"{path.name} stores errors or warnings: {kinds}"


@every_notebook
def test_nothing_of_the_machine_is_stored(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    assert not any("execution" in cell.metadata for cell in stored(path).cells), "run notebooks/refresh.py, which stores no times"
    assert stored(path).metadata.language_info == {"name": "python"}, "run notebooks/refresh.py, which stores no versions"
    assert not (found := MACHINE.search(printed(stored(path)))), f"{path.name} shows a path or an address: {found}"


@every_notebook
def test_cupy_is_not_imported_by_a_cell(path: Path) -> None:
    assert not re.search(r"^\s*(import|from) cupy", source(stored(path)), re.MULTILINE), "take it from linalg.arrays.cupy()"
