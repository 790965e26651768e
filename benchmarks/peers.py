"""The contestants: each builder takes a program, a task and a place, and may find that it cannot run there."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.harness import CALLS, Contestant, Expected, expected
from benchmarks.programs.program import GRADIENT, STEP, VALUE, flat, mapped
from benchmarks.requirements import Missing, installed, plan, pytorch

EAGER, PLAN, TORCH, COMPILED, JAX, HIPS = (
    "gpuad eager", "gpuad plan", "PyTorch eager", "torch.compile", "JAX jit", "HIPS/autograd")


class Training:
    """A training loop: each call takes one step from the parameters that the last one left."""

    def __init__(self, step, params, *constants):
        self.step, self.params, self.constants = step, params, constants

    def __call__(self):
        value, self.params = self.step(self.params, *self.constants)
        return value, self.params


def calling(function, task, data):
    return Training(function, *data) if task == STEP else lambda: function(*data)


# ---- gpuad and those with its interface

def numpy_itself(program, task, place):
    """The program without gpuad; its value only."""
    return place.contestant("NumPy", calling(program.loss_over(np), task, place.put(program.data())))


def gpuad_eager(program, task, place):
    """gpuad with a loss written with plain numpy.*"""
    function = program.task(installed("gpuad").value_and_grad, program.loss_over(np), task)
    return place.contestant(EAGER, calling(function, task, place.put(program.data())))


def gpuad_plan(program, task, place):
    """The same program, planned at its first call; a training step may reuse the memory of the parameters that it replaces."""
    planned = plan()
    place.only_numpy("plans")
    function = program.task(installed("gpuad").value_and_grad, program.loss_over(np), task)
    donate = (0,) if task == STEP else ()
    return place.contestant(PLAN, calling(planned(function, donate=donate), task, place.put(program.data())))


def hips_autograd(program, task, place):
    autograd = installed("autograd")
    place.only_numpy("HIPS/autograd's gradients")
    function = program.task(autograd.value_and_grad, program.loss_over(installed("autograd.numpy")), task)
    return place.contestant(HIPS, calling(function, task, program.data()))


def jax_jit(program, task, place):
    """On the CPU each call is awaited: JAX would otherwise run several calls at once."""
    jax = installed("jax")
    jax.config.update("jax_default_matmul_precision", "highest")  # float32, as everyone: its default on a GPU is TF32
    try:
        data = jax.device_put(program.data(), jax.devices(place.name)[0])
    except RuntimeError as error:
        raise Missing(f"JAX finds no {place.name}") from error
    function = program.task(jax.value_and_grad, program.jax(jax), task)
    call = calling(jax.jit(function, donate_argnums=(0,) if task == STEP else ()), task, data)
    awaited = lambda: jax.block_until_ready(call())
    arrays = lambda result: [np.asarray(x) for x in flat(result)]
    return Contestant(JAX, awaited if place.name == "cpu" else call, arrays, jax.block_until_ready)


# ---- PyTorch

def pytorch_eager(program, task, place):
    """autograd.grad keeps no .grad to clear; a step is taken in place."""
    torch = pytorch_on(place)
    params, *constants = tensors(torch, program, place)
    leaves = [p.requires_grad_(task != VALUE) for p in flat(params)]
    loss = program.torch.loss(torch)

    def gradient():
        value = loss(params, *constants)
        return value, torch.autograd.grad(value, leaves)

    def step():
        value, gradients = gradient()
        with torch.no_grad():
            for p, g in zip(leaves, gradients, strict=True):
                p.sub_(g, alpha=program.rate)
        return value, leaves

    call = {VALUE: lambda: loss(params, *constants), GRADIENT: gradient, STEP: step}[task]
    return torch_contestant(TORCH, call, program, place)


def torch_compile(program, task, place):
    """torch.func's gradient, so that all of it is one graph."""
    torch = pytorch_on(place)
    data = tensors(torch, program, place)
    function = program.task(value_and_grad_of(torch), program.torch.loss(torch), task)
    return torch_contestant(COMPILED, calling(compiled(torch, function, data), task, data), program, place)


