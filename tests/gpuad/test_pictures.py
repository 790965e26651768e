"""Imports are light, and the pictures show what the system holds."""
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import gpuad as ad


def test_import_is_light():
    script = ("import sys, gpuad as ad; ad.cupy; ad.numpy.linalg; ad.grad(ad.numpy.sin)(1.0)\n"
              "print([m for m in ('cupy', 'matplotlib', 'sklearn', 'rich', 'sympy', 'torch', 'jax') if m in sys.modules])\n"
              "assert all(hasattr(ad, name) for name in ad.__all__)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_pictures_without_matplotlib(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith(("matplotlib.", "gpuad.pictures"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    _, system = ad.linearize(np.sin, 1.0)
    for draw in (system.spy, system.graph):
        with pytest.raises(ImportError, match=r"pip install 'gpuad\[plot\]'"):
            draw()


# ---- the pictures

def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def network(p, x):
    for w, b in p:
        x = np.tanh(x @ w + b)
    return np.sum(x**2)


@pytest.fixture
def matrices(xp: ModuleType):
    p = [(xp.ones((3, 4)), xp.ones(4)), (xp.ones((4, 2)), xp.ones(2))]
    return ad.linearize(lambda p: network(p, xp.ones((5, 3))), p)[1]


@pytest.fixture
def numbers():
    return ad.linearize(lambda x, y: (x + y) * np.maximum(y, 0.0) - x, 1.0, 2.0)[1]


def test_spy_names_rows_and_inputs(matrices):
    written = words(matrices.spy())
    assert written[:3] == ["matmul", "add", "tanh"]
    assert {"I − L", "D", "P[0][0]", "P[1][1]"} <= set(written)


def test_spy_writes_the_blocks_of_numbers(numbers):
    written = words(numbers.spy())
    assert {"add", "maximum", "multiply", "subtract", "P₀", "P₁"} <= set(written)
    assert sorted(w for w in written if w.strip("−").isdigit()) == sorted(
        ["1"] * 4 + ["1", "1", "1", "−1"] + ["−2", "−3", "−1"])


def test_graph_of_numbers_carries_values_and_derivatives(numbers):
    written = words(numbers.graph())
    assert {"= 5", "∂ = 1", "∂ = 5", "3", "2", "+", "×", "−"} <= set(written)


def test_graph_of_arrays_names_the_blocks(matrices):
    written = words(matrices.graph())
    assert "LeftProduct\n3×4 → 5×4" in written and "Diagonal\n5×2 → 5×2" in written
    assert {"@", "+", "tanh"} <= set(written)


def test_pictures_in_axes_of_ones_own(numbers):
    matplotlib_figure = pytest.importorskip("matplotlib.figure")
    figure = matplotlib_figure.Figure()
    left, right = figure.subplots(1, 2)
    assert numbers.spy(left) is figure and numbers.graph(right) is figure
    assert left.texts and right.texts


def test_pictures_leave_pyplot_alone(numbers, tmp_path):
    sys.modules.pop("matplotlib.pyplot", None)
    for name, figure in (("spy", numbers.spy()), ("graph", numbers.graph())):
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize("steps", [0, 70, 500])
def test_long_programs(steps):
    def f(x, y):
        for _ in range(steps):
            x = np.sin(x) * y
        return x

    _, system = ad.linearize(f, 0.5, 1.5)
    figure = system.spy()
    assert max(figure.get_size_inches()) < 16
    assert "D" in words(figure)
    if 2 * steps + 2 > 400:
        with pytest.raises(ValueError, match=r"at most 400 rows, got 1002; draw its block pattern with spy"):
            system.graph()
    else:
        assert max(system.graph().get_size_inches()) < 26


def test_edges_over_several_layers_pass_between_the_nodes():
    from gpuad.layout import layered

    places, paths = layered(5, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 4), (3, 4)])
    assert [x for x, _ in places] == [0, 1, 2, 3, 4]
    assert [x for x, _ in paths[0, 4]] == [0, 1, 2, 3, 4]
    bends = {point for edge in ((0, 3), (0, 4)) for point in paths[edge][1:-1]}
    assert all(abs(y - places[int(x)][1]) > 0.9 for x, y in bends)
