"""Random generators among the arguments of a plan: every draw is a row that is run anew, in order."""
from __future__ import annotations

from typing import Any

from gpuad.errors import PlanError
from gpuad.planning.calls import refuse_out, refuse_settings
from gpuad.planning.recorder import Recorder
from gpuad.planning.staged import STAGED, staged_in


class StagedGenerator:
    """A random generator among the arguments of a plan: every method call is a row that is run anew, in order."""

    __slots__ = ("index", "recorder", "value")

    def __init__(self, generator: Any, recorder: Recorder, index: int):
        self.value, self.recorder, self.index = generator, recorder, index

    def __getattr__(self, name: str) -> Any:
        if not callable(getattr(self.value, name)) or name in ("shuffle", "spawn", "seed", "set_state", "get_state"):
            raise PlanError(f"{name} of a random generator in a plan: only draws can be recorded (permutation, not shuffle)")

        def record(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("out") is not None:
                refuse_out(getattr(self.value, name), kwargs["out"])
            function = getattr(self.value, name)
            refuse_settings(function, name, args, kwargs)
            if name in ("rand", "randn", "tomaxint", "bytes") and (found := staged_in(args)) is not None:
                found._refuse(f"size of a draw ({name})")
            return self.recorder.call(draw, self, name, *args, ordered=True, **kwargs)

        return record


def draw(generator: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a generator's method."""
    return getattr(generator, method)(*args, **kwargs)


STAGED.add(StagedGenerator)
