"""The GPU's part of the benchmarks, as far as it can be told without one: no test looks at a time."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import ceilings, gpu_acceptance, gpu_check, peers, readme, report, workloads
from benchmarks.harness import Effort, agree
from benchmarks.place import Place
from benchmarks.programs import jacobian, logistic
from benchmarks.programs.black_scholes import black_scholes
from benchmarks.programs.convolution import CONVOLUTION
from benchmarks.programs.digits import DIGITS
from benchmarks.programs.growth import growth
from benchmarks.programs.networks import NETWORKS, SMALL
from benchmarks.programs.program import GRADIENT, STEP, VALUE
from benchmarks.programs.wide import TOLERANCES, wide

ONCE = Effort(seconds=0, fewest=2, most=2, block=1e-4)
OURS = {peers.EAGER: peers.gpuad_eager, peers.PLAN: peers.gpuad_plan}


@pytest.fixture
def only_ours(monkeypatch):
    """Few samples, and without the libraries that take long to import or compile."""
    monkeypatch.setattr(logistic, "SAMPLES", 500)
    logistic.samples.cache_clear()
    monkeypatch.setattr(peers, "BUILDERS", dict.fromkeys((VALUE, GRADIENT, STEP), OURS))
    yield
    logistic.samples.cache_clear()


def test_data_that_fit_a_cache_come_in_several_sets():
    params, X, Y = NETWORKS[0].data()
    assert len(Place(np).sets((params, X, Y))) == 1
    place = Place(np, cache=X.nbytes + Y.nbytes + 1)
    copied = place.sets((params, X, Y), np.array)
    assert len(copied) == 3 and len(Place(np, cache=10**9).sets((params, X, Y))) == 8
    assert all(one[0] is copied[0][0] for one in copied) and not np.shares_memory(copied[0][1], copied[1][1])
    calls = peers.rotating(lambda _params, X, _Y: X, copied)
    assert [calls() is copied[k % 3][1] for k in range(4)] == [True] * 4


@pytest.mark.parametrize("task", [GRADIENT, STEP])
def test_several_sets_give_what_one_does(task):
    place, program = Place(np, cache=10**6), NETWORKS[0]
    present, _missing = peers.contestants({**OURS, peers.TORCH: peers.LIBRARIES[peers.TORCH]}, program, task, place)
    for contestant in [*present, *(peers.by_hand(name, program, task, place) for name in program.by_hand)]:
        agree(contestant, peers.reference(program, task))


def test_ceilings_count_what_a_program_needs():
    program = growth(1000)
    assert ceilings.bytes_moved(program) == 5 * 4000  # two parameters and a constant read, two gradients written
    assert ceilings.operations(wide(8, "float32")) == 5 * 2 * 8**3
    present, missing = ceilings.everyone(program, GRADIENT, Place(np))
    assert [c.name for c in present] == [ceilings.COPY] and not missing
    [products] = ceilings.everyone(wide(8, "float32"), STEP, Place(np))[0]
    assert products.call().shape == (8, 8)
    assert ceilings.rates(program, GRADIENT, {"copy": [1e-8] * 3}) == {"copy": {"TB/s": 2.0}}
    assert ceilings.everyone(program, VALUE, Place(np)) == ([], {})


def of_gpu(workload=SMALL, task=GRADIENT, **rounds):
    names = {"plan": peers.PLAN, "eager": peers.EAGER, "torch": peers.TORCH, "graph": peers.GRAPH, "jax": peers.JAX,
             "copy": ceilings.COPY, "products": ceilings.PRODUCTS}
    return workloads.Record(workload, task, "gpu", 1, "call", {names[key]: [1e-6 * t] * 3 for key, t in rounds.items()}, {})


def test_promises_of_a_gpu():
    lines = gpu_acceptance.lines([of_gpu(plan=10, torch=55, graph=12, jax=9, eager=60),
                                  of_gpu("8192-wide layers, float32", STEP, plan=100, products=96, jax=101),
                                  of_gpu("logistic growth 10000000", plan=100, copy=70, graph=110)])
    find = lambda *words: next(line for line in lines if all(word in line for word in words))
    assert find("5 × as fast", SMALL).endswith("measured 5.5 × (quartiles 5.5 to 5.5), PyTorch eager: holds")
    assert find("the best of", SMALL).endswith("measured 0.9 × (quartiles 0.9 to 0.9), JAX jit: missed")
    assert find("0.95 ×", "8192").endswith(f"measured 0.96 × (quartiles 0.96 to 0.96), {ceilings.PRODUCTS}: holds")
    assert find("0.8 ×", "growth").endswith(f"measured 0.7 × (quartiles 0.7 to 0.7), {ceilings.COPY}: missed")
    assert find("gpuad eager", SMALL).endswith("measured 0.917 × (quartiles 0.917 to 0.917), PyTorch eager: missed")
    assert find("gpuad eager", "8192").endswith("not measured, gpuad eager is missing here")


def test_without_a_gpu_its_promises_are_not_measured():
    assert all(line.endswith("not measured in this run") for line in gpu_acceptance.lines([]))
    assert sum(line.startswith("GPU: asked") for line in report.promises("cpu", [])) == len(gpu_acceptance.PROMISES)


def test_a_gpu_has_files_of_its_own(tmp_path):
    facts = {"GPU": "a GPU", "GPU driver": "1.2", "date": "today"}
    paths = report.write(tmp_path, facts, [of_gpu(plan=10, torch=55, graph=12)], "gpu")
    assert [path.name for path in paths] == ["gpu.json", "gpu.md", "gpu.png"]
    text = (tmp_path / "gpu.md").read_text()
    assert "- GPU driver: 1.2" in text and "value and gradient, gpu" in text and "cpu" not in text


WORKER = """
import json, sys
arguments = sys.argv
done = int(arguments[arguments.index("--done") + 1])
titles = ["one value", "two value", "three value"]
print(json.dumps({"libraries": {"versions": "none"}}))
for title in titles[done:]:
    print(json.dumps({"begins": title}), flush=True)
    if title.startswith("two"):
        sys.exit(7)
    print(json.dumps({"workload": title, "task": "value", "device": "gpu", "threads": 1, "unit": "call", "rounds": {},
                      "missing": {}}), flush=True)
