"""Options of one comparison, and what is wrong with them."""
from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

from linalg import arrays

PIXELS, CLASSES, TRAINING_IMAGES = 64, 10, 1437
ACTIVATIONS = ("relu", "tanh", "sigmoid", "silu")
DTYPES = ("float32", "float64")
DEVICES = ("auto", "cpu", "gpu")
DEMO_PACKAGES = ("matplotlib", "rich", "sklearn")


class OptionError(ValueError):
    """An option that cannot be honoured; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class Options:
    """What to train and where: widths from pixels to classes, batch in images, Adam's first learning rate."""

    widths: tuple[int, ...] = (64, 128, 64, 10)
    activation: str = "relu"
    batch: int = 128
    epochs: int = 50
    learning_rate: float = 3e-3
    seed: int = 0
    dtype: str = "float32"
    device: str = "auto"
    eager: bool = False
    output: Path = Path("out")
    progress: bool = True

    def __post_init__(self) -> None:
        for complaint in self._complaints():
            raise OptionError(complaint)

    def _complaints(self):
        if len(self.widths) < 2 or self.widths[0] != PIXELS or self.widths[-1] != CLASSES:
            yield (f"--widths {self.shape}: expected to start with {PIXELS} (pixels of a digit) and to end "
                   f"with {CLASSES} (classes), as in 64-128-64-10")
        if min(self.widths) < 1:
            yield f"--widths {self.shape}: expected every width to be at least 1"
        if not 1 <= self.batch <= TRAINING_IMAGES:
            yield f"--batch {self.batch}: expected 1 to {TRAINING_IMAGES}, the size of the training set"
        if self.epochs < 1:
            yield f"--epochs {self.epochs}: expected at least 1"
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            yield f"--learning-rate {self.learning_rate:g}: expected a positive number, such as 0.003"
        if not 0 <= self.seed < 2**32:
            yield f"--seed {self.seed}: expected 0 to 2³² − 1"
        for name, known in (("activation", ACTIVATIONS), ("dtype", DTYPES), ("device", DEVICES)):
            if getattr(self, name) not in known:
                yield f"--{name} {getattr(self, name)}: expected one of {', '.join(known)}"

    @property
    def shape(self) -> str:
        """The widths in words: 64-128-64-10."""
        return "-".join(map(str, self.widths))

    @property
    def trains_as_by_default(self) -> bool:
        """Whether nothing that shapes the training was changed: then the test accuracy has a bound."""
        names = ("widths", "activation", "batch", "epochs", "learning_rate", "seed")
        return all(getattr(self, name) == getattr(Options, name) for name in names)


def require_demo_packages() -> None:
    """Raise OptionError, naming the extra, where a package that the comparison needs is missing."""
    missing = [name for name in DEMO_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        names = " and ".join(missing).replace("sklearn", "scikit-learn")
        raise OptionError(f"needs {names}: pip install 'gpuad[demo]'")


def require_gpu() -> None:
    """Raise OptionError, saying why, where a GPU was asked for and none can be used."""
    reason = arrays.gpu_unavailable_reason()
    if reason is not None:
        raise OptionError(f"--device gpu: {reason}; choose cpu, or auto to take a GPU where there is one")
