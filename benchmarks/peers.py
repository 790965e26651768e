"""The contestants: each builder takes a program, a task and a place, and may find that it cannot run there."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, repeat
from typing import Any

import numpy as np

from benchmarks import pytorch
from benchmarks.harness import CALLS, Contestant, Expected, agree, expected
from benchmarks.programs.program import GRADIENT, STEP, VALUE, flat
from benchmarks.pytorch import rotating
from benchmarks.requirements import Missing, installed, plan, reason

EAGER, PLAN, JAX, HIPS = "gpuad eager", "gpuad plan", "JAX jit", "HIPS/autograd"
TORCH, GRAPH, COMPILED = pytorch.EAGER, pytorch.GRAPH, pytorch.COMPILED
HAND = "by hand"


class Training:
    """A training loop: each call takes one step from the parameters that the last one left, with the next set's constants."""

    def __init__(self, step, sets):
        self.step, self.params = step, sets[0][0]
        constants = [constants for _params, *constants in sets]
        self.constants = cycle(constants) if len(sets) > 1 else repeat(constants[0])

    def __call__(self):
        value, self.params = self.step(self.params, *next(self.constants))
        return value, self.params


def calling(function, task, sets):
    return Training(function, sets) if task == STEP else rotating(function, sets)


# ---- gpuad and those with its interface

def numpy_itself(program, task, place):
    """The program without gpuad; its value only."""
    return place.contestant("NumPy", calling(program.loss_over(np), task, place.sets(program.data())))


def gpuad_eager(program, task, place):
    """gpuad with a loss written with plain numpy.*"""
    function = program.task(installed("gpuad").value_and_grad, program.loss_over(np), task)
    return place.contestant(EAGER, calling(function, task, place.sets(program.data())))


def gpuad_plan(program, task, place):
    """The same program, planned at its first call; a training step may reuse the memory of the parameters that it replaces."""
    planned = plan()
    function = program.task(installed("gpuad").value_and_grad, program.loss_over(np), task)
    donate = (0,) if task == STEP else ()
    return place.contestant(PLAN, calling(planned(function, donate=donate), task, place.sets(program.data())))


def hips_autograd(program, task, place):
    autograd = installed("autograd")
    place.only_numpy("HIPS/autograd's gradients")
    function = program.task(autograd.value_and_grad, program.loss_over(installed("autograd.numpy")), task)
    return place.contestant(HIPS, calling(function, task, [program.data()]))


def jax_jit(program, task, place):
    jax, device = jax_on(place)
    sets = place.sets(program.data(), lambda x: jax.device_put(x, device))
    function = program.task(jax.value_and_grad, program.jax(jax), task)
    return in_jax(jax, calling(jax.jit(function, donate_argnums=(0,) if task == STEP else ()), task, sets), place)


def jax_on(place):
    """JAX, and its device in a place."""
    jax = installed("jax")
    jax.config.update("jax_default_matmul_precision", "highest")  # float32, as everyone: its default on a GPU is TF32
    try:
        return jax, jax.devices(place.name)[0]
    except RuntimeError as error:
        raise Missing(f"JAX finds no {place.name}") from error


def in_jax(jax, call, place):
    """On the CPU each call is awaited: JAX would otherwise run several calls at once."""
    awaited = lambda: jax.block_until_ready(call())
    arrays = lambda result: [np.asarray(x) for x in flat(result)]
    return Contestant(JAX, awaited if place.name == "cpu" else call, arrays, jax.block_until_ready)


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
    calls = [call_by_hand(name, program, task, place.xp, data) for data in place.sets(program.data())]
    return place.contestant(name, rotating(lambda call: call(), [(call,) for call in calls]) if calls[1:] else calls[0])


def call_by_hand(name, program, task, xp, data):
    gradient = program.by_hand[name](xp, *data)
    return StepByHand(gradient, data[0], program.rate) if task == STEP else gradient


def reference(program, task, place=None):
    """What every contestant's result after some calls is compared with: by hand, in float64, where a place is given, there."""
    xp, data = (np, program.data(np.float64)) if place is None else (place.xp, place.put(program.data(np.float64)))
    start = [p.copy() for p in flat(data[0])]
    call = call_by_hand(list(program.by_hand)[-1], program, task, xp, data)
    for _ in range(CALLS if task == STEP else 1):
        result = call()
    host = getattr(xp, "asnumpy", np.asarray)
    value, *rest = expected(map(host, flat(result)), program.tolerance)
    if task == VALUE:
        return [value]
    if task == GRADIENT:
        return [value, *rest]
    return [value, *(moved(p, host(x), program) for p, x in zip(rest, start, strict=True))]


def moved(parameter, start, program):
    """A parameter, allowed the rounding of the program's dtype and a small part of the way that it went."""
    rounding = 2 * CALLS * program.epsilon * np.max(np.abs(start))
    return Expected(parameter.array, rounding + program.tolerance * float(np.max(np.abs(parameter.array - start))))


# ---- all of them

LIBRARIES = {EAGER: gpuad_eager, PLAN: gpuad_plan, TORCH: pytorch.eager, GRAPH: pytorch.cuda_graph,
             COMPILED: pytorch.compile_, JAX: jax_jit, HIPS: hips_autograd}
ONLY_CPU, ONLY_GPU = (HIPS,), (GRAPH,)
BUILDERS = {
    VALUE: {"NumPy": numpy_itself, PLAN: gpuad_plan, TORCH: pytorch.eager, JAX: jax_jit},
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
        except Exception as error:
            missing[name] = reason(error)
    return present, missing


def screened(present, missing, wanted):
    """Those whose results are what is wanted, and the reasons of all others. ``wanted`` may differ by contestant's name."""
    fit = []
    for contestant in present:
        try:
            agree(contestant, wanted[contestant.name] if isinstance(wanted, dict) else wanted)
            fit.append(contestant)
        except Exception as error:
            missing = {**missing, contestant.name: reason(error)}
    return fit, missing


def elsewhere(place):
    """Contestants that are not for this place."""
    return ONLY_GPU if place.name == "cpu" else ONLY_CPU


def everyone(program, task, place, without=()):
    """Contestants and {name: reason} of one task of a program: libraries, and who wrote it by hand."""
    builders = {name: build for name, build in BUILDERS[task].items() if name not in {*without, *elsewhere(place)}}
    names = {VALUE: [], GRADIENT: list(program.by_hand), STEP: list(program.by_hand)[-1:]}[task]
    return contestants({**builders, **{name: partial(by_hand, name) for name in names}}, program, task, place)


def planned_tasks(program, place):
    """The planned value, and the planned value and gradient, as contestants of one run."""
    named = lambda name, task: lambda: replace(gpuad_plan(program, task, place), name=name)
    return contestants({name: named(name, task) for name, task in COST_TASKS.items()})
