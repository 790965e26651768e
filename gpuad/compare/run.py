"""The whole comparison, in order."""
from __future__ import annotations

import numpy as np
from rich.console import Console

from gpuad import info
from gpuad.compare import check, digits, picture, progress, timing
from gpuad.compare.device import Device, chosen, trained
from gpuad.compare.options import OptionError, Options
from gpuad.compare.report import Report, table, write_json
from gpuad.compare.train import Training, train
from linalg import arrays


def run(options: Options, console: Console) -> Report:
    """Train, check, time, report: prints the table, writes both files into ``options.output``."""
    devices = chosen(options.device)
    _make_folder(options)
    data = digits.load(options.seed)
    at = check.point(options, data[0])
    with np.errstate(all="ignore"):  # a diverging training is reported by its loss, not by warnings
        trainings = [_train(options, device, data, console) for device in trained(options, devices)]
        with console.status("comparing gradients"):
            found = list(check.checks(options, at, devices))
        with console.status("timing gradients"):
            timings = timing.measure(options, devices, data[0])
    entries = len(check.sample(at))
    report = Report(options, devices, at, entries, found, timings, trainings, machine(), _no_gpu(options))
    _deliver(report, console)
    return report


def machine() -> dict:
    """Versions and hardware that the numbers depend on."""
    blas = info.blas()
    return {"versions": info.versions(), "processor": info.processor(), "blas": str(blas),
            "threads": blas.threads, "warnings": info.pin_warnings(blas), "gpu": info.gpu_name(),
            "gpu_details": dict(info.gpu_rows())}


def _make_folder(options: Options) -> None:
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--output {options.output}: cannot make this folder: {error.strerror}") from error


def _train(options: Options, device: Device, data: tuple, console: Console) -> Training:
    show = progress.bar if options.progress else progress.lines
    with show(console, device.name, options.epochs) as report:
        return train(options, device, data, report)


def _no_gpu(options: Options) -> str | None:
    return arrays.gpu_unavailable_reason() if options.device == "auto" else None


def _deliver(report: Report, console: Console) -> None:
    console.print(table(report))
    for name, write in (("compare.json", write_json), ("compare.png", picture.write)):
        path = report.options.output / name
        write(report, path)
        console.print(f"wrote {path}", highlight=False, soft_wrap=True)
    if not report.holds:
        console.print("[bold red]a bound is broken[/] (✗ above)")
