"""What CuPy offers, as written down by ``tests.standin.generate``."""
from __future__ import annotations

import json
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("cupy.json").read_text(encoding="utf-8"))
MODULES: dict[str, Any] = TABLE["modules"]


@cache
def signature(module: str, name: str) -> Signature | None:
    """CuPy's signature of a function; None where CuPy does not say."""
    described = MODULES[module]["functions"][name]
    if described is None:
        return None
    kinds = list(type(Parameter.POSITIONAL_ONLY))
    return Signature([Parameter(n, kinds[kind], default=Parameter.empty if required else None)
                      for n, kind, required in described])
