"""What a step of a random program may be: lines of text with places for values and settings.

A line is an expression on NumPy's names that JAX has too. ``{x}``, ``{y}``, ``{z}`` are values of the program; the other places
are settings (axes, indices, shapes, …) that fit x: see ``tests.fuzz.operations``. Words in brackets in front of a line say what
x must be: ``[off0]`` has no entry near zero, ``[complex]`` and ``[any]`` may be complex (plain lines take real values),
``[matrix]`` has two axes, and so on; ``[numpy]`` is what JAX does not take.
"""
from __future__ import annotations

ELEMENTWISE = """
np.sin({x})
np.cos({x})
np.tan(np.tanh({x}))
np.tanh({x})
np.sinh({x})
np.cosh({x})
np.arctan({x})
np.arcsin(0.9 * np.tanh({x}))
np.arccos(0.9 * np.tanh({x}))
np.arcsinh({x})
np.arccosh(1.5 + {x} * {x})
np.arctanh(0.9 * np.sin({x}))
np.exp({x})
np.exp2({x})
np.expm1({x})
np.log(1.1 + {x} * {x})
np.log1p({x} * {x})
np.log2(2 + np.cos({x}))
np.log10(2 + np.square({x}))
np.sqrt(0.5 + {x} ** 2)
[off0] np.cbrt({x})
[off0] np.reciprocal({x})
[off0] np.sqrt(np.abs({x}))
[off0] np.absolute({x})
[off0] np.fabs({x})
np.negative({x})
np.positive({x})
np.deg2rad(50 * {x})
np.rad2deg(0.02 * {x})
np.degrees(0.02 * {x})
np.radians(50 * {x})
np.sinc({x})
np.i0({x})
np.nan_to_num({x})
np.sign({x}) * {x}
np.floor({x}) + {x}
np.trunc(3 * {x}) - {x}
np.round({x}, 1) * {x}
np.rint({x}) * np.sin({x})
np.heaviside({x}, 0.5) * {x}
np.clip({x}, -0.5, 0.8)
np.maximum({x}, 0.1)
np.minimum({x}, 0.2 * {x} * {x})
np.where({x} > 0.3, {x}, 0.5 * np.sin({x}))
np.select([{x} > 0.5, {x} < -0.5], [{x}, {x} * {x}], 0.25)
np.piecewise({x}, [{x} < 0, {x} >= 0], [lambda t: t * t, lambda t: t * t * t])
np.remainder({x}, 1.7)
np.fmod({x}, 1.3)
np.modf({x})[0]
np.ldexp({x}, 2)
np.interp({x}, np.array([-2.0, -0.7, 0.4, 2.5]), np.array([0.5, -1.0, 0.3, 2.0]))
np.polyval(np.array([0.3, -0.5, 1.0]), {x})
np.unwrap(4 * {x})
{x} ** 2
{x} ** 3
[off0] {x} ** -1
(1 + {x} * {x}) ** 0.5
0.5 ** {x}
1 / (2 + {x} * {x})
-{x} + 1
2 - {x}
abs({x} - 0.123)
{x} % 2.3
np.stack([{x}, 2 * {x}]).sum(axis=0)
np.real({x}) + np.imag({x})
"""

BINARY = """
{x} + {y}
{x} - {y}
{x} * {y}
{x} / (2 + {y} * {y})
(2 + np.cos({x})) ** {y}
np.add({x}, {y})
np.subtract({x}, {y})
np.multiply({x}, {y})
np.divide({x}, np.exp({y}))
np.true_divide({x}, 1.5 + np.sin({y}))
np.power(1.2 + np.square({x}), {y})
np.float_power(1.2 + np.square({x}), {y})
np.logaddexp({x}, {y})
np.logaddexp2({x}, {y})
[off0] np.hypot({x}, {y})
[off0] np.arctan2({x}, {y})
np.copysign({x}, {y})
np.maximum({x}, {y})
np.minimum({x}, {y})
np.fmax({x}, {y})
np.fmin({x}, {y})
np.where({x} > {y}, {x}, {y} * {y})
np.where({mask}, {x}, {y})
np.clip({x}, -1 + 0.1 * {y}, 1 + 0.1 * {z})
np.remainder({x}, 2 + np.tanh({y}))
np.divmod({x}, 1.5 + np.cos({y}))[1]
np.mod({x}, 1.1 + np.square({y}))
np.select([{x} > {y}], [{x}], {y})
np.choose({choice}, [{x}, {y}], mode="clip")
np.nextafter({x}, 4.0) * {y}
np.interp({x}, np.array([-1.0, 0.2, 1.5]), np.stack([np.sum({y}), np.mean({z}), np.sum({x})]))
{x} * {y} + {z}
np.where({x} < 0, np.sin({y}), {z})
"""

