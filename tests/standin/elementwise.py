"""cupy.ElementwiseKernel: the lines of its operation, each one assignment, evaluated with NumPy on whole arrays."""
from __future__ import annotations

import re
from typing import Any

import numpy as np

from tests.standin import streams
from tests.standin.array import is_scalar, ndarray, performed, unsupported

_LINE = re.compile(r"(?:const ([\w<>]+) )?(\w+) = (.*)")
_TYPES = {"bool": "?", "float": "f", "double": "d", "complex<float>": "F", "complex<double>": "D", "integer": "l"}


def _cast(char: str) -> Any:
    def convert(x: Any, imaginary: Any = None) -> Any:
        x = x if imaginary is None else x + 1j * imaginary
        return np.asarray(x).astype(char)[()]

    return convert


_NAMES: dict[str, Any] = {
    **{t.replace("<", "_").replace(">", ""): _cast(c) for t, c in _TYPES.items()}, "true": np.True_, "false": np.False_,
    "pow": np.power, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "conj": np.conjugate, "abs": np.absolute,
    "choose": np.where, "signum": np.sign, "larger": np.maximum, "smaller": np.minimum,
    "infinity": lambda: np.inf, "undefined": lambda: np.nan, **{f: getattr(np, f) for f in (
        "exp log sqrt sin cos tan sinh cosh tanh exp2 expm1 cbrt log2 log10 log1p hypot copysign floor rint").split()},
}


class ElementwiseKernel:
    """A kernel whose parameters have dtypes of their own."""

    def __init__(self, in_params: str, out_params: str, operation: str, name: str = "kernel", preamble: str = ""):
        self.inputs, self.outputs = ([tuple(p.split()) for p in params.split(", ")] for params in (in_params, out_params))
        self.operation, self.name, self.__name__, self.preamble = operation, name, name, preamble

    def __call__(self, *args: Any) -> Any:
        if len(args) not in (len(self.inputs), len(self.inputs) + len(self.outputs)):
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        values: dict[str, Any] = {}
        names = dict.fromkeys("T", next((str(a.dtype) for (t, _), a in zip(self.inputs, args, strict=False)
                                         if t == "T" and isinstance(a, ndarray)), ""))
        for (declared, name), a in zip(self.inputs + self.outputs, args, strict=False):
            dtype = names.get(declared, declared)
            if not isinstance(a, ndarray) and not is_scalar(a):
                raise unsupported(a)
            if isinstance(a, ndarray) and a.dtype != dtype:
                raise TypeError(f"Type is mismatched. {name} {a.dtype} {dtype}")
            values[name] = a._host if isinstance(a, ndarray) else np.dtype(dtype).type(a)
        shape = np.broadcast_shapes(*[np.shape(v) for v in values.values()])
        made = [a._host for a in args[len(self.inputs):]]
        if any(out.shape != shape for out in made):
            raise ValueError("Out shape is mismatched")

        def compute() -> np.ndarray:
            found = dict(values)
            with np.errstate(all="ignore"):
                for line in filter(None, self.operation.replace("\n", "").split(";")):
                    self._run(line, found)
            dtype, name = self.outputs[0]
            return np.broadcast_to(np.asarray(found[name], names.get(dtype, dtype)), shape).copy()

        if not made:
            return performed(self.name, compute)
        streams.enqueue(self.name, lambda: np.copyto(made[0], compute()))
        return args[-1]

    def _run(self, line: str, values: dict[str, Any]) -> None:
        matched = _LINE.fullmatch(line)
        assert matched, f"no assignment: {line}"
        declared, name, expression = matched.groups()
        found = eval(re.sub(r"complex<(\w+)>", r"complex_\1", expression), {"__builtins__": {}}, {**_NAMES, **values})
        if declared:
            assert np.asarray(found).dtype == _TYPES[declared], f"{line}: of dtype {np.asarray(found).dtype}"
        values[name] = found
