"""The benchmarks' programs, their gradients by hand, and what a run makes of its times. No test looks at a time."""

import json

import numpy as np
import pytest

from benchmarks import acceptance, allocations, operations, peers, picture, report, rows, workloads
from benchmarks.harness import Contestant, Disagreement, Effort, Expected, agree, expected, measure
from benchmarks.place import PLACES
from benchmarks.programs import jacobian, logistic
from benchmarks.programs.black_scholes import black_scholes
from benchmarks.programs.convolution import CONVOLUTION
from benchmarks.programs.digits import DIGITS
from benchmarks.programs.growth import growth
from benchmarks.programs.networks import NETWORKS, SMALL
from benchmarks.programs.program import GRADIENT, STEP, VALUE, flat, mapped
from benchmarks.programs.wide import TOLERANCES, wide
from benchmarks.requirements import Missing

ONCE = Effort(seconds=0, fewest=2, most=2, block=1e-4)
PROGRAMS = [*NETWORKS[:2], NETWORKS[4], logistic.LOGISTIC, DIGITS, CONVOLUTION, black_scholes(1), black_scholes(100), growth(50),
            *(wide(24, precision) for precision in TOLERANCES)]
TASKS = [(program, task) for program in PROGRAMS for task in program.tasks]
OURS = {peers.EAGER: peers.gpuad_eager, peers.PLAN: peers.gpuad_plan, peers.HIPS: peers.hips_autograd}


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    """Logistic regression of 500 samples."""
    monkeypatch.setattr(logistic, "SAMPLES", 500)
    logistic.samples.cache_clear()
    yield
    logistic.samples.cache_clear()


def named(pairs):
    return [f"{program.name} {task}" for program, task in pairs]


# ---- programs

@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_gradients_by_hand_are_those_of_differences(program):
    params, *constants = program.data(np.float64)
    loss, random, step = program.loss_over(np), np.random.default_rng(0), 1e-6
    way = mapped(lambda p: random.normal(size=p.shape), params)
    at = lambda t: loss([tuple(p + t * d for p, d in zip(*layers, strict=True))
                         for layers in zip(params, way, strict=True)], *constants)
    slope = (at(step) - at(-step)) / (2 * step)
    for build in program.by_hand.values():
        value, gradients = build(np, *program.data(np.float64))()
        np.testing.assert_allclose(value, loss(params, *constants), rtol=1e-12)
        along = sum(np.vdot(g, d) for g, d in zip(flat(gradients), flat(way), strict=True))
        np.testing.assert_allclose(along, slope, rtol=1e-6)


@pytest.mark.parametrize(("program", "task"), TASKS, ids=named(TASKS))
def test_who_computes_in_numpy_agrees(program, task):
    place, wanted = PLACES["cpu"](), peers.reference(program, task)
    present, missing = peers.contestants(OURS, program, task, place)
    present += [peers.by_hand(name, program, task, place) for name in program.by_hand if task != VALUE]
    assert set(missing) <= {peers.HIPS}
    for contestant in present:
        agree(contestant, wanted)


def test_jacobians_agree():
    builders = {"eager": jacobian.gpuad_eager, "plan": jacobian.gpuad_plan, "by hand": jacobian.handwritten}
    present, missing = peers.contestants(builders, PLACES["cpu"]())
    assert not missing
    for contestant in present:
        agree(contestant, jacobian.reference())