REDUCTIONS = """
np.sum({x}, axis={axes}, keepdims={bool})
np.mean({x}, axis={axes}, keepdims={bool})
np.prod({x}, axis={axes}, keepdims={bool})
np.max({x}, axis={axes}, keepdims={bool})
np.min({x}, axis={axes})
np.amax({x}, axis={axis})
np.amin({x}, axis={axis}, keepdims=True)
np.var({x}, axis={axes}, keepdims={bool})
[spread] np.std({x})
[spread] np.std({x}, axis={axis}, ddof=1)
np.ptp({x}, axis={axis})
np.sum({x}, axis={axis}, where={mask})
np.mean({x} * {x}, axis={axis}, keepdims=True)
np.prod({x}, axis={axis}, where={mask})
np.max({x}, axis={axis}, initial=0.3, where={mask})
np.average({x}, axis={axis}, weights={weights})
np.nansum({x}, axis={axis})
np.nanmean({x}, axis={axis})
np.nanprod({x}, axis={axis})
np.nanmax({x}, axis={axis})
np.nanmin({x}, axis={axis})
np.nanvar({x}, axis={axis})
[spread] np.nanstd({x}, axis=None)
np.median({x}, axis={axis})
np.nanmedian({x}, axis={axis})
np.quantile({x}, 0.3, axis={axis})
np.percentile({x}, np.array([20.0, 75.0]), axis={axis})
np.nanquantile({x}, 0.6, axis={axis})
np.nanpercentile({x}, 35.0, axis={axis})
np.trapezoid({x}, axis={axis})
np.trapezoid({x}, dx=0.3, axis={axis})
np.cumsum({x}, axis={axis})
np.cumprod({x}, axis={axis})
np.cumsum({x})
np.nancumsum({x}, axis={axis})
np.nancumprod({x}, axis={axis})
np.cumulative_sum({x}, axis={axis}, include_initial={bool})
np.cumulative_prod({x}, axis={axis})
np.diff({x}, axis={axis})
np.diff({x}, n=2, axis={axis}, prepend=0.5)
np.ediff1d({x}, to_begin=0.5)
np.gradient({x}, axis={axis})
np.sort({x}, axis={axis})
np.sort({x}, axis=None)
np.partition({x}, {middle}, axis={axis}).max(axis={axis}, keepdims={bool})
np.max({x}, axis={axis}, keepdims=True) + {x}
np.log(np.sum(np.exp({x}), axis={axis}, keepdims=True))
np.exp({x} - np.max({x}, axis={axis}, keepdims=True))
[full] np.exp({x}) / np.sum(np.exp({x}), axis={axis}, keepdims=True)
[full] ({x} - np.mean({x}, axis={axis}, keepdims=True)) / np.sqrt(0.1 + np.var({x}, axis={axis}, keepdims=True))
np.take_along_axis({x}, np.argsort({x}, axis={axis}), axis={axis})
{x}.sum(axis={axis})
{x}.mean(axis={axes}, keepdims={bool})
{x}.max(axis={axis})
{x}.cumsum(axis={axis})
{x}.prod(axis={axis})
np.apply_along_axis(lambda t: np.sum(t * t) + t, {axis}, {x})
np.cov({x})
[matrix] np.cov({x}, rowvar=False)
[regular] np.corrcoef({x})
"""

