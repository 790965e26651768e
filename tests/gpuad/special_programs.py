"""Programs of the catalogue: scipy.special. Functions that CuPy has no counterpart of are skipped there."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import scipy.special as sc

import gpuad as ad
from gpuad.traced import raw
from linalg.arrays import is_cupy, scipy_module
from tests.gpuad.cases import Maker, between, case, like, positive

special: Any = ad.scipy.special


def on_host(f: Callable[..., Any], *needs: str) -> Callable[..., Any]:
    """The program, skipped on CuPy where that lacks what it needs (where nothing is named: always)."""
    def program(*args: Any) -> Any:
        where = next((raw(a) for a in args if is_cupy(raw(a))), None)
        if where is not None and not (needs and all(hasattr(scipy_module("special", where), name) for name in needs)):
            pytest.skip(f"cupyx.scipy.special lacks {needs}")
        return f(*args)

    return program


def each(names: str, *makers: Maker | tuple[int, ...], kinds: str = "d", first: tuple[Any, ...] = ()) -> None:
    """One program for several functions of the same arguments, the first of which are constants."""
    functions = [getattr(sc, name) for name in names.split()]
    program = on_host(lambda *args: [f(*(like(args[0], c) for c in first), *args) for f in functions], *names.split())
    case(tuple(functions), program, *makers, kinds=kinds, name=f"special {functions[0].__name__}")


def one(name: str, f: Callable[..., Any], *makers: Maker | tuple[int, ...], kinds: str = "d", needs: str = "") -> None:
    """A program of one function."""
    case(getattr(sc, name), on_host(f, *(needs or name).split()), *makers, kinds=kinds, name=f"special {name}")


unit, wide = between(0.1, 0.9, (3,)), between(-2.5, 2.5, (2, 3))

# the gamma function and its kin
each("gamma gammaln loggamma rgamma psi", positive((2, 3)))
each("gamma loggamma rgamma psi", between(-1.7, 2.0, (3,)), kinds="D")
each("gamma gammaln rgamma psi", between(-1.8, -1.2, (2,)))
each("beta betaln poch binom", positive((2, 3)), between(0.5, 2.5, (3,)))
one("gammaln", lambda x: sc.gammaln(x) * x, positive(()))
one("polygamma", lambda x: special.polygamma(2, x) + special.polygamma(like(x, [0, 1, 3]), x), positive((2, 3)))
one("zeta", lambda x: special.zeta(3, x) + special.zeta(like(x, [2.5, 4.0]), x), positive((3, 2)))
if hasattr(sc, "_ufuncs") and hasattr(sc._ufuncs, "_zeta"):
    case((sc._ufuncs._zeta, sc._ufuncs._riemann_zeta), on_host(lambda q: sc.zeta(2.5, q)), positive((3,)), kinds="d",
         name="plain zeta")
    case(sc._ufuncs._lambertw, on_host(lambda z: sc.lambertw(z, -1)), (3,), kinds="D", name="plain lambertw")
one("multigammaln", lambda x: special.multigammaln(x, 3), between(2.0, 4.0, (2,)))
one("factorial", lambda x: special.factorial(x - 1, extend="zero"), between(0.2, 2.5, (5,)), needs="gamma")
one("comb", lambda n, k: special.comb(n, k) + special.comb(n, k, repetition=True), between(3, 5, (2, 3)), between(0.5, 2.8, (3,)),
    needs="binom")
one("perm", lambda n, k: special.perm(n, k) * n, between(3, 5, (2, 3)), between(0.5, 2.8, (3,)), needs="poch")

# the incomplete gamma and beta functions, distribution functions
each("gammainc gammaincc", between(0.3, 3.0, (2, 3)), between(0.3, 3.0, (3,)))
each("gammaincinv gammainccinv", between(0.5, 3.0, (2, 3)), unit)
each("betainc", between(0.4, 3.0, (2, 3)), between(0.4, 3.0, (3,)), unit)
each("betaincc", between(0.4, 3.0, (2, 3)), between(0.4, 3.0, (3,)), between(0.4, 0.6, ()))
each("betaincinv", between(0.7, 3.0, (3,)), between(0.7, 3.0, (3,)), unit)
one("betainccinv", lambda a, p: sc.betainccinv(a, 1.5, p), between(0.7, 3.0, (3,)), unit)
each("chdtr chdtrc", between(0.7, 3.0, (3,)), positive((3,)))
each("chdtri", between(0.7, 3.0, (3,)), unit)
each("chdtriv", unit, positive((3,)))
each("gdtr gdtrc", positive((2, 3)), positive((3,)), positive((3,)))
each("gdtrix", positive((3,)), positive((3,)), unit)
each("gdtria", unit, positive((3,)), positive((3,)))
each("gdtrib", positive((3,)), unit, positive((3,)))
each("fdtr", positive((3,)), positive((3,)), positive((3,)))
one("fdtrc", lambda m, n: sc.fdtrc(m, n, 1.5), positive((3,)), positive((3,)))
each("fdtri", positive((3,)), between(1.0, 3.0, (3,)), unit)
each("fdtridfd", positive((3,)), between(0.4, 0.5, (3,)), between(0.8, 0.9, (3,)))
each("stdtr", positive((2, 3)), between(-2.0, 2.0, (3,)))
each("stdtrit", between(1.0, 3.0, (3,)), unit)
one("stdtridf", lambda p, t: sc.stdtridf(0.85 + 0.01 * p, 1.5 + 0.1 * t), unit, unit)
one("btdtria", lambda p, b: sc.btdtria(p, b, 0.4), unit, positive((3,)))
one("btdtrib", lambda a, x: sc.btdtrib(a, 0.7, x), positive((3,)), between(0.3, 0.6, (3,)))
each("pdtr pdtrc", positive((2, 3)), first=([0, 2, 3],))
each("pdtri", unit, first=([0, 2, 1],))
each("bdtr bdtrc bdtri", between(0.3, 0.6, (2,)), first=([0, 2], [4, 5]))
each("nbdtr nbdtrc nbdtri", between(0.3, 0.6, (2,)), first=([1, 2], [4, 5]))
each("nrdtrimn", unit, positive((3,)), (3,))
one("nrdtrisd", lambda m, p, x: sc.nrdtrisd(m, p, x + 4), (3,), between(0.7, 0.9, (3,)), (3,))
one("chndtr", lambda x, c: sc.chndtr(x, 3, c), positive((3,)), positive((3,)))
each("owens_t", (2, 3), (3,))
each("tklmbda", between(-0.6, 0.6, (2, 3)), between(0.2, 1.4, (3,)))

# error functions
each("erf erfc erfcx erfi dawsn ndtr log_ndtr", wide)
each("erf erfc erfcx erfi dawsn wofz ndtr log_ndtr", between(-1, 2, (3,)), kinds="D")
each("erf erfc erfcx ndtr log_ndtr", between(-3.0, 9.0, (4,)))
case(sc.erfcx, on_host(lambda x: [sc.erfcx(x) * x, sc.dawsn(x) * x, sc.wofz(x)], "dawsn"), between(8.5, 20, (3,)),
     name="special tails")
each("erfinv", between(-0.9, 0.9, (3,)))
each("erfcinv ndtri", unit)
each("ndtri_exp", between(-6, -0.2, (3,)))
each("fresnel", wide, kinds="dD")
each("voigt_profile", wide, positive((3,)), positive((3,)))

# between elementary and special functions
each("expit log_expit exprel cosm1 sindg cosdg cotdg tandg exp10", wide)
each("expm1 log1p", between(-0.5, 2.5, (2, 3)), kinds="dD")
each("cbrt exp2 entr", positive((2, 3)))
each("logit", unit)
each("xlogy xlog1py", wide, positive((3,)), kinds="dD")
each("rel_entr kl_div boxcox boxcox1p powm1", positive((2, 3)), between(0.4, 1.5, (3,)))
each("inv_boxcox inv_boxcox1p", positive((2, 3)), between(0.4, 1.5, (3,)))
each("huber pseudo_huber", positive((2, 3)), (3,))
each("radian", (2, 3), (3,), (3,))
one("exprel", lambda x: sc.exprel(x) + sc.boxcox(abs(x), 0.0), between(-4, -1.2, (3,)))
if hasattr(sc, "softplus"):
    one("softplus", lambda x: special.softplus(x), (3,), needs="entr")
one("logsumexp", lambda x: special.logsumexp(x), (2, 3), kinds="dD")
one("logsumexp", lambda x, b: (special.logsumexp(x, axis=0, b=b), special.logsumexp(x, axis=(-1, 0), b=b, keepdims=True)), (2, 3),
    positive((3,)))
one("logsumexp", lambda x, b: special.logsumexp(x, axis=-1, b=b, return_sign=True)[0] * x[:, 0], (3, 2), between(-2, -1, (3, 1)),
    kinds="dD")
one("softmax", lambda x: (special.softmax(x), special.softmax(x, axis=(0, 2))), (2, 3, 2))
one("log_softmax", lambda x: (special.log_softmax(x), special.log_softmax(x, axis=-1)), (2, 3))

# Bessel functions
each("j0 j1 i0 i1 i0e i1e", wide)
each("j0 j1 y0 y1 k0 k1 k0e k1e i0e i1e", between(0.4, 3.0, (3,)))
each("i0e i1e k0e k1e", between(31, 50, (2,)))
each("jv jve iv ive", wide, first=([0, 1, 3],))
each("jv yv jve yve iv ive kv kve", positive((2,)), first=([0.5, 2.0],))
each("jv yv iv kv kve hankel1 hankel2 hankel1e hankel2e", between(0.7, 2, (2,)), kinds="D", first=([0.5, 2.0],))
each("yn kn", positive((3,)), first=([0, 1, 2],))
one("ive", lambda x: (sc.ive(2.5, x), sc.kve(like(x, [0.5, 1.0]), x)), between(40, 60, (2,)))
for _name in "spherical_jn spherical_yn spherical_in spherical_kn".split():
    one(_name, lambda x, f=_name: getattr(special, f)(like(x, [0, 1, 3]), x) + getattr(special, f)(2, x, derivative=True),
        between(0.6, 2.0, (3,)))
for _name in "jvp yvp h1vp h2vp ivp kvp".split():
    one(_name, lambda x, f=_name: getattr(special, f)(0.5, x, 2), between(0.6, 2.0, (3,)), kinds="D")

# functions of differential equations
each("airy", between(-2, 1, (3,)), kinds="dD")
each("itairy", (3,))
each("ber bei berp beip", between(0.5, 2, (3,)))
each("ker kei kerp keip", between(0.5, 2, (3,)))
each("kelvin", between(0.5, 2, (3,)))
each("pbdv pbvv", (2,), first=([0.5, 2.5],))
each("pbwa", (2,), first=([0.5, 1.5],))
each("struve modstruve", positive((2,)), first=([0.5, 2.0],))
each("itstruve0 itmodstruve0 it2struve0 itj0y0 iti0k0 it2j0y0 it2i0k0", positive((3,)))

# integrals, inverses, hypergeometric functions
each("exp1 expi", positive((2, 3)))
case((sc.exp1, sc.expi), on_host(lambda x: [sc.exp1(x), sc.expi(x)]), positive((3,)), kinds="D", name="complex integrals")
each("expn", positive((2, 3)), first=([0, 1, 4],))
each("sici shichi", positive((3,)), kinds="dD")
each("spence", between(0.1, 2.5, (2, 3)), kinds="dD")
each("wrightomega", (3,), kinds="dD")
one("lambertw", lambda z: (special.lambertw(z), special.lambertw(z, -1)), positive((3,)), kinds="dD")
one("hyp0f1", lambda z: sc.hyp0f1(1.5, z), wide, kinds="dD")
one("hyp1f1", lambda z: sc.hyp1f1(0.7, 1.5, z), wide, kinds="dD")
one("hyp2f1", lambda z: sc.hyp2f1(0.7, 1.2, 2.5, z), between(-0.8, 0.8, (3,)), kinds="dD")
one("hyperu", lambda z: sc.hyperu(0.7, 1.5, z), positive((3,)))
one("wright_bessel", lambda x: sc.wright_bessel(0.7, 1.5, x), positive((3,)))
if hasattr(sc, "log_wright_bessel"):
    one("log_wright_bessel", lambda x: sc.log_wright_bessel(0.7, 1.5, x), positive((3,)))

# elliptic integrals and functions
each("ellipk ellipe", between(-1.5, 0.9, (4,)))
each("ellipkm1", between(0.01, 1.5, (3,)))
each("ellipkinc ellipeinc", between(-5.0, 5.0, (2, 3)), between(-1.5, 0.8, (3,)))
each("ellipj", (2, 3), between(0.1, 0.9, (3,)))
each("elliprc", positive((3,)), positive((3,)))
each("elliprf elliprd elliprg", positive((3,)), positive((3,)), positive((3,)))
each("elliprj", positive((3,)), positive((3,)), positive((3,)), positive((3,)))
each("agm", positive((3,)), positive((3,)))

# polynomials, Legendre functions, spherical harmonics
each("eval_legendre eval_chebyt eval_chebyu eval_chebyc eval_chebys eval_sh_legendre eval_sh_chebyt eval_sh_chebyu eval_laguerre",
     between(-0.8, 0.8, (4,)), first=([0, 1, 2, 5],))
each("eval_legendre eval_chebyt eval_laguerre", between(-0.8, 0.8, (3,)), kinds="D", first=([0.0, 2.0, 3.5],))
each("eval_hermite eval_hermitenorm", (4,), first=([0, 1, 2, 5],))
each("eval_gegenbauer eval_genlaguerre", between(-0.8, 0.8, (3,)), first=([0, 1, 4], [0.5, 1.0, 2.0]))
each("eval_jacobi eval_sh_jacobi", between(-0.8, 0.8, (3,)), first=([0, 1, 4], [2.5, 2.0, 3.0], [0.5, 1.0, 2.0]))
one("assoc_laguerre", lambda x: special.assoc_laguerre(x, 3, 0.5), (3,), needs="eval_genlaguerre")
each("lpmv", between(-0.8, 0.8, (3,)), first=([0, 1, 2], [1.0, 2.0, 2.0]))
for _name in [n for n in ("legendre_p",) if hasattr(sc, n)]:
    one("legendre_p", lambda x: special.legendre_p(3, x) * special.legendre_p(like(x, [0, 1, 4]), x, diff_n=2),
        between(-0.8, 0.8, (3,)),
        needs="eval_legendre")
if hasattr(sc, "sph_harm_y"):
    one("sph_harm_y", lambda t, p: special.sph_harm_y(like(t, [0, 1, 2, 3]), like(t, [0, 1, -2, 1]), t, p),
        between(0.4, 2, (4,)), (4,))
