"""The report's numbers, counted by hand on programs that no pass has changed, and how it is written."""
import json

import numpy as np
import pytest

import gpuad as ad
from gpuad.planning import functions, supernodes
from gpuad.planning.costs import Span, in_use, spans
from gpuad.planning.host import Schedule
from gpuad.planning.program import Program, Row, Spec, Var
from gpuad.planning.report import NodeReport, Report, size_in_words


def array(*shape, dtype=np.float64):
    return Spec(shape, np.dtype(dtype))


def scalar(dtype=np.float64):
    return Spec((), np.dtype(dtype), "scalar")


def row(function, *args, out, **kwargs):
    return Row(function, args, kwargs, out)


def reported(inputs, rows, outputs, captured=(), donated=(), threads=1):
    program = Program(tuple(inputs), tuple(captured), tuple(rows), tuple(outputs))
    return Report.of("f", program, Schedule(program, donated, threads))


X = [Var(i) for i in range(20)]


def test_operations_and_bytes_are_counted_for_each_row():
    report = reported([array(4, 3), array(3, 5)], [
        row(np.matmul, X[0], X[1], out=array(4, 5)),  # 2 · 4 · 5 · 3 = 120; reads 96 and 120 bytes, writes 160
        row(np.tanh, X[2], out=array(4, 5)),  # 20; 160, 160
        row(functions.reduce, X[3], np.add, (0,), False, out=array(5)),  # 20; 160, 40
        row(functions.reshape, X[4], (5, 1), out=array(5, 1)),  # a view
        row(np.matmul, X[3], X[5], out=array(4, 1)),  # 40; 160, 40, 32
        row(np.add, X[6], np.ones((4, 1)), out=array(4, 1)),  # 4; 32, 32, 32
    ], [X[7]])
    assert report.flops == 120 + 20 + 20 + 40 + 4
    assert report.moved_bytes == (96 + 120 + 160) + (160 + 160) + (160 + 40) + (160 + 40 + 32) + (32 + 32 + 32)
    assert report.intensity == report.flops / report.moved_bytes
    assert report.steps == {"product": 2, "elementwise": 2, "reduction": 1}
    assert (report.traced_rows, report.rows) == (6, 6)
    assert report.not_counted == report.opaque == report.passes == {}
    assert (report.results, report.result_bytes, report.copied, report.scalars) == (1, 32, (), 0)


def test_memory_is_that_of_the_buffers():
    report = reported([array(8, 8)], [
        row(np.matmul, X[0], X[0], out=array(8, 8)),
        row(np.matmul, X[1], X[0], out=array(8, 8)),
        row(np.matmul, X[2], X[0], out=array(8, 8)),  # where the first lay
        row(np.exp, X[3], out=array(8, 8)),  # over its operand
        row(functions.reduce, X[4], np.add, (0, 1), False, out=scalar()),
    ], [X[5]])
    assert report.buffers == 4
    assert report.arena_bytes == report.live_bytes == report.peak_bytes == 2 * 512
    assert report.unshared_bytes == 4 * 512
    assert (report.results, report.scalars) == (0, 1)


def test_alignment_is_in_the_arena_and_not_in_the_live_set():
    report = reported([array(3)], [row(np.matmul, np.ones((3, 3)), X[0], out=array(3)),
                                   row(np.matmul, np.ones((3, 3)), X[1], out=array(3)),
                                   row(np.matmul, np.ones((3, 3)), X[2], out=array(3))], [X[3]])
    assert (report.arena_bytes, report.live_bytes, report.unshared_bytes) == (128, 48, 48)


def test_spans_end_where_a_step_writes_over_its_operand():
    square = array(8, 8)
    rows = (row(np.matmul, X[0], X[0], out=square), row(np.exp, X[1], out=square), row(np.matmul, X[2], X[0], out=square),
            row(np.matmul, X[3], X[2], out=square))
    program = Program((square,), (), rows, (X[4],))
    found = spans(Schedule(program, threads=1))
    assert found == [Span(1, 0, 512, 0, 1), Span(2, 0, 512, 1, 4), Span(3, 512, 512, 2, 4)]
    assert in_use(found, 4) == [512, 512, 1024, 1024]


