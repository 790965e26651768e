"""plan(f): a function that is traced and analysed once for given shapes and dtypes, and then run without tracing."""
from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

import numpy as np
import optree

from gpuad.errors import PlanError, out_of_memory
from gpuad.planning.donation import Donation
from gpuad.planning.host import Runner, Schedule
from gpuad.planning.passes import analyse
from gpuad.planning.program import Program
from gpuad.planning.report import Report
from gpuad.planning.structure import Unpack, guard, orders, unpacker
from gpuad.planning.trace import Generators, trace
from gpuad.traced import STAND_INS
from linalg.arrays import device_of, is_borrowing, is_cupy

Argnums = int | Sequence[int]

CACHE_SIZE = 32
"""Analyses that a plan keeps; the one that was used longest ago goes first."""


def plan(f: Callable[..., Any] | None = None, *, static_argnums: Argnums = (), donate: Argnums = (),
         deterministic: bool = False) -> Any:
    """f, traced and analysed once for the shapes and dtypes of its arguments, and afterwards run without tracing.

    f is a function of pytrees of arrays, numbers and random generators, and may contain derivatives, a whole training step.
    Its results are those of f to rounding. It is used as a function or as a decorator, ``@plan`` or ``@plan(donate=0)``.

    - ``static_argnums``: positional arguments that are settings (hashable: axes, sizes, flags, functions). Each value has a
      program of its own.
    - ``donate``: positional arguments whose arrays may be written over: results of their shape and dtype lie in their memory.
    - ``deterministic``: on the device, the same bits at every run. (On the host they always are, with one number of threads.)

    What the function does besides giving a result (printing, appending to lists) happens when it is traced, twice, and not
    when it is run. Whatever changes from call to call is passed as an argument: what the function computes without its arguments
    is computed when it is traced (arrays from outside are not copied, and where they meet arguments they are read at each run).
    Results are the caller's own: an array is written again only once nobody holds it.

    Raises PlanError where values steer Python (``if x > 0``), where something would be frozen that changes from run to run
    (random numbers, times), and where the shape of a result depends on values. TypeError for other arguments than arrays,
    numbers and generators, ValueError where donated arrays cannot be written over or overlap with other arguments.

    >>> import numpy as np, gpuad as ad
    >>> slope = ad.plan(ad.grad(lambda x: np.sum(np.sin(x))))
    >>> slope(np.zeros(3))
    array([1., 1., 1.])
    """
    if f is None:
        return partial(plan, static_argnums=static_argnums, donate=donate, deterministic=deterministic)
    if not callable(f):
        raise TypeError(f"plan expected a function, got {type(f).__name__}: write plan(f)(x), not plan(f(x))")
    return Plan(f, _numbers(static_argnums, "static_argnums"), _numbers(donate, "donate"), bool(deterministic))


def _numbers(argnums: Argnums, name: str) -> tuple[int, ...]:
    given = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in given):
        raise TypeError(f"plan expected {name} to be an integer or a tuple of integers, got {argnums!r}")
    return tuple(int(n) for n in given)


