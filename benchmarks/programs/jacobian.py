"""The Jacobian, 64 × 64, of a tanh network 64-64-64 at one point: one solve with many right-hand sides."""

import numpy as np

from benchmarks import peers
from benchmarks.harness import Contestant, expected
from benchmarks.programs.networks import initial, outputs_over, rounded
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


def contestant(name, function, arguments=None, convert=np.asarray):
    arguments = data() if arguments is None else arguments
    return Contestant(name, lambda: function(*arguments), lambda result: [convert(result)])


def gpuad_eager():
    return contestant(peers.EAGER, installed("gpuad").jacobian(function_over(np)))


def gpuad_plan():
    return contestant(peers.PLAN, plan()(installed("gpuad").jacobian(function_over(np))))


def hips_autograd():
    jacobian = installed("autograd").jacobian
    return contestant(peers.HIPS, jacobian(function_over(installed("autograd.numpy"))))


def jax_jit():
    jax = installed("jax")
    compiled = jax.jit(jax.jacrev(function_over(jax.numpy)))
    return contestant(peers.JAX, lambda *arguments: jax.block_until_ready(compiled(*arguments)), jax.device_put(data()))


def pytorch_eager():
    return in_torch(peers.TORCH, peers.pytorch(), lambda function: function)


def torch_compile():
    torch = peers.pytorch()
    return in_torch(peers.COMPILED, torch, lambda function: peers.compiled(torch, function, torch_data(torch)))


def in_torch(name, torch, compiled):
    """jacrev pulls all 64 cotangents back at once."""
    function = lambda x, params: torch.func.jacrev(outputs_in(torch))(x, params)
    return contestant(name, compiled(function), torch_data(torch), lambda result: result.numpy())


def outputs_in(torch):
    def outputs(x, params):
        (W1, b1), (W2, b2) = params
        return torch.addmv(b2, W2.T, torch.tanh(torch.addmv(b1, W1.T, x)))

    return outputs


def torch_data(torch):
    return peers.mapped(torch.tensor, data())


def everyone():
    builders = {peers.EAGER: gpuad_eager, peers.PLAN: gpuad_plan, peers.TORCH: pytorch_eager,
                peers.COMPILED: torch_compile, peers.JAX: jax_jit, peers.HIPS: hips_autograd}
    present, missing = peers.contestants(builders)
    return [*present, contestant("by hand", by_hand)], missing


def reference():
    return expected([by_hand(*data(np.float64))])
