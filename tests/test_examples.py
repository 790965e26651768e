"""The scripts of tests/examples, differentiated as they are, in every spelling: only the import line changes."""
from __future__ import annotations

import importlib
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import to_host

FOLDER = Path(__file__).parent / "examples"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
NEW_ARRAYS = {"kalman_filter", "ode_fit"}
"""Scripts that write into numpy.zeros(shape) or empty: with plain NumPy such an array holds no derivatives."""


def load(name: str, line: str, **names: Any) -> Any:
    """The script with another import line (or none, and ``np`` given)."""
    source = (FOLDER / f"{name}.py").read_text()
    assert source.count("import numpy as np\n") == 1 and source.count("import ") == 1
    module = types.ModuleType(name)
    vars(module).update(names)
    exec(compile(source.replace("import numpy as np\n", line + "\n"), name, "exec"), vars(module))
    return module


class ArrayNamespace:
    """The array's own namespace, asked for as the array API says: ``x.__array_namespace__()``."""

    def __init__(self) -> None:
        self.of: Any = np

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)


def gradient_through_array_namespace(name: str) -> Any:
    xp = ArrayNamespace()
    script = load(name, "", np=xp)

    def loss(x: Any) -> Any:
        xp.of = x.__array_namespace__()
        return script.loss(x)
    return ad.value_and_grad(loss)(script.START)


def by_differences(script: Any) -> np.ndarray:
    x, h = script.START, 1e-5
    out = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[i] = h
        out[i] = (8 * (script.loss(x + e) - script.loss(x - e)) - (script.loss(x + 2 * e) - script.loss(x - 2 * e))) / (12 * h)
    return out


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_spelling_gives_the_gradient(name: str) -> None:
    plain = importlib.import_module(f"tests.examples.{name}")
    script = load(name, "import gpuad.numpy as np")
    value, gradient = ad.value_and_grad(script.loss)(script.START)
    np.testing.assert_allclose(value, plain.loss(plain.START), rtol=1e-13)
    np.testing.assert_allclose(gradient, by_differences(plain), rtol=1e-7, atol=1e-9)
    for other in (gradient_through_array_namespace(name), ad.plan(ad.value_and_grad(script.loss))(script.START)):
        np.testing.assert_allclose(other[0], value, rtol=1e-13)
        np.testing.assert_allclose(other[1], gradient, rtol=1e-10, atol=1e-13)
    if name in NEW_ARRAYS:
        with pytest.raises((TypeError, ValueError)) as caught:
            ad.grad(plain.loss)(plain.START)
        assert "ad.numpy.zeros" in str(caught.value) + str(caught.value.__cause__)
    else:
        np.testing.assert_array_equal(ad.grad(plain.loss)(plain.START), gradient)


@pytest.mark.parametrize("name", SCRIPTS)
def test_hessians_are_symmetric_and_right(name: str) -> None:
    script = load(name, "import gpuad.numpy as np")
    direction = np.cos(np.arange(script.START.size)).reshape(script.START.shape)
    along, h = ad.hvp(script.loss, (script.START,), (direction,))[0], 1e-5
    g = ad.grad(script.loss)
    differences = (g(script.START + h * direction) - g(script.START - h * direction)) / (2 * h)
    np.testing.assert_allclose(along, differences, rtol=1e-6, atol=1e-7)
    hessian = ad.hessian(script.loss)(script.START).reshape(direction.size, direction.size)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(hessian @ direction.ravel(), along.ravel(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", SCRIPTS)
def test_on_the_gpu(name: str, gpu: Any) -> None:
    """The same script with CuPy's namespace, and the data that NumPy's random numbers make."""
    script, plain = load(name, "import gpuad.cupy as np"), importlib.import_module(f"tests.examples.{name}")
    vars(script).update({key: gpu.asarray(x) for key, x in vars(plain).items() if isinstance(x, np.ndarray)})
    value, gradient = ad.value_and_grad(script.loss)(script.START)
    np.testing.assert_allclose(float(value), plain.loss(plain.START), rtol=1e-10)
    np.testing.assert_allclose(to_host(gradient), by_differences(plain), rtol=1e-7, atol=1e-9)
