"""The command line as people call it: tiny runs through the real entry point, help, and every bad option."""
import importlib.util
import json
import subprocess
import sys

import pytest

from gpuad import cli, info
from gpuad.compare import handwritten
from gpuad.compare.options import Options
from linalg import arrays

TINY = ("compare", "--widths", "64-8-10", "--epochs", "2", "--no-progress")


@pytest.fixture
def call(capsys):
    """Run the command line; gives its exit status, what it printed, and what it complained about."""

    def run(*arguments):
        try:
            status = cli.main([str(a) for a in arguments])
        except SystemExit as end:  # argparse ends --help and its own complaints this way
            status = end.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(arrays, "gpu_unavailable_reason", lambda: "none for this test")


def read_json(folder):
    return json.loads((folder / "compare.json").read_text(encoding="utf-8"))


# ---- compare

@pytest.mark.parametrize("options", [(), ("--dtype", "float64"), ("--activation", "tanh", "--seed", 3), ("--eager",)])
@pytest.mark.usefixtures("no_gpu")
def test_compare_prints_the_table_and_writes_both_files(call, tmp_path, options):
    folder = tmp_path / "new" / "folder"
    status, out, _ = call(*TINY, *options, "--output", folder)
    assert status == 0, out
    for words in ("to central differences", "to the assembled sparse system", "the hand-written pass",
                  "gpuad / hand-written", "CPU plan", "test accuracy", "No GPU: none for this test", "max |a − b|"):
        assert words in " ".join(out.split())
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")
    document = read_json(folder)
    assert document["holds"]
    assert all(check["difference"] <= check["bound"] for check in document["checks"])
    assert {check["dtype"] for check in document["checks"]} == {"float64", document["options"]["dtype"]}
    assert len(document["training"][0]["test_loss"]) == 2
    assert document["training"][0]["device"] == ("CPU" if "--eager" in options else "CPU plan")


@pytest.mark.usefixtures("no_gpu")
def test_a_progress_bar_is_shown_unless_it_is_declined(call, tmp_path):
    _, with_bar, _ = call(*TINY[:-1], "--output", tmp_path)
    _, with_lines, _ = call(*TINY, "--output", tmp_path)
    assert "2/2 epochs" in with_bar
    assert "CPU plan epoch 1/2" in with_lines and "2/2 epochs" not in with_lines


@pytest.mark.usefixtures("no_gpu")
def test_the_exit_status_is_1_where_a_bound_is_broken(call, tmp_path, monkeypatch):
    monkeypatch.setitem(handwritten.PULLBACKS, "relu", lambda *_: None)
    status, out, _ = call(*TINY, "--output", tmp_path)
    assert status == 1
    assert "✗" in out and "a bound is broken" in out
    assert read_json(tmp_path)["holds"] is False


@pytest.mark.usefixtures("no_gpu")
def test_a_training_that_diverges_is_reported_not_hidden(call, tmp_path):
    status, _, _ = call(*TINY, "--learning-rate", "1e30", "--output", tmp_path)
    assert status == 0  # the gradient's bounds hold, and the accuracy has one for the default training only
    assert read_json(tmp_path)["training"][0]["test_accuracy"][-1] < 0.5


@pytest.mark.gpu
def test_compare_on_the_gpu(call, tmp_path):
    status, out, _ = call(*TINY, "--output", tmp_path)
    assert status == 0, out
    assert "float64 to gpuad on the CPU" in out and "float32 to gpuad on the CPU" in out
    assert [training["device"] for training in read_json(tmp_path)["training"]] == ["CPU plan", "GPU plan"]
    assert "GPU driver: " in " ".join(out.split()) and "GPU plans" in read_json(tmp_path)["machine"]["gpu_details"]


@pytest.mark.gpu
def test_compare_on_the_gpu_alone(call, tmp_path):
    status, _, _ = call(*TINY, "--device", "gpu", "--output", tmp_path)
    assert status == 0
    assert {check["device"] for check in read_json(tmp_path)["checks"]} == {"GPU", "GPU plan"}


# ---- bad options: one line each, exit status 2