SHAPES = """
[any] np.reshape({x}, {shape})
[any] np.reshape({x}, {shape}, order="F")
[any] {x}.reshape({shape})
[any] np.ravel({x})
[any] np.transpose({x}, {permutation})
[any] np.permute_dims({x}, {permutation})
[any] {x}.T
[any] np.matrix_transpose({x})
[any] np.swapaxes({x}, {axis}, {other})
[any] np.moveaxis({x}, {axis}, {other})
[any] np.rollaxis({x}, {axis})
[any] np.squeeze({x})
[any] np.expand_dims({x}, {axis})
[any] np.atleast_1d({x})
[any] np.atleast_2d({x})
[any] np.atleast_3d({x})
[any] np.broadcast_to({x}, (2, *{x}.shape))
[any] np.flip({x}, axis={axes})
[any] np.flipud({x})
[any] np.fliplr({x})
[any] np.rot90({x}, {small})
[any] np.roll({x}, {small}, axis={axis})
[any] np.roll({x}, {small})
[any] np.tile({x}, 2)
[any] np.repeat({x}, 2, axis={axis})
[any] np.repeat({x}, {counts}, axis=0)
[any] np.take({x}, {integers}, axis={axis})
[any] np.take({x}, np.array([[0, -1], [-1, 0]]))
[any] {x}[{basic}]
[any] {x}[{basic}]
[any] {x}[{integers}]
[any] {x}[..., {last}]
[any] {x}[{mask}]
[any] {x}[{first_mask}]
[any] {x}[{pairs}]
[any] {x}[None]
[any] {x}[{integers}, ..., None]
[numpy] np.extract({mask}, {x})
[numpy] np.compress({first_mask}, {x}, axis=0)
np.diag({x})
np.diag({x}, k={small})
np.diagflat({x})
[matrix] np.diagonal({x}, offset={small})
[matrix] np.trace({x})
[matrix] np.linalg.trace({x})
[matrix] np.linalg.diagonal({x})
[wide] np.tril({x})
[wide] np.triu({x}, k={small})
[numpy] np.tril(np.ravel({x}))
[numpy] np.triu({x})
np.concatenate([{x}, {y}], axis={axis})
np.concatenate([{x}, {x}, {y}], axis=None)
np.concat([{x}, {y}], axis=0)
np.stack([{x}, {x} * 2, {x}], axis={axis})
np.stack([{x}, {y}])
np.vstack([{x}, {y}])
np.hstack([{x}, {y}])
np.dstack([{x}, {y}])
np.column_stack([{x}, {y}])
np.append({x}, {y})
np.append({x}, {y}, axis={axis})
np.insert({x}, {position}, 0.5, axis={axis})
np.delete({x}, {position}, axis={axis})
np.split({x}, [1], axis={axis})[1]
np.array_split({x}, 2, axis={axis})[0]
np.hsplit({x}, [1])[0]
np.vsplit({x}, [1])[1]
np.unstack({x}, axis={axis})[0]
np.pad({x}, {small})
np.pad({x}, 1, mode="edge")
np.pad({x}, 1, mode="reflect")
np.pad({x}, 1, mode="symmetric")
np.pad({x}, 1, mode="wrap")
np.pad({x}, 1, mode="mean")
np.pad({x}, 1, mode="maximum")
np.pad({x}, (2, 1), mode="linear_ramp", end_values=0.5)
np.pad({x}, 1, constant_values=0.7)
np.block([[{x}, {y}]])
np.resize({x}, {shape})
np.meshgrid(np.ravel({x}), np.ravel({y}))[0]
[numpy] np.meshgrid({x}, {y}, indexing="ij")[1]
np.broadcast_arrays({x}, {y})[0] * {y}
np.astype({x}, np.float64)
{x}.copy()
np.copy({x})
{x}.ravel()
{x}.flatten()
{x}.squeeze()
{x}.swapaxes(0, -1)
{x}.transpose()
{x}.take({integers}, axis=0)
{x}.repeat(2)
{x}.astype(np.float64)
{x}.clip(-1, 0.7)
[matrix] {x}.diagonal()
[matrix] {x}.trace()
np.full_like({x}, 0.3) * {x}
np.zeros_like({x}) + {x}
np.ones_like({x}) - {x}
np.where(np.isfinite({x}), {x}, 0)
"""

