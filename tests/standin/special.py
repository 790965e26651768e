"""cupyx.scipy.special: CuPy's names, loops and parameters, computed by SciPy."""
from __future__ import annotations

from types import ModuleType

import scipy.special

from tests.standin.functions import module_function
from tests.standin.table import MODULES
from tests.standin.ufunc import ufunc

NAME = "cupyx.scipy.special"


class special_ufunc(ufunc):
    """A universal function of cupyx.scipy.special."""

    def __init__(self, name: str, types: list[str]):
        self.name, self.__name__ = f"cupyx_scipy_special_{name}", name
        self._numpy = getattr(scipy.special, name)
        self.types = [t for t in types if "E" not in t]  # E: bfloat16
        self.nin, self.nout = map(len, self.types[0].split("->"))
        self.nargs = self.nin + self.nout


def special() -> ModuleType:
    module = ModuleType(NAME)
    for function in MODULES[NAME]["functions"]:
        setattr(module, function, module_function(NAME, function, scipy.special))
    for function, types in MODULES[NAME]["ufuncs"].items():
        if hasattr(scipy.special, function):
            setattr(module, function, special_ufunc(function, types))
    return module