@pytest.mark.parametrize(("arguments", "complaint"), [
    (("--widths", "63-10"), "--widths 63-10: expected to start with 64 (pixels of a digit) and to end"),
    (("--widths", "64-9"), "to end with 10 (classes)"),
    (("--widths", "64"), "expected to start with 64"),
    (("--widths", "64-0-10"), "every width to be at least 1"),
    (("--widths", "64-x-10"), "whole numbers joined by '-'"),
    (("--activation", "step"), "choose from relu, tanh, sigmoid, silu"),
    (("--batch", "0"), "--batch 0: expected 1 to 1437"),
    (("--batch", "1438"), "--batch 1438: expected 1 to 1437"),
    (("--batch", "many"), "invalid int value: 'many'"),
    (("--epochs", "0"), "--epochs 0: expected at least 1"),
    (("--learning-rate", "0"), "--learning-rate 0: expected a positive number"),
    (("--learning-rate", "nan"), "--learning-rate nan: expected a positive number"),
    (("--seed", "-1"), "--seed -1: expected 0 to"),
    (("--dtype", "float16"), "choose from float32, float64"),
    (("--device", "tpu"), "choose from auto, cpu, gpu"),
    (("--device", "gpu"), "--device gpu: none for this test"),
    (("--epoch", "3"), "unrecognized arguments: --epoch 3"),
])
@pytest.mark.usefixtures("no_gpu")
def test_a_bad_option_gets_one_clear_line(call, tmp_path, arguments, complaint):
    status, out, err = call("compare", *arguments, "--output", tmp_path / "unused")
    assert status == 2
    assert complaint.replace("'", "") in err.replace("'", "")
    assert out == "" and err.startswith("gpuad") and err.count("\n") == 1
    assert not (tmp_path / "unused").exists()


def test_an_output_folder_that_cannot_be_made_is_named(call, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = call(*TINY, "--output", tmp_path / "file" / "folder")
    assert status == 2
    assert f"--output {tmp_path / 'file' / 'folder'}: cannot make this folder" in err


def test_missing_packages_are_named_with_their_extra(call, monkeypatch):
    missing = ("rich", "sklearn")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else name)
    status, _, err = call("compare")
    assert status == 2
    assert err == "gpuad compare: needs rich and scikit-learn: pip install 'gpuad[demo]'\n"


def test_a_command_is_needed(call):
    status, _, err = call()
    assert status == 2
    assert "COMMAND" in err and err.count("\n") == 1


# ---- help and imports

def test_help_names_the_commands_and_every_option(call):
    status, out, _ = call("--help")
    assert status == 0 and "compare" in out and "info" in out
    status, out, _ = call("compare", "--help")
    assert status == 0
    for name in Options.__dataclass_fields__:
        assert f"-{name.replace('_', '-')}" in out
    assert max(map(len, out.splitlines())) <= 110


def test_importing_gpuad_and_its_command_line_imports_no_heavy_package():
    question = ("import sys, gpuad, gpuad.cli; "
                "print([n for n in ('cupy', 'matplotlib', 'rich', 'sklearn') if n in sys.modules])")
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


# ---- info

@pytest.mark.usefixtures("no_gpu")
def test_info_prints_versions_blas_and_why_there_is_no_gpu(call):
    status, out, _ = call("info")
    assert status == 0
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert {"gpuad", "python", "numpy", "scipy", "processor", "BLAS", "GPU"} <= rows.keys()
    assert rows["GPU"] == "none: none for this test"


@pytest.mark.gpu
def test_info_prints_the_gpu(call):
    _, out, _ = call("info")
    assert "GPU driver" in out and "GiB free" in out and "none:" not in out
    assert "CUDA runtime" in out and "GPU plans" in out


def test_info_warns_where_the_blas_is_pinned_below_the_cpu(monkeypatch):
    pinned = info.Blas("OpenBLAS 0", "Haswell", 1)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setattr(info, "core_without_pin", lambda: "SkylakeX")
    [warning] = info.pin_warnings(pinned)
    assert warning.startswith("WARNING: OPENBLAS_CORETYPE=Haswell") and "SkylakeX" in warning
    monkeypatch.setattr(info, "core_without_pin", lambda: "Haswell")
    assert info.pin_warnings(pinned) == []
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    assert info.pin_warnings(pinned) == []


def test_the_core_without_the_pin_is_asked_of_a_fresh_process(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    here = info.blas().core
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    assert info.core_without_pin() == here


def test_info_works_where_numpy_has_another_blas(monkeypatch):
    monkeypatch.setattr(info, "_openblas_libraries", lambda: iter(()))
    assert info.blas().library and info.blas().core is None
    assert "BLAS threads" in info.report()
