"""The contestants: each builder takes a network and a place, and may find that it cannot run there."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import handwritten
from benchmarks.harness import Contestant, Missing
from benchmarks.networks import loss_over


@dataclass(frozen=True)
class Place:
    """Where arrays live: their library, the device's name for PyTorch and for JAX, and how to wait for it."""

    xp: ModuleType
    torch: str = "cpu"
    jax: str = "cpu"
    wait: Callable[[Any], None] = lambda _result: None

    def data(self, network):
        params, X, Y = network.data()
        return [(self.xp.asarray(W), self.xp.asarray(b)) for W, b in params], self.xp.asarray(X), self.xp.asarray(Y)

    def contestant(self, name, call):
        to_host = getattr(self.xp, "asnumpy", np.asarray)
        return Contestant(name, call, lambda result: [to_host(x) for x in flat(result)], self.wait)


def cpu():
    return Place(np)


def gpu():
    from linalg import arrays

    if reason := arrays.gpu_unavailable_reason():
        raise Missing(reason)
    cupy = arrays.cupy()
    return Place(cupy, "cuda", "gpu", lambda _result: cupy.cuda.get_current_stream().synchronize())


PLACES = {"cpu": cpu, "gpu": gpu}


def flat(result):
    value, gradients = result
    return [value, *(g for layer in gradients for g in layer)]


def installed(name):
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise Missing(f"{error.name} is not installed") from error


def gpuad(network, place):
    """gpuad with a loss written with plain numpy.*"""
    ad, data = installed("gpuad"), place.data(network)
    function = ad.value_and_grad(loss_over(np))
    return place.contestant("gpuad", lambda: function(*data))


def gpuad_namespace(network, place):
    """gpuad with a loss written over gpuad.numpy or gpuad.cupy."""
    ad, data = installed("gpuad"), place.data(network)
    namespace = f"gpuad.{place.xp.__name__}"
    function = ad.value_and_grad(loss_over(installed(namespace)))
    return place.contestant(namespace, lambda: function(*data))


def by_hand(network, place):
    data = place.data(network)
    return place.contestant("by hand", lambda: handwritten.value_and_grad(*data))


def by_hand_preallocated(network, place):
    return place.contestant("by hand, preallocated", handwritten.Preallocated(place.xp, *place.data(network)))


def hips_autograd(network, place):
    autograd = installed("autograd")
    if place.xp is not np:
        raise Missing("HIPS/autograd differentiates NumPy only")
    data = place.data(network)
    function = autograd.value_and_grad(loss_over(installed("autograd.numpy")))
    return place.contestant("HIPS/autograd", lambda: function(*data))


def pytorch_here():
    torch = installed("torch")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    return torch


def pytorch(network, place):
    """The fused spellings that PyTorch's users know: addmm and mse_loss; autograd.grad keeps no .grad to clear."""
    torch = pytorch_here()
    if place.torch == "cuda" and not torch.cuda.is_available():
        raise Missing("PyTorch is built without CUDA, or finds no device")
    params, X, Y = network.data()
    tensor = lambda x: torch.tensor(x, device=place.torch)
    layers = [(tensor(W).requires_grad_(), tensor(b).requires_grad_()) for W, b in params]
    leaves, X, Y = [p for layer in layers for p in layer], tensor(X), tensor(Y)
    addmm, tanh, mse = torch.addmm, torch.tanh, torch.nn.functional.mse_loss

    def call():
        h = X
        for W, b in layers[:-1]:
            h = tanh(addmm(b, h, W))
        W, b = layers[-1]
        loss = mse(addmm(b, h, W), Y)
        return loss, torch.autograd.grad(loss, leaves)

    arrays = lambda result: [x.detach().cpu().numpy() for x in (result[0], *result[1])]
    wait = (lambda _result: torch.cuda.synchronize()) if place.torch == "cuda" else place.wait
    return Contestant("PyTorch eager", call, arrays, wait)


def jax_jit(network, place):
    """On the CPU each call is awaited: JAX would otherwise run several calls at once."""
    jax = installed("jax")
    jax.config.update("jax_default_matmul_precision", "highest")  # float32, as everyone: its default on a GPU is TF32
    try:
        data = jax.device_put(network.data(), jax.devices(place.jax)[0])
    except RuntimeError as error:
        raise Missing(f"JAX finds no {place.jax}") from error
    function = jax.jit(jax.value_and_grad(loss_over(installed("jax.numpy"))))
    call = lambda: function(*data)
    awaited = lambda: jax.block_until_ready(function(*data))
    arrays = lambda result: [np.asarray(x) for x in flat(result)]
    return Contestant("JAX jit", awaited if place.jax == "cpu" else call, arrays, jax.block_until_ready)


BUILDERS = [gpuad, gpuad_namespace, by_hand, by_hand_preallocated, hips_autograd, pytorch, jax_jit]


def contestants(builders, *arguments):
    """The contestants that can run here, and {builder's name: reason} of the others."""
    present, missing = [], {}
    for build in builders:
        try:
            present.append(build(*arguments))
        except Missing as reason:
            missing[build.__name__.replace("_", " ")] = str(reason)
    return present, missing