PRODUCTS = """
{x} @ {y}
{x} @ np.transpose({y})
np.matmul({x}, np.swapaxes({y}, -1, -2))
np.dot({x}, {y})
np.dot(np.transpose({x}), {x})
np.inner({x}, {y})
np.outer({x}, {y})
np.kron({x}, {y})
np.vdot({x}, {y})
np.tensordot({x}, {y}, axes=1)
np.tensordot({x}, {y}, axes=([0], [0]))
np.tensordot({x}, {y}, axes=0)
np.einsum("...i,...i->...", {x}, {y})
np.einsum("...i,...j->...ij", {x}, {y})
[matrix] np.einsum("ij,kj->ik", {x}, {x})
[matrix] np.einsum("ij,ij->j", {x}, {x})
[square] np.einsum("ii->i", {x})
[matrix] np.einsum("ij,kj,kl->il", {x}, {x}, {x})
[matrix] np.einsum("ij->ji", {x})
[matrix] np.einsum("ij->", {x})
np.vecdot({x}, {y})
np.linalg.vecdot({x}, {y}, axis={axis})
np.matvec({x}, {y})
np.vecmat({x}, {y})
np.linalg.outer(np.ravel({x}), np.ravel({y}))
np.linalg.matmul({x}, {y})
np.linalg.tensordot({x}, {y}, axes=1)
np.linalg.multi_dot([{x}, np.transpose({x}), {x}])
np.convolve(np.ravel({x}), np.ravel({y}), mode={convolution})
np.correlate(np.ravel({x}), np.ravel({y}), mode={convolution})
np.cross({x}, {y})
np.linalg.cross({x}, {y})
{x}.dot({y})
[square] np.linalg.matrix_power({x}, 3)
np.polymul(np.ravel({x}), np.ravel({y}))
np.polyadd(np.ravel({x}), np.ravel({y}))
np.polysub(np.ravel({x}), np.ravel({y}))
np.polyder(np.ravel({x}))
np.polyint(np.ravel({x}))
np.vander(np.ravel({x}), 3)
np.poly(np.ravel({x}))
"""

# {spd} is a well conditioned symmetric matrix, {regular} a well conditioned one, made of x
MATRICES = """
[matrix] np.linalg.solve({spd}, {x})
[matrix] np.linalg.solve({regular}, {x})
[matrix] np.linalg.solve({regular}, {x}[:, 0])
[matrix] np.linalg.inv({regular})
[matrix] np.linalg.inv({spd})
[matrix] np.linalg.det({regular})
[matrix] np.linalg.slogdet({regular})[1]
[matrix] np.linalg.cholesky({spd})
[matrix] np.linalg.eigvalsh({spd})
[matrix] np.linalg.eigh({spd})[0]
[matrix] np.abs(np.linalg.eigh({spd})[1]) ** 2
[matrix] np.linalg.svd({spd}, compute_uv=False)
[matrix] np.linalg.svdvals({regular})
[matrix] np.abs(np.linalg.qr({regular})[1])
[matrix] np.abs(np.linalg.qr({regular})[0])
[matrix] np.linalg.pinv({regular})
[matrix] np.linalg.lstsq({regular}, {x})[0]
[matrix] np.linalg.matrix_power({regular}, -2)
[matrix] np.linalg.norm({regular})
[matrix] np.linalg.norm({regular}, 2)
[matrix] np.linalg.norm({regular}, "nuc")
[matrix] np.linalg.norm({regular}, 1)
[matrix] np.linalg.matrix_norm({regular})
[matrix] np.linalg.cond({regular})
[matrix] np.linalg.tensorinv({regular}, ind=1)
[matrix] np.linalg.tensorsolve({regular}, {x}[:, 0])
[off0] np.linalg.norm({x})
[off0] np.linalg.norm({x}, axis={axis}, keepdims={bool})
[off0] np.linalg.norm({x}, 3, axis={axis})
[off0] np.linalg.norm({x}, 1, axis={axis})
[off0] np.linalg.norm({x}, np.inf, axis={axis})
[off0] np.linalg.vector_norm({x}, axis={axis})
[off0] {x} / np.linalg.norm({x})
"""