def test_a_supernode_moves_what_it_reads_and_writes_only(monkeypatch):
    monkeypatch.setattr(supernodes, "CACHE", 1)
    n = 1 << 16
    report = reported([array(n, 4)], [
        row(np.tanh, X[0], out=array(n, 4)),
        row(np.multiply, X[1], X[1], out=array(n, 4)),
        row(np.subtract, 1.0, X[2], out=array(n, 4)),
    ], [X[3]])
    assert report.steps == {"supernode": 1}
    assert report.supernodes == (NodeReport(rows=3, inside=2, tiles=8, threads=1),)
    assert report.moved_bytes == 2 * 32 * n
    assert report.flops == 3 * 4 * n
    assert (report.buffers, report.arena_bytes) == (0, 0)
    assert report.unshared_bytes == 2 * 32 * n
    assert 0 < report.scratch_bytes == report.peak_bytes < 32 * n


def test_what_is_broadcast_or_indexed_is_read_once():
    report = reported([array(5), array(40, 5)], [
        row(functions.broadcast, X[0], (40, 5), out=array(40, 5)),
        row(np.multiply, X[2], X[1], out=array(40, 5)),  # reads 40 and 1600 bytes, writes 1600
        row(functions.getitem, X[3], (np.array([1, 2]),), out=array(2, 5)),  # reads 80 and an index of 16, writes 80
    ], [X[4]])
    assert report.moved_bytes == (40 + 1600 + 1600) + (80 + 16 + 80) + 2 * 80  # the result is copied at the end
    assert report.flops == 200
    assert report.opaque == {"getitem": 1}


def test_unknown_functions_are_named():
    report = reported([array(4, 4)], [
        row(np.linalg.solve, X[0], X[0], out=array(4, 4)),
        row(np.sort, X[1], out=array(4, 4)),
        row(np.linalg.solve, X[2], X[0], out=array(4, 4)),
    ], [X[3]])
    assert report.not_counted == report.opaque == {"solve": 2, "sort": 1}
    assert report.steps == {"other": 3}
    assert report.copied == (0,)
    assert report.moved_bytes == (2 * 128) + (2 * 128) + (3 * 128) + 2 * 128  # the result is copied at the end
    assert "not counted: solve 2, sort 1" in str(report)
    assert "solve 2, sort 1: new arrays at each run" in str(report)


def test_donations_are_named_as_in_the_source():
    report = reported([array(3), array(4), array(3)], [row(np.negative, X[0], out=array(3))], [X[3]], donated=(0, 1, 2))
    assert (report.donated, report.not_donated) == ({"x0": "r0"}, ("x1", "x2"))
    assert "r0 lies in x0; no result lies in x1, x2" in str(report)


def test_constant_and_passed_on_results_are_copied():
    report = reported([array(3)], [], [X[0], np.ones(2), 7])
    assert (report.results, report.result_bytes, report.copied, report.scalars) == (2, 40, (0, 1), 1)
    assert report.moved_bytes == 2 * 40
    assert report.intensity == 0.0


# ---- of a plan

def train(params, x, y, rate):
    def loss(params):
        w, b = params
        return np.mean((np.tanh(x @ w + b) - y) ** 2)

    value, slope = ad.value_and_grad(loss)(params)
    return tuple(p - rate * s for p, s in zip(params, slope, strict=True)), value


@pytest.fixture
def planned():
    step = ad.plan(train, donate=0)
    step((np.ones((3, 2)), np.ones(2)), np.ones((5, 3)), np.zeros((5, 2)), 0.1)
    return step


def test_the_report_of_a_plan_is_a_table_of_numbers(planned):
    report = planned.report()
    assert report.rows <= report.traced_rows
    assert report.rows == len(planned.program.rows)
    assert report.donated == {"x0": "r0", "x1": "r1"}
    assert report.live_bytes <= report.arena_bytes == report.peak_bytes
    lines = str(report).splitlines()
    assert lines[0] == "plan(train)"
    assert f"  rows         {report.traced_rows} as traced, {report.rows} after analysis" in lines
    assert max(map(len, lines)) <= 130
    document = json.loads(json.dumps(report.to_dict()))
    assert document["peak_bytes"] == report.peak_bytes and document["flops"] == report.flops > 0


def test_reports_are_of_the_last_call(planned):
    before = planned.report()
    planned((np.ones((3, 2)), np.ones(2)), np.ones((50, 3)), np.zeros((50, 2)), 0.1)
    assert planned.report().flops > before.flops
    assert planned.report() == planned.report() != before


def test_a_plan_without_a_call_has_no_report():
    with pytest.raises(ad.PlanError, match="has not been called yet"):
        ad.plan(np.sin).report()


@pytest.mark.parametrize(("n", "words"), [
    (0, "0 bytes"), (1, "1 byte"), (1023, "1,023 bytes"), (1024, "1 KiB"), (6784, "6.62 KiB"),
    (3 << 20, "3 MiB"), (5 << 40, "5 TiB"),
])
def test_sizes_in_words(n, words):
    assert size_in_words(n) == words
