"""scikit-learn's 1,797 handwritten digits, 8 × 8 pixels, split by seed."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpuad.compare.options import CLASSES, TRAINING_IMAGES


@dataclass(frozen=True)
class Digits:
    """Images (n, 64) with ink from 0 to 1, and targets (n, 10), one-hot: one part of the data."""

    images: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index) -> Digits:
        return Digits(self.images[index], self.targets[index])

    def map(self, function) -> Digits:
        """The same digits with ``function`` applied to both arrays: another dtype, another device."""
        return Digits(function(self.images), function(self.targets))

    def astype(self, dtype: str) -> Digits:
        """The same digits in another floating-point type."""
        return self.map(lambda x: x.astype(dtype))


def load(seed: int) -> tuple[Digits, Digits]:
    """Training digits (1,437) and test digits (360), float64; every class has its share in both."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    everything = np.arange(len(labels))
    parts = train_test_split(everything, train_size=TRAINING_IMAGES, random_state=seed, stratify=labels)
    digits = Digits(images / 16, np.eye(CLASSES)[labels])
    return digits[parts[0]], digits[parts[1]]
