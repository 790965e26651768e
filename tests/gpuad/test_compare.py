"""The parts of the main job: data, network, hand-written pass, training, checks, report, picture."""
import io
import json
import math

import matplotlib
import numpy as np
import pytest
from rich.console import Console
from scipy.special import log_softmax

import gpuad as ad
from gpuad.compare import check, device, digits, handwritten, network, picture, timing, train
from gpuad.compare import report as reports
from gpuad.compare.device import CPU, PLAN
from gpuad.compare.options import ACTIVATIONS, OptionError, Options


@pytest.fixture(scope="module")
def data():
    return digits.load(seed=0)


def small(**changes):
    return Options(**{"widths": (64, 7, 5, 10), "epochs": 2, "dtype": "float64", **changes})


def difference(a, b):
    return check.largest_relative_difference(check.flatten(a), check.flatten(b))


# ---- data and network

def test_digits_are_split_by_seed_and_stratified(data):
    training, test = data
    assert (len(training), len(test)) == (1437, 360)
    assert training.images.shape == (1437, 64) and test.targets.shape == (360, 10)
    assert training.images.min() == 0 and training.images.max() == 1
    shares = [part.targets.mean(axis=0) for part in data]
    np.testing.assert_allclose(*shares, atol=0.002)
    np.testing.assert_array_equal(digits.load(seed=0)[1].images, test.images)
    assert not np.array_equal(digits.load(seed=1)[1].images, test.images)


def test_parameters_are_drawn_by_seed():
    params = network.initialise((64, 7, 10), seed=0, dtype="float32")
    assert [(w.shape, b.shape, w.dtype) for w, b in params] == [((64, 7), (7,), "f4"), ((7, 10), (10,), "f4")]
    assert difference(params, network.initialise((64, 7, 10), seed=0)) < 1e-7
    assert difference(params, network.initialise((64, 7, 10), seed=1)) > 0.1


def test_cross_entropy_is_stable_and_right():
    logits = np.random.default_rng(0).normal(size=(6, 10)) * 10.0 ** np.arange(6)[:, None]
    targets = np.eye(10)[np.arange(6)]
    expected = -np.mean(log_softmax(logits, axis=1)[np.arange(6), np.arange(6)])
    np.testing.assert_allclose(network.cross_entropy(logits, targets), expected, rtol=1e-14)


def test_margins_are_distances_from_the_kink(data):
    params = [(np.eye(64)[:, :2], np.array([-0.25, 3.0])), (np.ones((2, 10)), np.zeros(10))]
    images = data[0].images[:4]
    expected = np.minimum(abs(images[:, 0] - 0.25), abs(images[:, 1] + 3))
    np.testing.assert_allclose(network.margins(params, images, "relu"), expected)
    assert np.all(network.margins(params, images, "tanh") == np.inf)


# ---- the gradient, in every way

@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", [(64, 10), (64, 7, 10), (64, 7, 5, 6, 10)])
def test_all_ways_to_the_gradient_agree(data, activation, widths):
    options = small(activation=activation, widths=widths, dtype="float32")
    found = list(check.checks(options, check.point(options, data[0]), [CPU, PLAN]))
    assert [c.dtype for c in found if c.device == "CPU"] == ["float64"] * 3 + ["float32"] * 2
    assert [c.dtype for c in found if c.device == "CPU plan"] == ["float64"] * 4 + ["float32"] * 3
    for each in found:
        assert each.holds, each


@pytest.mark.gpu
def test_all_ways_agree_on_the_gpu(data):
    options = small(dtype="float32")
    found = list(check.checks(options, check.point(options, data[0]), device.chosen("auto")))
    for name in ("GPU", "GPU plan"):
        assert {c.reference for c in found if c.device == name} > {check.ON_CPU}
    for each in found:
        assert each.holds, each


def test_at_the_kink_of_relu_the_derivative_is_one_half(data):
    params = [(np.zeros((64, 7)), np.zeros(7)), network.initialise((7, 10), seed=0)[0]]
    part = data[0][:5]
    arguments = params, part.images, part.targets, "relu"
    by_hand = handwritten.value_and_gradient(*arguments)[1]
    assert difference(ad.grad(network.loss)(*arguments), by_hand) <= 1e-15
    above = [(params[0][0], params[0][1] + 1e-300), params[1]]
    full = handwritten.value_and_gradient(above, *arguments[1:])[1]
    np.testing.assert_allclose(by_hand[0][0], full[0][0] / 2, rtol=1e-12)


