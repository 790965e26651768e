"""Both modes of the gradient tests."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.gpuad.modes import EAGER, STEERED, planned


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the planned mode of what is tested eagerly only."""
    left_out = [item for item in items if _is_eager_only(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_eager_only(item)]


def _is_eager_only(item: pytest.Item) -> bool:
    params = _params(item)
    on_gpu = params.get("xp") == "cupy" or "gpu" in getattr(item, "fixturenames", ())
    return params.get("both_modes") == "planned" and (item.originalname in EAGER or on_gpu)


def _params(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


@pytest.fixture(params=["eager", "planned"])
def both_modes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test runs eagerly, and again with every derivative in a plan (NumPy only); see tests/gpuad/modes.py."""
    if request.param == "eager":
        yield
        return
    monkeypatch.setattr(request.module, "ad", planned)
    params = _params(request.node)
    names = [request.node.originalname, getattr(params.get("entry"), "name", ""), str(params.get("what", ""))]
    planned.steered, planned.refused = next((STEERED[n] for n in names if n in STEERED), None), 0
    yield
    steered, planned.steered = planned.steered, None
    assert steered is None or planned.refused, f"can be planned, although it is listed as one that cannot: {steered}"