def test_layouts_for_pytorch_go_there_and_back():
    params, *_constants = data = CONVOLUTION.data()
    there = CONVOLUTION.torch.there(data)[0]
    for before, after in zip(flat(params), CONVOLUTION.torch.back(flat(there)), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", rows.CHAINS)
def test_rows_by_hand_are_those_of_the_chain(name):
    present, _missing = rows.everyone(name)
    for contestant in present:
        agree(contestant, rows.reference(name))


# ---- harness

def test_disagreement_is_refused():
    wrong = Contestant("wrong", lambda: np.ones(2), lambda x: [x])
    agree(wrong, expected([np.ones(2)]))
    for other in (np.ones(3), np.array([1, 1.001]), np.array([1, np.nan])):
        with pytest.raises(Disagreement, match="wrong"):
            agree(wrong, [Expected(other, 1e-4)])
    with pytest.raises(Disagreement, match="expected 2 arrays, got 1"):
        agree(wrong, expected([np.ones(2)] * 2))


def test_every_contestant_has_a_time_for_every_round():
    contestants = [Contestant(name, lambda: None, lambda _none: []) for name in "ab"]
    assert {name: len(times) for name, times in measure(contestants, ONCE).items()} == {"a": 2, "b": 2}
    assert measure([], ONCE) == {}


def test_allocations_are_counted():
    x, out = np.ones(100), np.empty(100)
    kept: list = []
    assert allocations.figures(lambda: np.tanh(x, out))[allocations.ALLOCATED] == 0
    assert allocations.figures(lambda: np.tanh(np.tanh(x)))[allocations.ALLOCATED] == 2
    assert allocations.figures(lambda: np.tanh(x))[allocations.KEPT] == 0
    assert allocations.figures(lambda: kept.append(np.tanh(x)))[allocations.KEPT] == 100 * x.nbytes
    found = allocations.figures(lambda: np.vdot(x, x))
    assert found[allocations.ALLOCATED] == 0 and found[allocations.SCALARS] == 1


# ---- a run

@pytest.fixture
def only_ours(monkeypatch):
    """Without the libraries that take long to import or compile."""
    monkeypatch.setattr(peers, "BUILDERS", dict.fromkeys((VALUE, GRADIENT, STEP), OURS))
    monkeypatch.setattr(operations, "BUILDERS", {peers.EAGER: operations.gpuad})


def chosen(*titles):
    return [w for w in workloads.workloads("cpu", first=True) if w.title in titles]


@pytest.mark.usefixtures("only_ours")
def test_a_run_is_recorded_and_written(tmp_path):
    titles = [f"{SMALL} {task}" for task in (GRADIENT, STEP, VALUE)]
    titles += ["Black-Scholes 100 gradient over function", "elementwise chain one row", "binary chain one operation"]
    found = chosen(*titles)
    assert len(found) == len(titles)
    records = [workload.record(1, ONCE) for workload in found]
    for path in report.write(tmp_path, {"date": "today", "programs": ["a", "b"]}, records):
        assert path.stat().st_size > 500
    again = [workloads.Record(**line) for line in json.loads((tmp_path / "results.json").read_text())["records"]]
    assert [r.workload for r in again] == [r.workload for r in records]
    text = (tmp_path / "results.md").read_text()
    assert f"| {SMALL} |" in text and "- asked " in text
    for record in records:
        assert report.table(record).text()


def test_titles_are_all_different():
    titles = [workload.title for workload in workloads.workloads("cpu", first=True)]
    assert len(set(titles)) == len(titles)


# ---- what becomes of the times

def record(workload=SMALL, task=GRADIENT, threads=1, notes=None, **rounds):
    names = {"plan": peers.PLAN, "eager": peers.EAGER, "torch": peers.TORCH, "jax": peers.JAX, "hips": peers.HIPS}
    times = {names[key]: [1e-6 * t] * 3 for key, t in rounds.items()}
    return workloads.Record(workload, task, "cpu", threads, "call", times, {}, notes or {})


def said(records, words):
    [line] = [line for line in acceptance.lines(records) if words in line]
    return line


def test_promises_hold_or_are_missed():
    records = [record(plan=2, torch=5, jax=3, hips=20), record("64-64-64-10", plan=4, torch=8, jax=3, hips=20)]
    assert said(records, "best peer, 2-8-8-1").endswith("measured 1.5 × (quartiles 1.5 to 1.5), JAX jit: holds")
    assert said(records, "best peer, 64-64-64-10").endswith("measured 0.75 × (quartiles 0.75 to 0.75), JAX jit: missed")
    assert said(records, "best peer, geometric mean").endswith("measured 1.06 × over 2 workloads: missed")
    assert said(records, "as HIPS/autograd, geometric mean").endswith("measured 7.07 × over 2 workloads: holds")


def test_a_promise_that_cannot_be_checked_says_so():
    assert all(line.endswith("not measured in this run") for line in acceptance.lines([]))
    assert said([record(torch=5)], "best peer, 2-8-8-1").endswith("not measured, gpuad plan is missing here")
    assert said([record(plan=5)], "best peer, 2-8-8-1").endswith("not measured, every peer is missing here")


def test_allocated_arrays_break_a_promise():
    for number, verdict in ((0, "holds"), (2, "missed")):
        figures = {allocations.ALLOCATED: number, allocations.SCALARS: 1, allocations.KEPT: 0}
        line = said([record(task=STEP, plan=1, notes={peers.PLAN: figures})], f"{SMALL}, a planned training step")
        assert f"measured {number} arrays per call" in line and line.endswith(verdict)


def test_the_picture_needs_plans(tmp_path):
    assert not picture.write({}, [record(jax=1)], tmp_path / "without.png")
    assert picture.write({}, [record(plan=2, torch=5, jax=3), record(plan=2, jax=3, threads=2)], tmp_path / "with.png")
    assert (tmp_path / "with.png").read_bytes().startswith(b"\x89PNG")


def test_who_is_missing_is_named_with_the_reason():
    def nobody():
        raise Missing("on holiday")

    assert peers.contestants({"nobody": nobody}) == ([], {"nobody": "on holiday"})


def test_who_fails_or_disagrees_is_not_timed_and_named():
    broken = Contestant("broken", lambda: 1 / 0, lambda x: [x])
    wrong, right = (Contestant(name, lambda x=x: np.full(2, x), lambda x: [x]) for name, x in (("wrong", 2.0), ("right", 1.0)))
    present, missing = peers.screened([broken, wrong, right], {"absent": "on holiday"}, expected([np.ones(2)]))
    assert [c.name for c in present] == ["right"]
    assert missing["absent"] == "on holiday" and missing["broken"] == "failed: ZeroDivisionError: division by zero"
    assert missing["wrong"].startswith("failed: Disagreement: wrong: differs by 1")
    found = workloads.failures([workloads.Record("w", GRADIENT, "gpu", 1, "call", {}, missing)])
    assert [line.split(", ")[3].partition(":")[0] for line in found] == ["broken", "wrong"]
