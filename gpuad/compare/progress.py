"""How a training run shows itself while it runs: a bar for people, lines for logs."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gpuad.compare.train import Training

Report = Callable[[Training], None]


@contextmanager
def bar(console: Console, device: str, epochs: int) -> Iterator[Report]:
    """A progress bar, one step for each epoch."""
    columns = (TextColumn("[bold]{task.description}"), BarColumn(bar_width=16),
               TextColumn("{task.completed}/{task.total} epochs{task.fields[state]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(device, total=epochs, state="")
        yield lambda training: progress.update(task, advance=1, state=state(training))


@contextmanager
def lines(console: Console, device: str, epochs: int) -> Iterator[Report]:
    """About ten lines, evenly spaced, the last epoch's among them."""
    every = max(1, epochs // 10)

    def report(training: Training) -> None:
        epoch = len(training.test_loss)
        if epoch % every == 0 or epoch == epochs:
            console.print(f"{device} epoch {epoch}/{epochs}{state(training)}", highlight=False)

    yield report


def state(training: Training) -> str:
    """Loss and accuracy so far."""
    return f", test loss {training.test_loss[-1]:.3g}, accuracy {training.test_accuracy[-1]:.1%}"