COMPLEX = """
np.fft.fft({x})
np.fft.fft({x}, axis={axis})
np.fft.fft({x}, n=4, norm="ortho")
np.fft.ifft({x}, axis={axis})
np.fft.rfft({x})
np.fft.rfft({x}, axis={axis}, norm="forward")
np.fft.ihfft({x})
np.fft.fft2({x})
np.fft.rfft2({x})
[axes] np.fft.fftn({x})
{x} + 1j * {y}
{x} * (0.5 + 1j)
np.exp(1j * {x})
[complex] np.fft.fft({x}, axis={axis})
[complex] np.fft.ifft({x})
[complex] np.fft.ifft2({x})
[complex] np.fft.irfft({x})
[complex] np.fft.irfft({x}, n=5)
[complex] np.fft.irfft2({x})
[complex] np.fft.hfft({x})
[complex] np.fft.fftshift({x})
[complex] np.real({x})
[complex] np.imag({x})
[complex] np.conj({x})
[complex] np.conjugate({x}) * {x}
[complex] {x}.real
[complex] {x}.imag
[complex] {x}.conj()
[complex off0] np.abs({x})
[complex slit] np.angle({x})
[complex off0] {x} / np.abs({x})
[complex off0] 1 / {x}
[complex] {x} * {x}
[complex] {x} ** 2
[complex] np.exp({x})
[complex] np.sin({x})
[complex] np.cos({x})
[complex] np.tanh(0.3 * {x})
[complex slit] np.log({x})
[complex slit] np.sqrt({x})
[complex] np.square({x})
[complex] np.sum({x}, axis={axis})
[complex] np.mean({x}, axis={axis})
[complex] np.cumsum({x}, axis={axis})
[complex] np.prod({x}, axis={axis})
[complex] np.where({mask}, {x}, np.conj({x}))
[complex] {x} @ np.conj(np.transpose({x}))
[complex] np.einsum("...i,...i->...", {x}, np.conj({x}))
[complex] np.vdot({x}, {x})
[complex] np.dot({x}, np.transpose({x}))
[complex] np.stack([{x}, np.conj({x})])
[complex] np.concatenate([{x}, {x}], axis={axis})
[complex] np.flip({x})
[complex matrix] np.linalg.solve({x} @ np.conj({x}.T) + 2 * np.eye({rows}), {x})
[complex matrix] np.linalg.inv({x} @ np.conj({x}.T) + 2 * np.eye({rows}))
[complex matrix] np.linalg.eigvalsh({x} @ np.conj({x}.T) + np.diag(np.arange(1.0, {rows} + 1)))
[complex matrix] np.linalg.cholesky({x} @ np.conj({x}.T) + 2 * np.eye({rows}))
[complex off0] np.linalg.norm({x})
[complex] {x} + {y}
[complex] {x} * {y}
[complex] {x} - np.conj({y})
"""

SPECIAL = """
special.erf({x})
special.erfc({x})
special.expit({x})
special.logit(0.5 + 0.4 * np.sin({x}))
special.log_expit({x})
special.ndtr({x})
special.log_ndtr({x})
special.ndtri(0.5 + 0.4 * np.sin({x}))
special.erfinv(0.9 * np.sin({x}))
special.gammaln(1.2 + {x} * {x})
special.gamma(1.2 + np.cos({x}))
special.digamma(1.2 + {x} * {x})
special.polygamma(1, 1.2 + {x} * {x})
special.xlogy({x}, 1.5 + np.cos({y}))
special.xlog1py({x}, np.square({y}))
special.entr(0.5 + np.square({x}))
special.rel_entr(0.5 + np.square({x}), 1 + np.square({y}))
special.kl_div(0.5 + np.square({x}), 1 + np.square({y}))
special.betaln(1 + np.square({x}), 1.5 + np.square({y}))
special.gammainc(1.5, 0.3 + np.square({x}))
special.gammaincc(1.5, 0.3 + np.square({x}))
special.betainc(1.2, 2.1, 0.5 + 0.4 * np.sin({x}))
special.i0({x})
special.i0e({x})
special.i1({x})
special.i1e({x})
special.sinc({x})
special.logsumexp({x})
special.logsumexp({x}, axis={axis}, keepdims={bool})
special.softmax({x}, axis={axis})
special.log_softmax({x}, axis={axis})
special.expn(2, 0.3 + np.square({x}))
special.exp1(0.3 + np.square({x}))
special.expi(0.3 + np.square({x}))
special.multigammaln(2.5 + np.square({x}), 2)
special.zeta(2.5, 0.7 + np.square({x}))
"""

IN_PLACE = """
put({x}, ({basic},), 0.5)
put({x}, ({basic},), np.sum({y}))
put({x}, {mask}, 0.25)
put({x}, ({last_entry},), np.sum({y} * {y}))
[numpy] put({x}, ({last_entry},), {y} * {y})
put({x}, (slice(1, None),), np.mean({y}))
put({x}, (0,), {x}[-1])
put({x}, (Ellipsis,), {y})
"""

FAMILIES: dict[str, tuple[int, list[str]]] = {
    name: (weight, [line for line in lines.strip().split("\n") if line]) for name, weight, lines in (
        ("elementwise", 20, ELEMENTWISE), ("binary", 20, BINARY), ("reductions", 16, REDUCTIONS), ("shapes", 18, SHAPES),
        ("products", 10, PRODUCTS), ("matrices", 8, MATRICES), ("complex", 8, COMPLEX), ("special", 5, SPECIAL),
        ("in place", 4, IN_PLACE))}
"""Family -> (how often it is drawn, its lines)."""