def test_the_hand_written_pass_leaves_its_arguments_alone(data):
    part, params = data[0][:5], network.initialise((64, 7, 10), seed=0)
    kept = [(w.copy(), b.copy()) for w, b in params]
    handwritten.value_and_gradient(params, part.images, part.targets)
    assert difference(params, kept) == 0
    np.testing.assert_array_equal(part.targets, data[0].targets[:5])


def test_a_wrong_gradient_breaks_its_bound():
    right = np.array([1.0, -2.0, 0.5])
    nearly = np.array([1.0, -2.0, 0.5 + 2e-12])
    assert check.largest_relative_difference(nearly, right) == pytest.approx(1e-12, rel=1e-3)
    for wrong in (right * (1 + 1e-11), right * np.nan):
        found = check.largest_relative_difference(wrong, right)
        assert not check.Check("", "CPU", "float64", found, check.DOUBLE_BOUND).holds


def test_the_check_keeps_away_from_the_kink(data):
    options = small()
    at = check.point(options, data[0])
    assert at.margin == network.margins(at.params, at.digits.images, "relu").min()
    assert at.margin == np.sort(network.margins(at.params, data[0].images, "relu"))[-check.IMAGES]
    assert at.margin > 100 * check.STEP


def test_a_large_network_is_checked_on_fewer_images_and_a_sample_of_its_parameters(data):
    at = check.point(small(widths=(64, 7, 10)), data[0])
    assert len(at.digits) == check.IMAGES
    assert len(check.sample(at)) == check.count(at.params) == 64 * 7 + 7 + 7 * 10 + 10
    some = check.sample(at, work=50.5 * 4 * check.count(at.params) * check.IMAGES)
    assert len(np.unique(some)) == 50 and np.all(np.diff(some) > 0)
    large = check.point(small(widths=(64, 1000, 1000, 10)), data[0])
    assert len(large.digits) == check.NONZEROS // check.count(large.params) == 3


# ---- training and timing

def test_the_first_step_of_adam_is_the_learning_rate_against_the_sign(data):
    params = network.initialise((64, 7, 10), seed=0)
    part = data[0][:5]
    slope = check.flatten(ad.grad(network.loss)(params, part.images, part.targets))
    zeros = [(0 * w, 0 * b) for w, b in params]
    (after, *_), _ = train.step((params, zeros, zeros), part.images, part.targets, 0.1, (0.1, 0.001), "relu")
    moved = np.abs(slope) > 1e-4
    assert moved.sum() > 100
    np.testing.assert_allclose((check.flatten(after) - check.flatten(params))[moved], -0.1 * np.sign(slope[moved]), rtol=1e-3)


def test_a_training_step_in_a_plan_lies_in_its_parameters(data):
    params = network.initialise((64, 7, 10), seed=0)
    zeros = [(0 * w, 0 * b) for w, b in params], [(0 * w, 0 * b) for w, b in params]
    part = data[0][:5]
    arguments = (params, *zeros), part.images, part.targets, 0.1, (0.1, 0.001), "relu"
    (expected, *_), loss = train.step(*arguments)
    (after, mean, _), value = PLAN.function(train.step, static_argnums=5, donate=0)(*arguments)
    assert difference(after, expected) < 1e-12 and value == pytest.approx(loss, rel=1e-12)
    assert after[0][0] is params[0][0] and mean[1][1] is zeros[0][1][1]


@pytest.mark.parametrize("way", [CPU, PLAN], ids=lambda device: device.name)
def test_training_learns_and_repeats_itself(data, way):
    options = small(epochs=4)
    first, again = (train.train(options, way, data) for _ in range(2))
    assert first.batch_loss == again.batch_loss and first.test_loss == again.test_loss
    assert len(first.batch_loss) == 4 * math.ceil(1437 / options.batch)
    assert first.test_loss[-1] < first.test_loss[0]
    assert first.params[0][0].shape == (64, 7)


def test_training_in_a_plan_goes_the_same_way(data):
    eager, planned = (train.train(small(epochs=3), way, data) for way in (CPU, PLAN))
    np.testing.assert_allclose(planned.batch_loss, eager.batch_loss, rtol=1e-9)
    assert difference(planned.params, eager.params) < 1e-9


def test_default_options_reach_the_goal(data):
    for way in device.trained(Options(), [CPU, PLAN]):
        assert train.train(Options(), way, data).test_accuracy[-1] >= reports.GOAL


