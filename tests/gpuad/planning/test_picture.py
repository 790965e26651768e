"""The picture of a schedule: what it shows, that nothing overlaps, and that long schedules and empty ones are drawn."""
import sys
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.text import Text

import gpuad as ad
from gpuad.planning import supernodes
from gpuad.planning.host import Schedule
from gpuad.planning.picture import draw
from gpuad.planning.program import Program, Row, Spec, Var
from gpuad.planning.report import size_in_words

ARRAY = Spec((8, 8), np.dtype(float))


def train(params, x, y, rate):
    def loss(params):
        h = x
        for w, b in params:
            h = np.tanh(h @ w + b)
        return np.mean((h - y) ** 2)

    value, slope = ad.value_and_grad(loss)(params)
    return [(w - rate * dw, b - rate * db) for (w, b), (dw, db) in zip(params, slope, strict=True)], value


def planned(*widths, batch=64):
    step = ad.plan(train)
    params = [(np.ones((m, n), "f"), np.ones(n, "f")) for m, n in pairwise(widths)]
    step(params, np.ones((batch, widths[0]), "f"), np.ones((batch, widths[-1]), "f"), 0.1)
    return step


def scheduled(rows, outputs):
    return Schedule(Program((ARRAY,), (), tuple(rows), tuple(outputs)), threads=1)


def texts(figure):
    figure.canvas.draw()
    return [text for text in figure.axes[0].findobj(Text) if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("widths", [(2, 8, 8, 1), (64,) * 13, (1, 1)])
def test_no_words_overlap(widths):
    figure = planned(*widths).draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    assert len(boxes) > 10
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not a.overlaps(b), (one, other)
    for word, box in boxes:
        if not word.isdigit():  # ticks beyond the axis are not drawn
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, word


def test_it_says_how_much_there_is():
    step = planned(2, 8, 8, 1)
    report, words = step.report(), [text.get_text() for text in texts(step.draw())]
    assert f"{sum(report.steps.values())} steps, {report.buffers} buffers in {size_in_words(report.arena_bytes)}" in words
    assert f"peak: {report.live_bytes:,} of {report.arena_bytes:,} bytes in use" in words
    assert {"matrix product", "elementwise", "operations", "place in the arena, KiB"} <= set(words)
    assert f"b{min(step._entry().schedule.storage.offset)}" in words


def test_buffers_lie_at_their_places_in_their_time():
    figure = planned(2, 8, 8, 1).draw()
    memory = figure.axes[0].child_axes[1]
    rectangles = [path.get_extents() for collection in memory.collections for path in collection.get_paths()]
    for a, b in combinations(rectangles, 2):
        assert min(a.x1, b.x1) <= max(a.x0, b.x0) or min(a.y1, b.y1) <= max(a.y0, b.y0)  # two values never share a place


def test_supernodes_have_their_colour(monkeypatch):
    monkeypatch.setattr(supernodes, "CACHE", 1)
    x = np.ones((1 << 16, 4))
    step = ad.plan(lambda x: np.exp(np.tanh(x) * 2).T @ np.cos(x))
    step(x)
    words = [text.get_text() for text in texts(step.draw())]
    assert "supernode" in words and any("of tiles" in word for word in words)


def test_ten_thousand_steps_are_drawn():
    n = 10_000
    rows = [Row(np.matmul if i % 3 == 0 else np.tanh, (Var(i), Var(i))[: 2 - (i % 3 > 0)], {}, ARRAY) for i in range(n)]
    figure = draw(scheduled(rows, [Var(n)]))
    strip = figure.axes[0].child_axes[0]
    assert sum(len(collection.get_paths()) for collection in strip.collections) < 1500
    assert any("10,000 steps" in text.get_text() for text in texts(figure))


@pytest.mark.parametrize(("rows", "outputs"), [
    ((), (Var(0),)),
    ((Row(np.tanh, (Var(0),), {}, ARRAY),), (Var(1),)),
    ((Row(np.sort, (Var(0),), {}, ARRAY),), ()),
])
def test_schedules_without_buffers(rows, outputs):
    assert "no buffers" in [text.get_text() for text in texts(draw(scheduled(rows, outputs)))]


def test_in_axes_of_ones_own_and_without_pyplot(tmp_path):
    from matplotlib.figure import Figure

    sys.modules.pop("matplotlib.pyplot", None)
    figure = Figure(figsize=(14, 5))
    left, right = figure.subplots(1, 2)
    step = planned(2, 8, 8, 1)
    assert step.draw(left) is figure
    assert left.child_axes and not right.child_axes
    step.draw().savefig(tmp_path / "plan.png")
    assert (tmp_path / "plan.png").stat().st_size > 20_000
    assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib(monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("matplotlib.", "gpuad.planning.picture"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'gpuad\[plot\]'"):
        planned(2, 8, 8, 1).draw()
