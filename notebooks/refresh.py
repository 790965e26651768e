"""Run every notebook here and store its outputs: python notebooks/refresh.py [name.ipynb …].

What would differ from run to run or from machine to machine, and tells the reader nothing, is left out: times, versions.
"""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

HERE = Path(__file__).resolve().parent
SECONDS_FOR_A_CELL = 300
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class ThisInterpreter(AsyncKernelManager):
    """The kernel that ipykernel brings for the Python that runs here, whatever kernels are installed beside it."""

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def execute(path: Path) -> Any:
    """The notebook after a run in a new kernel that finds this repository; raises CellExecutionError where a cell raises."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"} | THREADS
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, kernel_name="python3", kernel_manager_class=ThisInterpreter, record_timing=False,
                                     timeout=SECONDS_FOR_A_CELL, resources={"metadata": {"path": str(path.parent)}})
    client.execute(env=environment)
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def main(names: list[str]) -> None:
    for path in [HERE / name for name in names] or sorted(HERE.glob("*.ipynb")):
        notebook = execute(path)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
