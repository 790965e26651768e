"""The Jacobian, 64 × 64, of a tanh network 64-64-64 at one point: one solve with many right-hand sides."""

import numpy as np

from benchmarks import peers, pytorch
from benchmarks.harness import expected
from benchmarks.programs.networks import initial, outputs_over, rounded
from benchmarks.programs.program import mapped
from benchmarks.requirements import installed, plan

NAME, ABOUT = "Jacobian 64-64-64", "Jacobian 64-64-64: of a tanh network's 64 outputs by its 64 inputs, at one point"


def data(dtype=np.float32):
    """x, params."""
    random = np.random.default_rng(2024)
    return rounded(random.normal(size=64), dtype), initial(random, (64, 64, 64), dtype)


def function_over(np):
    outputs = outputs_over(np)
    return lambda x, params: outputs(params, x)


def by_hand(x, params):
    """W₂ᵀ diag(1 − h²) W₁ᵀ."""
    (W1, b1), (W2, _b2) = params
    h = np.tanh(x @ W1 + b1)
    return (W1 * (1 - h * h) @ W2).T


def contestant(name, function, place):
    arguments = place.put(data())
    return place.contestant(name, lambda: function(*arguments))


def gpuad_eager(place):
    return contestant(peers.EAGER, installed("gpuad").jacobian(function_over(np)), place)


def gpuad_plan(place):
    return contestant(peers.PLAN, plan()(installed("gpuad").jacobian(function_over(np))), place)


def handwritten(place):
    return contestant(peers.HAND, by_hand, place)


def hips_autograd(place):
    place.only_numpy("HIPS/autograd's gradients")
    jacobian = installed("autograd").jacobian
    return contestant(peers.HIPS, jacobian(function_over(installed("autograd.numpy"))), place)


def jax_jit(place):
    jax, device = peers.jax_on(place)
    compiled, arguments = jax.jit(jax.jacrev(function_over(jax.numpy))), jax.device_put(data(), device)
    return peers.in_jax(jax, lambda: compiled(*arguments), place)


# ---- PyTorch: jacrev pulls all 64 cotangents back at once

def pytorch_eager(place):
    return in_torch(peers.TORCH, place, lambda _torch, function, _arguments: function)


def cuda_graph(place):
    return in_torch(peers.GRAPH, place, captured)


def torch_compile(place):
    compiled = lambda torch, function, arguments: pytorch.compiled(torch, function, arguments, place.torch == "cuda")
    return in_torch(peers.COMPILED, place, compiled)


def captured(torch, function, arguments):
    graph, result = pytorch.capture(torch, lambda: function(*arguments))
    return lambda *_same: (graph.replay(), result)[1]


def in_torch(name, place, prepared):
    torch = pytorch.on(place)
    arguments = mapped(lambda x: torch.tensor(x, device=place.torch), data())
    function = prepared(torch, torch.func.jacrev(outputs_in(torch)), arguments)
    return pytorch.contestant(name, lambda: function(*arguments), lambda found: found, place)


def outputs_in(torch):
    def outputs(x, params):
        (W1, b1), (W2, b2) = params
        return torch.addmv(b2, W2.T, torch.tanh(torch.addmv(b1, W1.T, x)))

    return outputs


BUILDERS = {peers.EAGER: gpuad_eager, peers.PLAN: gpuad_plan, peers.TORCH: pytorch_eager, peers.GRAPH: cuda_graph,
            peers.COMPILED: torch_compile, peers.JAX: jax_jit, peers.HIPS: hips_autograd, peers.HAND: handwritten}


def everyone(place, without=()):
    elsewhere = {*without, *peers.elsewhere(place)}
    return peers.contestants({name: build for name, build in BUILDERS.items() if name not in elsewhere}, place)


def reference():
    return expected([by_hand(*data(np.float64))])
