"""What no program can beat on a device: its own copy of as many bytes, and its BLAS's own products of the same shapes.

Both run among the contestants of a workload, in turns with them, so that clocks and temperature are the same.
"""

from benchmarks import peers, pytorch
from benchmarks.harness import Contestant, quartiles
from benchmarks.programs.program import VALUE, flat
from benchmarks.requirements import Missing

COPY, PRODUCTS = "copy of as many bytes", "its matrix products alone"
RATES = {COPY: "TB/s", PRODUCTS: "TFLOP/s"}


def bytes_moved(program):
    """Bytes of a gradient that reads all data once and writes all gradients once."""
    params, *constants = program.data()
    return sum(x.nbytes for x in [*flat(params), *flat(params), *flat(constants)])


def operations(program):
    """Operations of the matrix products of a gradient."""
    return sum(2 * m * n * k for m, n, k in program.products)


def copied(program, place):
    """Half of the bytes read, and written elsewhere."""
    n = bytes_moved(program) // 8
    xp = place.xp
    source, target = xp.ones(n, "float32"), xp.empty(n, "float32")
    return Contestant(COPY, lambda: xp.copyto(target, source), lambda _none: [], place.wait)


def products(program, place):
    """x W twice, hᵀ e twice and e Wᵀ once, of full-rank operands; by PyTorch's calls to cuBLAS, or by the place's library."""
    [(m, n, k)] = set(program.products)
    x, w, e, forward, gradient = operands(program, place, ((m, k), (k, n), (m, n), (m, n), (k, n)))
    dot = product_of(place)

    def call():
        for _ in range(2):
            dot(x, w, forward)
            dot(x.T, e, gradient)
        return dot(e, w.T, forward)

    return Contestant(PRODUCTS, call, lambda _result: [], waiting(place))


def operands(program, place, shapes):
    if torch := cuda_torch(place):
        dtype = getattr(torch, program.dtype)
        return [torch.randn(shape, device="cuda", dtype=dtype) for shape in shapes]
    random = place.xp.random.default_rng(0)
    return [random.standard_normal(shape).astype(program.dtype) for shape in shapes]


def product_of(place):
    if torch := cuda_torch(place):
        return lambda a, b, out: torch.mm(a, b, out=out)
    return lambda a, b, out: place.xp.matmul(a, b, out=out)


def waiting(place):
    torch = cuda_torch(place)
    return (lambda _result: torch.cuda.synchronize()) if torch else place.wait


def cuda_torch(place):
    """PyTorch where it reaches the GPU of this place, else None."""
    try:
        return pytorch.on(place) if place.torch == "cuda" else None
    except Missing:
        return None


def everyone(program, task, place):
    """The ceilings of a program's task, and the reasons of those that cannot run."""
    builders = {COPY: copied} if program.moves else {PRODUCTS: products} if program.products else {}
    return peers.contestants(builders if task != VALUE else {}, program, place)


def rates(program, task, rounds):
    """{contestant: {"TB/s" or "TFLOP/s": rate of its median}}, for the bytes or operations that the program needs."""
    if task == VALUE or not (program.moves or program.products):
        return {}
    name, amount = (RATES[COPY], bytes_moved(program)) if program.moves else (RATES[PRODUCTS], operations(program))
    return {who: {name: round(amount / quartiles(times)[0] / 1e12, 3)} for who, times in rounds.items()}