class Plan:
    """A planned function. ``program`` is the last analysed Program, ``source`` its host schedule as Python text."""

    def __init__(self, f: Callable[..., Any], static: tuple[int, ...], donate: tuple[int, ...], deterministic: bool = False):
        if shared := set(static) & set(donate):
            raise ValueError(f"plan: arguments {sorted(shared)} are both static and donated; static ones are no arrays")
        self._f, self._static, self._donate, self._deterministic = f, static, donate, deterministic
        self._entries: OrderedDict[Any, Entry] = OrderedDict()
        self._last: Entry | None = None
        self._lock = threading.RLock()
        self._analyses = 0
        update_wrapper(self, f, updated=())  # f may be made of another plan, whose attributes are not ours
        self.name = getattr(f, "__name__", type(f).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        entry = self._last
        try:
            if entry is None or kwargs or is_borrowing() or (leaves := entry.unpack(args)) is None:
                return self._slow(args, kwargs)
            return entry(leaves)
        except MemoryError as error:
            if (found := out_of_memory(error, f"plan({self.name})")) is error:
                raise
            raise found from error

    def __get__(self, instance: Any, _owner: Any = None) -> Any:
        return self if instance is None else partial(self, instance)

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call whose arguments have to be looked at: of other shapes than the last, or with static ones."""
        if is_borrowing():
            return self._f(*args, **kwargs)  # a part of another plan, whose arrays it may read from outside
        static, rest = self._split(args)
        given: Any = (rest, kwargs)
        leaves, tree = optree.tree_flatten(given)
        if any(type(x) in STAND_INS for x in leaves):
            return self._f(*args, **kwargs)  # a part of a program that is being traced
        leaves = [self._leaf(x, i, given) for i, x in enumerate(leaves)]
        self._require_one_place(leaves, given)
        key = (static, tree, orders(given), tuple(_key(x) for x in leaves))
        try:
            entry = self._entries.get(key)
        except TypeError as error:
            given = ", ".join(f"{type(v.value).__name__} as argument {i}" for i, v in static)
            raise TypeError(f"plan({self.name}): expected hashable static arguments, got {given}; pass tuples for lists, and "
                            "arrays as arguments that are not static") from error
        if entry is None or not entry.fits(*leaves):
            entry = self._analyse(key, args, kwargs, static, leaves, tree)
        self._last = entry
        return entry(leaves)

    def _leaf(self, x: Any, i: int, given: Any) -> Any:
        """A leaf of the arguments as a plan takes it."""
        if type(x) in (bool, int, float, complex) or isinstance(x, Generators):
            return x
        if isinstance(x, np.memmap):
            x = x.view(np.ndarray)
        if (type(x) is np.ndarray or isinstance(x, np.generic) or is_cupy(x)) and x.dtype.kind in "fciub":
            return x
        kind = type(x)
        what = f"{kind.__module__}.{kind.__name__}" + (f" of dtype {x.dtype}" if hasattr(x, "dtype") else f" {x!r}"[:60])
        raise TypeError(f"plan({self.name}): argument {self._place(given, i)}: expected an array, a number or a random "
                        f"generator, got {what}. Name settings, such as a method's self, in static_argnums, which are passed by "
                        "position; convert other arrays with numpy.asarray(x)")

    def _require_one_place(self, leaves: list[Any], given: Any) -> None:
        """Raise TypeError unless all arrays among the arguments lie on the host, or on one device."""
        arrays = [(i, x) for i, x in enumerate(leaves) if isinstance(x, np.ndarray) or is_cupy(x)]
        places = {i: device_of(x) for i, x in arrays}
        if len(set(places.values())) <= 1:
            return
        said = ", ".join(f"{self._place(given, i)} on {'the host' if place is None else f'device {place}'}"
                         for i, place in places.items())
        raise TypeError(f"plan({self.name}): expected arrays of one library and one device, got arguments {said}; move some of "
                        "them first, with cupy.asarray(x) or cupy.asnumpy(x)")

    def _place(self, given: Any, i: int) -> str:
        """Where a leaf stands in the call, as ``0['w']`` or ``scale``."""
        by_name, name, *inside = optree.tree_paths(given)[i]
        if not by_name:
            n = len(given[0]) + len(self._static)
            name = [k for k in range(n) if k not in {m % n for m in self._static}][name]
        return f"{name}" + "".join(f"[{p!r}]" for p in inside)

    def _split(self, args: tuple[Any, ...]) -> tuple[tuple[tuple[int, Any], ...], tuple[Any, ...]]:
        """((position, value) of the static arguments, the others)."""
        if not self._static and not self._donate:
            return (), args
        for name, numbers in (("static_argnums", self._static), ("donate", self._donate)):
            if any(not -len(args) <= n < len(args) for n in numbers):
                raise ValueError(f"plan({self.name}): {name}={numbers} is out of range for a call with {len(args)} "
                                 "positional arguments; they are passed by position")
        places = {n % len(args) for n in self._static}
        return (tuple((i, _Static(args[i])) for i in sorted(places)), tuple(a for i, a in enumerate(args) if i not in places))

    def _analyse(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], static: Any, leaves: list[Any],
                 tree: optree.PyTreeSpec) -> Entry:
        with self._lock:
            if (entry := self._entries.get(key)) is not None and entry.fits(*leaves):
                return entry  # another thread was quicker

            def rebuild(new: Sequence[Any]) -> tuple[Any, Any]:
                rest, named = optree.tree_unflatten(tree, new)
                given = list(rest)
                for i, value in static:
                    given.insert(i, value.value)
                return given, named

            traced, out_tree = trace(self._f, leaves, rebuild, self.name)
            if traced.on_device and any(isinstance(x, np.ndarray) for x in leaves):
                raise TypeError(f"plan({self.name}): expected CuPy arrays as arguments of a function that computes with CuPy's, "
                                "got NumPy's; move them first, with cupy.asarray(x)")
            quick = not kwargs and all(value.is_constant for _, value in static)
            like = next(filter(is_cupy, leaves), None)
            unpack = unpacker(args if quick else (), traced, [i for i, _ in static] if quick else (), like)
            donated = self._donated(len(args), tree, leaves)
            entry = Entry(self.name, traced, (guard(traced, like), unpack), out_tree, donated,
                          *_schedule(traced, donated, self._deterministic))
            self._entries[key] = entry
            while len(self._entries) > CACHE_SIZE:
                self._entries.popitem(last=False)
            self._analyses += 1
            if self._analyses >= 8 and self._analyses & (self._analyses - 1) == 0:
                warnings.warn(f"plan({self.name}) has analysed its function {self._analyses} times: each new structure, shape, "
                              "dtype or static argument needs an analysis. Pad arrays to a few shapes, pass numbers that change "
                              "as arguments that are not static, or call the function without ad.plan", RuntimeWarning,
                              stacklevel=4)
            return entry

    def _donated(self, n_args: int, tree: optree.PyTreeSpec, leaves: list[Any]) -> list[int]:
        """The leaves of the donated arguments."""
        if not self._donate:
            return []
        static = {n % n_args for n in self._static}
        rest = [i for i in range(n_args) if i not in static]
        wanted = {rest.index(n % n_args) for n in self._donate}
        starts, at = [], 0
        for child in tree.child(0).children():
            starts.append(range(at, at + child.num_leaves))
            at += child.num_leaves
        return [i for k in sorted(wanted) for i in starts[k] if isinstance(leaves[i], np.ndarray) or is_cupy(leaves[i])]

    # ---- what one can look at

    def _entry(self) -> Entry:
        if self._last is None:
            raise PlanError(f"plan({self.name}) has not been called yet: a program is made by the first call, for its shapes")
        return self._last

    @property
    def program(self) -> Program:
        """The analysed program of the last call."""
        return self._entry().schedule.program

    @property
    def source(self) -> str:
        """The host schedule of the last call: the NumPy program that runs, as Python text."""
        return self._entry().schedule.source

    def report(self) -> Any:
        """What analysis made of the program: rows, supernodes or launches, buffers, bytes, operations."""
        entry = self._entry()
        return entry.report(self.name)

    def draw(self, ax: Any = None) -> Any:
        """Draw the schedule of the last call: its steps in time and the buffers that they use; gives the matplotlib figure."""
        from gpuad.planning.picture import draw

        schedule = self._entry().schedule
        return draw(getattr(schedule, "placed", schedule), ax)

    def __reduce__(self) -> Any:
        return Plan, (self._f, self._static, self._donate, self._deterministic)  # a copy analyses anew

    def __repr__(self) -> str:
        return f"plan({self.name})"


class _Static:
    """A static argument: compared by value and type, so that 1, 1.0 and True have programs of their own."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any):
        self.value, self.key = value, _static_key(value)

    @property
    def is_constant(self) -> bool:
        """Whether the same object will always have the same key."""
        kind: Any = type(self.value)
        return kind in (bool, int, float, complex, str, bytes, type(None)) or kind.__hash__ is object.__hash__

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: Any) -> bool:
        return bool(self.key == other.key)