"""


def test_a_worker_that_dies_is_followed_by_one_that_goes_on(monkeypatch):
    monkeypatch.setattr(command.worker, "command", lambda *arguments: [sys.executable, "-c", WORKER, "--done", str(arguments[4])])
    options = SimpleNamespace(minutes=None, quick=True)
    found = [line for line in command.run("gpu", 1, options, True) if not isinstance(line, dict)]
    assert [r.workload for r in found] == ["one value", "two value", "three value"]
    assert found[1].missing == {"everyone": "failed: its process ended with status 7"}
    with pytest.raises(SystemExit, match="nothing more was measured"):
        list(command.run("cpu", 1, options, True))


@pytest.mark.gpu
@pytest.mark.usefixtures("only_ours")
def test_workloads_on_a_gpu(monkeypatch):
    """Smaller ones: that every contestant of ours runs and agrees, and the ceilings run."""
    monkeypatch.setattr(workloads, "PROGRAMS", [NETWORKS[0], logistic.LOGISTIC, DIGITS, CONVOLUTION, black_scholes(100)])
    monkeypatch.setattr(workloads, "SMALL_NETWORKS", [NETWORKS[0], DIGITS])
    monkeypatch.setattr(workloads, "MOVING", [growth(1000)])
    monkeypatch.setattr(workloads, "WIDE", [wide(32, precision) for precision in TOLERANCES])
    monkeypatch.setattr(jacobian, "BUILDERS", {peers.EAGER: jacobian.gpuad_eager, peers.PLAN: jacobian.gpuad_plan})
    records = [workload.record(1, ONCE) for workload in workloads.workloads("gpu", first=True)]
    assert workloads.failures(records) == []
    assert all({peers.EAGER, peers.PLAN} <= set(r.rounds) for r in records)
    assert {ceilings.COPY, ceilings.PRODUCTS} <= {name for r in records for name in r.rounds}


# ---- what is told without a GPU

def test_predictions_say_what_they_are(capsys, tmp_path):
    only = f"{SMALL} value,8192-wide layers, float32 value"
    assert command.predict(SimpleNamespace(predict="h200", only=only, output=tmp_path)) == 0
    text = (tmp_path / "gpu_predicted.md").read_text()
    assert "No GPU has seen these programs" in text and capsys.readouterr().out.strip() == text.strip()
    lines = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in text.splitlines() if line.startswith("| ")}
    small, large = lines[f"{SMALL}, value and gradient"], lines["8192-wide layers, float32, value and gradient"]
    assert int(small[2]) < int(small[1])  # launches
    assert large[3].endswith("T") and large[-1].startswith(("99%", "100%"))


# ---- make gpu-check

def test_every_part_runs_and_the_last_lines_tell(monkeypatch, capfd):
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    found = [("tests", failing), ("memcheck", "compute-sanitizer is not installed"), ("benchmarks", [sys.executable, "-c", ""])]
    monkeypatch.setattr(gpu_check, "commands", lambda _quick: iter(found))
    monkeypatch.setattr(sys, "argv", ["gpu_check"])
    assert gpu_check.main() == 1
    lines = capfd.readouterr().out.splitlines()[-3:]
    assert lines[0].startswith("tests      FAILED, status 3") and lines[2].startswith("benchmarks passed")
    assert lines[1] == "memcheck   not run: compute-sanitizer is not installed"


def test_parts_of_a_check_are_chosen(monkeypatch, capfd):
    monkeypatch.setattr(gpu_check, "commands", lambda _quick: iter([("tests", "no"), ("benchmarks", "no")]))
    monkeypatch.setattr(sys, "argv", ["gpu_check", "--only", "benchmarks"])
    assert gpu_check.main() == 0
    assert capfd.readouterr().out.splitlines()[-1] == "benchmarks not run: no"
    monkeypatch.setattr(sys, "argv", ["gpu_check", "--only", "benchmark"])
    with pytest.raises(SystemExit):
        gpu_check.main()


def test_the_sanitizer_looks_at_tests_that_exist():
    names = dict(gpu_check.commands(quick=True))
    assert list(names) == list(gpu_check.PARTS) and names["benchmarks"][-1] == "--quick"
    file, _, words = gpu_check.KERNELS
    assert f"def test_{words}(" in (gpu_check.ROOT / file).read_text()


# ---- the README's tables

def test_the_readme_has_the_numbers_of_the_files():
    text = (gpu_check.ROOT / "README.md").read_text().splitlines()
    for device in ("cpu", "gpu"):
        if readme.measured(device):
            assert not [line for line in readme.lines(device) if line not in text], f"run `python -m benchmarks.readme {device}`"
        else:
            assert not any("results/gpu.md" in line or "results/gpu.png" in line for line in text)
