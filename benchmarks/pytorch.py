"""PyTorch as a contestant: eager, in a CUDA graph captured by hand, and compiled."""

import warnings
from itertools import cycle

from benchmarks.harness import Contestant
from benchmarks.programs.program import STEP, VALUE, flat
from benchmarks.requirements import Missing, installed, pytorch

EAGER, GRAPH, COMPILED = "PyTorch eager", "PyTorch CUDA graph", "torch.compile"
WARM = 3  # calls before a graph is captured


def rotating(function, sets):
    """() -> function(*data), each time of the next set."""
    if len(sets) == 1:
        [data] = sets
        return lambda: function(*data)
    following = cycle(sets)
    return lambda: function(*next(following))


def eager(program, task, place):
    """autograd.grad keeps no .grad to clear; a step is taken in place."""
    function, _leaves, sets = eager_function(program, task, place)
    return contestant(EAGER, rotating(function, sets), program.torch.back, place)


def eager_function(program, task, place):
    """(function of the constants, the parameters' leaves, sets of constants)."""
    torch = on(place)
    data = tensors(torch, program, place)
    params, sets = data[0][0], [constants for _params, *constants in data]
    leaves = [p.requires_grad_(task != VALUE) for p in flat(params)]
    loss = program.torch.loss(torch)

    def value_and_gradient(*constants):
        value = loss(params, *constants)
        return value, torch.autograd.grad(value, leaves)

    def step(*constants):
        value, gradients = value_and_gradient(*constants)
        with torch.no_grad():
            for p, g in zip(leaves, gradients, strict=True):
                p.sub_(g, alpha=program.rate)
        return value, leaves

    if task == VALUE:
        return (lambda *constants: loss(params, *constants)), leaves, sets
    return (step if task == STEP else value_and_gradient), leaves, sets


def cuda_graph(program, task, place):
    """The eager function, captured once and replayed; fresh constants are copied to where the graph reads them."""
    if place.torch != "cuda":
        raise Missing("needs a GPU")
    function, leaves, sets = eager_function(program, task, place)
    torch = installed("torch")
    kept = sets[0] if len(sets) == 1 else [x.clone() for x in sets[0]]
    start = [p.detach().clone() for p in leaves]
    graph, result = capture(torch, lambda: function(*kept))
    restore(torch, leaves, start)

    def replay(*constants):
        if len(sets) > 1:
            for x, fresh in zip(kept, constants, strict=True):
                x.copy_(fresh)
        graph.replay()
        return result

    return contestant(GRAPH, rotating(replay, sets), program.torch.back, place)


def capture(torch, call):
    """(graph, result): a call captured as a CUDA graph, after some that warm up on a stream of their own."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other libraries have threads of their own
        result = call()
    return graph, result


def restore(torch, leaves, start):
    """The parameters as they were before the calls that only warm up."""
    with torch.no_grad():
        for p, before in zip(leaves, start, strict=True):
            p.copy_(before)


# ---- torch.compile

def compile_(program, task, place):
    """torch.func's gradient, so that all of it is one graph; a step is taken in place. On a GPU mode="reduce-overhead".

    Parameters keep their addresses, so that its CUDA graphs need not copy them.
    """
    torch = on(place)
    data = tensors(torch, program, place)
    params, sets = data[0][0], [constants for _params, *constants in data]
    leaves = flat(params)
    if place.torch == "cuda":
        for p in leaves:
            torch._dynamo.mark_static_address(p)
    start = [p.clone() for p in leaves]
    function = compiled(torch, functional(torch, program, task), (params, *sets[0]), on_gpu=place.torch == "cuda")
    restore(torch, leaves, start)

    def call(*constants):
        found = function(params, *constants)
        return (found, params) if task == STEP else found

    return contestant(COMPILED, rotating(call, sets), program.torch.back, place)


def functional(torch, program, task):
    """The task as a function of (params, *constants); of a step it gives the value only, and changes the parameters."""
    loss = program.torch.loss(torch)
    if task == VALUE:
        return loss
    both = torch.func.grad_and_value(loss)
    if task != STEP:
        return lambda *data: both(*data)[::-1]

    def step(params, *constants):
        gradients, value = both(params, *constants)
        for p, g in zip(flat(params), flat(gradients), strict=True):
            p.sub_(g, alpha=program.rate)
        return value

    return step


def compiled(torch, function, data, on_gpu=False):
    """Compiled for these shapes, before any time is taken. On a GPU it is run until its CUDA graph is recorded."""
    torch.compiler.reset()  # else PyTorch takes the next program for this one with other shapes
    found = torch.compile(function, dynamic=False, mode="reduce-overhead" if on_gpu else None)
    call = beginning(torch, found) if on_gpu else found
    try:
        with warnings.catch_warnings(action="ignore"):
            for _ in range(WARM if on_gpu else 1):
                call(*data)
    except Exception as error:  # no compiler, or whatever it says
        raise Missing(f"torch.compile failed: {str(error).strip().splitlines()[0]}") from error
    return call


def beginning(torch, function):
    """Each call is a step of its own: what the last one returned may be written over."""
    def call(*data):
        torch.compiler.cudagraph_mark_step_begin()
        return function(*data)

    return call


# ---- all of them

def on(place):
    """PyTorch, in a place that it reaches; on a GPU in float32 as everyone, where cuDNN's default is TF32."""
    torch = pytorch()
    if place.torch == "cuda":
        if not torch.cuda.is_available():
            raise Missing("PyTorch is built without CUDA, or finds no device")
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = False, True
    return torch


def tensors(torch, program, place):
    """Sets of data, as Place.sets."""
    return place.sets(program.torch.there(program.data()), lambda x: torch.tensor(x, device=place.torch))


def contestant(name, call, back, place):
    """``back`` takes parameters or gradients from PyTorch's layout to NumPy's."""
    torch = installed("torch")

    def arrays(result):
        value, *params = (x.detach().cpu().numpy() for x in flat(result))
        return [value, *back(params)] if params else [value]

    if place.torch != "cuda":
        return Contestant(name, call, arrays, place.wait)
    return Contestant(name, call, arrays, lambda _result: torch.cuda.synchronize())
