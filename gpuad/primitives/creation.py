"""New arrays, to be written to: constants until something with a derivative is written into them."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuad.dispatch import DEFINED, blank, implements
from gpuad.traced import value_of


def _like(function: Callable[..., Any]) -> None:
    """Enter ``zeros_like`` and its kind."""
    @implements(function)
    def new(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None) -> Any:
        options = {"dtype": dtype, "order": order, "subok": subok, "shape": shape, "device": device}
        return blank(DEFINED.get(function, function)(value_of(a), **{k: v for k, v in options.items() if v is not None}))


for _function in (np.zeros_like, np.ones_like, np.empty_like):
    _like(_function)