def test_a_plan_trains_unless_it_is_declined():
    assert device.trained(Options(), [CPU, PLAN]) == [PLAN]
    assert device.trained(Options(eager=True), [CPU, PLAN]) == [CPU]
    assert Options(eager=True).trains_as_by_default


@pytest.mark.gpu
def test_training_on_the_gpu_goes_the_same_way(data):
    options = small(epochs=2)
    on_cpu = train.train(options, CPU, data)
    for way in device.gpu():
        found = train.train(options, way, data)
        np.testing.assert_allclose(found.batch_loss, on_cpu.batch_loss, rtol=1e-9)
        assert difference(found.params, on_cpu.params) < 1e-9


@pytest.mark.gpu
def test_the_table_names_the_gpu_and_how_plans_run_there(report):
    report.devices.extend(device.gpu())
    report.machine["gpu_details"] = {"GPU": "one", "GPU plans": "CUDA graphs"}
    assert "GPU: one; GPU plans: CUDA graphs." in " ".join(printed(report).split())


def test_timing_alternates_and_divides(data):
    found = timing.measure(small(), [CPU, PLAN], data[0], rounds=3)
    assert [t.device for t in found] == ["CPU", "CPU plan"]
    for each in found:
        assert each.rounds == 3 and each.gpuad > 0
        assert each.ratio == each.gpuad / each.handwritten


def test_options_are_checked_however_they_are_made():
    with pytest.raises(OptionError, match="--activation step: expected one of relu, tanh"):
        Options(activation="step")
    assert Options(dtype="float64", device="cpu").trains_as_by_default
    assert not Options(epochs=2).trains_as_by_default and not Options(seed=2).trains_as_by_default


# ---- report and picture

@pytest.fixture
def report(data):
    options = small()
    at = check.point(options, data[0])
    checks = [check.Check(check.CENTRAL, "CPU", "float64", 2e-9, 1e-6)]
    times = [timing.Timing("CPU", 3e-4, 2e-4, 10), timing.Timing("CPU plan", 1.2e-4, 2e-4, 10)]
    trainings = [train.train(options, PLAN, data)]
    machine = {"blas": "OpenBLAS 0", "threads": 1, "warnings": ["WARNING: slow kernels"]}
    return reports.Report(options, [CPU, PLAN], at, 20, checks, times, trainings, machine, "no [extra]")


def printed(report):
    console = Console(width=140, file=io.StringIO())
    console.print(reports.table(report))
    return console.file.getvalue()


def test_the_table_says_what_was_measured_and_how(report):
    text = " ".join(printed(report).split())
    for words in ("float64 to central differences", "2.0e-09", "≤ 1e-06", "1.50", "300 µs", "CPU plan", "120 µs", "0.60", "2.50",
                  "1 thread.", "No GPU: no [extra].", "WARNING: slow kernels"):
        assert words in text
    assert "✓" in text and "✗" not in text


def test_a_broken_bound_is_marked(report):
    report.checks.append(check.Check(check.BY_HAND, "CPU", "float64", math.nan, 1e-12))
    assert not report.holds
    assert "✗" in printed(report)


def test_the_goal_is_set_for_the_default_training_only(report):
    assert report.goal is None and report.accuracy_holds
    default = reports.Report(Options(), *list(vars(report).values())[1:])
    assert default.goal == 0.97 and not default.accuracy_holds and not default.holds


def test_json_says_null_for_what_is_not_a_number(report, tmp_path):
    report.trainings[0].test_loss[0] = math.nan
    reports.write_json(report, tmp_path / "compare.json")
    text = (tmp_path / "compare.json").read_text(encoding="utf-8")
    assert json.loads(text)["training"][0]["test_loss"][0] is None
    assert "NaN" not in text and "Infinity" not in text


def test_the_picture_leaves_matplotlib_as_it_was(report, tmp_path):
    before = dict(matplotlib.rcParams)
    picture.write(report, tmp_path / "compare.png")
    assert (tmp_path / "compare.png").stat().st_size > 10_000
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_system_in_the_picture_is_that_of_the_program(activation):
    options = small(activation=activation)
    system = picture.small_system(options)
    names = picture.row_names(system)
    assert system.L.block_shape == (len(names), len(names))
    assert system.D.block_shape == (len(names), len(picture.parameter_names(options)))
    assert names[0] == "matmul" and names[-1] == "mean"