def compiled(torch, function, data):
    """Compiled for these shapes, before any time is taken."""
    torch.compiler.reset()  # else PyTorch takes the next program for this one with other shapes
    found = torch.compile(function, dynamic=False)
    try:
        with warnings.catch_warnings(action="ignore"):
            found(*data)
    except Exception as error:  # no compiler, or whatever it says
        raise Missing(f"torch.compile failed: {str(error).strip().splitlines()[0]}") from error
    return found


def value_and_grad_of(torch):
    def value_and_grad(loss):
        both = torch.func.grad_and_value(loss)
        return lambda *data: both(*data)[::-1]

    return value_and_grad


def pytorch_on(place):
    torch = pytorch()
    if place.torch == "cuda" and not torch.cuda.is_available():
        raise Missing("PyTorch is built without CUDA, or finds no device")
    return torch


def tensors(torch, program, place):
    return mapped(lambda x: torch.tensor(x, device=place.torch), program.torch.there(program.data()))


def torch_contestant(name, call, program, place):
    def arrays(result):
        value, *params = (x.detach().cpu().numpy() for x in flat(result))
        return [value, *program.torch.back(params)] if params else [value]

    if place.torch != "cuda":
        return Contestant(name, call, arrays, place.wait)
    cuda = installed("torch").cuda
    return Contestant(name, call, arrays, lambda _result: cuda.synchronize())


# ---- by hand

@dataclass(frozen=True)
class StepByHand:
    """A hand-written gradient, and the step taken in place."""

    gradient: Any
    params: list
    rate: float

    def __call__(self):
        value, gradients = self.gradient()
        for p, g in zip(flat(self.params), flat(gradients), strict=True):
            g *= self.rate
            p -= g
        return value, self.params


def by_hand(name, program, task, place):
    return place.contestant(name, call_by_hand(name, program, task, place.xp, place.put(program.data())))


def call_by_hand(name, program, task, xp, data):
    gradient = program.by_hand[name](xp, *data)
    return StepByHand(gradient, data[0], program.rate) if task == STEP else gradient


def reference(program, task):
    """What every contestant's result after some calls is compared with: by hand, in float64."""
    data = program.data(np.float64)
    start = [p.copy() for p in flat(data[0])]
    call = call_by_hand(list(program.by_hand)[-1], program, task, np, data)
    for _ in range(CALLS if task == STEP else 1):
        result = call()
    value, *rest = expected(flat(result))
    if task == VALUE:
        return [value]
    return [value, *rest] if task == GRADIENT else [value, *map(moved, rest, start)]


def moved(parameter, start, tolerance=1e-4):
    """A parameter in float32, allowed its rounding and a small part of the way that it went."""
    rounding = 2 * CALLS * float(np.finfo(np.float32).eps) * np.max(np.abs(start))
    return Expected(parameter.array, rounding + tolerance * float(np.max(np.abs(parameter.array - start))))


# ---- all of them

LIBRARIES = {EAGER: gpuad_eager, PLAN: gpuad_plan, TORCH: pytorch_eager, COMPILED: torch_compile, JAX: jax_jit,
             HIPS: hips_autograd}
BUILDERS = {
    VALUE: {"NumPy": numpy_itself, PLAN: gpuad_plan, TORCH: pytorch_eager, JAX: jax_jit},
    GRADIENT: LIBRARIES,
    STEP: {name: build for name, build in LIBRARIES.items() if name != HIPS},
}
COST_TASKS = {f"{PLAN}, {task}": task for task in (VALUE, GRADIENT)}


def contestants(builders, *arguments):
    """The contestants that can run here, and {name: reason} of the others."""
    present, missing = [], {}
    for name, build in builders.items():
        try:
            present.append(build(*arguments))
        except Missing as reason:
            missing[name] = str(reason)
    return present, missing


def everyone(program, task, place):
    """Contestants and {name: reason} of one task of a program: libraries, and who wrote it by hand."""
    present, missing = contestants(BUILDERS[task], program, task, place)
    names = {VALUE: [], GRADIENT: list(program.by_hand), STEP: list(program.by_hand)[-1:]}[task]
    return [*present, *(by_hand(name, program, task, place) for name in names)], missing


def planned_tasks(program, place):
    """The planned value, and the planned value and gradient, as contestants of one run."""
    named = lambda name, task: lambda: replace(gpuad_plan(program, task, place), name=name)
    return contestants({name: named(name, task) for name, task in COST_TASKS.items()})
