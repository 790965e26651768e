"""check_grads and the differences that it stands on."""
from types import ModuleType

import numpy as np
import pytest

import gpuad as ad
from gpuad import testing
from gpuad.testing import one_sided_difference, two_sided_difference


def test_check_grads_says_what_is_wrong():
    wrong = ad.primitive(lambda a, b: a * b, differential=lambda _y, a, b: (b, 2 * a))
    args = (np.arange(1.0, 3.0), {"w": [np.ones(2)]})

    def f(a, p):
        return {"out": wrong(a, p["w"][0])}

    with pytest.raises(AssertionError, match=r"order 1, forward mode, along argument \[1\]\['w'\]\[0\], output\['out'\]: exp"):
        ad.check_grads(f, args)
    with pytest.raises(AssertionError, match=r"order 1, reverse mode, for argument \[1\]\['w'\]\[0\]: expected"):
        ad.check_grads(f, args, modes=("rev",))
    once = ad.primitive(lambda x: x**3, differential=lambda _y, x: 3 * ad.stop_gradient(x) ** 2)
    ad.check_grads(once, (np.ones(2),), order=1)
    with pytest.raises(AssertionError, match="order 2, forward mode of forward mode"):
        ad.check_grads(once, (np.ones(2),))
    with pytest.raises(AssertionError, match="order 2, reverse mode of reverse mode"):
        ad.check_grads(once, (np.ones(2),), modes=["rev"])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_check_grads_takes_every_dtype(xp: ModuleType, dtype):
    x = xp.asarray(np.array([0.3, 0.9, -0.4]) * (1 + 0.5j if dtype.startswith("c") else 1)).astype(dtype)
    ad.check_grads(lambda x: np.sin(x) * np.conj(x), (x,))
    ad.check_grads(lambda p: {"y": np.abs(p["x"]), "z": p["c"] * p["x"]}, ({"x": x, "c": 2.0},), order=1)


def test_check_grads_arguments():
    with pytest.raises(TypeError, match="args as a tuple"):
        ad.check_grads(np.sin, 1.0)
    with pytest.raises(ValueError, match="'fwd' and 'rev'"):
        ad.check_grads(np.sin, (1.0,), modes=("forward",))
    with pytest.raises(TypeError, match=r"args\[0\].*int"):
        ad.check_grads(np.sin, (1,))
    ad.check_grads(lambda: 1.0, ())
    ad.check_grads(lambda x: x**3, (2.0,), eps=1e-3, atol=1e-3, rtol=1e-3)


def test_differences_of_pytrees(xp: ModuleType):
    def f(p, x):
        return {"y": p["a"] * x**2}

    primals = {"a": 2.0}, xp.asarray([1.0, 3.0])
    tangents = {"a": 1.0}, xp.asarray([0.0, 1.0])
    for difference, error in ((one_sided_difference, 1e-2), (two_sided_difference, 1e-6)):
        y = difference(f, primals, tangents)["y"]
        assert abs(float(y[0]) - 1) < error and abs(float(y[1]) - (9 + 2 * 2 * 3)) < error


def test_forward_and_reverse_that_disagree_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    """Both within the tolerance of differences, but not of each other."""
    exact = testing.jvp
    monkeypatch.setattr(testing, "jvp", lambda f, p, t: (exact(f, p, t)[0], exact(f, p, t)[1] * (1 + 1e-7)))
    with pytest.raises(AssertionError, match="order 1, reverse mode against forward mode"):
        ad.check_grads(np.sin, (np.ones(3),))