def _static_key(value: Any) -> Any:
    """A value with its type and those of its parts; numbers as they are written, which tells zeros apart and finds NaN again."""
    if isinstance(value, (tuple, frozenset)):
        return type(value), tuple(map(_static_key, value))
    return type(value), repr(value) if type(value) in (float, complex) else value


def _key(x: Any) -> Any:
    """What tells apart leaves that need programs of their own."""
    if is_cupy(x):
        return type(x), x.shape, x.dtype, device_of(x)
    return (type(x), x.shape, x.dtype) if isinstance(x, (np.ndarray, np.generic)) else type(x)


def _schedule(traced: Program, donated: list[int], deterministic: bool) -> tuple[Any, Callable[[Any], Any]]:
    """The schedule of a program, and what makes runners of it."""
    if not traced.on_device:
        return Schedule(analyse(traced), donated), Runner
    from gpuad.planning.device.runner import DeviceRunner
    from gpuad.planning.device.schedule import DeviceSchedule

    return DeviceSchedule(analyse(traced), donated, deterministic), DeviceRunner


class Entry:
    """A program and its schedule for arguments of one structure, and runners that no thread uses at the moment."""

    def __init__(self, name: str, traced: Program, structure: tuple[Callable[..., bool], Unpack], out_tree: optree.PyTreeSpec,
                 donated: list[int], schedule: Any, make_runner: Callable[[Any], Any]):
        self.traced, self.out_tree = traced, out_tree
        self.schedule, self._make_runner = schedule, make_runner
        self.donation = Donation(name, donated, traced.captured) if donated else None
        self.fits, self.unpack = structure
        self._idle: list[Any] = []

    def report(self, name: str) -> Any:
        """What became of the program."""
        if isinstance(self.schedule, Schedule):
            return Report.of(name, self.traced, self.schedule)
        from gpuad.planning.device.report import DeviceReport

        return DeviceReport.of(name, self.traced, self.schedule)

    def __call__(self, leaves: list[Any]) -> Any:
        if self.donation is not None:
            self.donation.check(leaves)
        idle = self._idle
        try:
            runner = idle.pop()
        except IndexError:
            runner = self._make_runner(self.schedule)
        try:
            outputs = runner(leaves)
        except MemoryError:
            runner = None  # whose memory may be what is missing
            raise
        finally:
            if runner is not None:
                idle.append(runner)
        return optree.tree_unflatten(self.out_tree, outputs)


__all__ = ["Plan", "plan"]
