"""In-place programs: an array that is written to becomes another variable, and so do all arrays that share its memory.

Traced arrays hold values that nobody changes, and rows are never taken back. ``x[i] = v`` therefore makes a new row,
:func:`~gpuad.primitives.assignment.assign`, which x stands for from then on. What NumPy's views do then follows from what
they are: a view is read from its parent by a linear map (a getter), and what is written to it is put back into the parent
(a putter), and so on up to the array that owns the memory; all views of that are read again from it.
"""
from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from gpuad.traced import NO_PROGRAM, STAND_INS, TracedArray, is_scalar, raw
from linalg.arrays import namespace


class Kind(NamedTuple):
    """A way to be a view: ``get(parent, key) -> view`` and ``put(parent, view, key) -> new parent``, which write to nothing."""

    get: Callable[[Any, Any], Any]
    put: Callable[[Any, Any, Any], Any]


class Link(NamedTuple):
    """What a view is a view of, and how."""

    parent: Any
    kind: Kind
    key: Any


def view(child: Any, parent: Any, kind: Kind, key: Any) -> Any:
    """The child, which from now on is a view of the parent (where both stand in for arrays)."""
    if type(parent) not in STAND_INS or child is parent:
        return child
    if type(parent) is TracedArray and parent.program is NO_PROGRAM:  # what is written to the view is written to the parent
        child = TracedArray(child, NO_PROGRAM, -1)
    child.link = Link(parent, kind, key)
    views = getattr(parent, "views", None)
    if views is None:
        parent.views = [weakref.ref(child)]
        return child
    if len(views) >= 32 and not len(views) & (len(views) - 1):  # a power of two: forget those that are no more
        views[:] = [known for known in views if known() is not None]
    views.append(weakref.ref(child))
    return child


def is_view_of(child: Any, parent: Any) -> bool:
    """Whether a child is read from the memory of a parent, which it was not (a copy) where a layout did not allow it."""
    child, parent = raw(child), raw(parent)
    values = [getattr(x, "value", x) for x in (child, parent)]
    return namespace(*values).may_share_memory(*values)


def is_contiguous(x: Any, order: str) -> bool:
    """Whether the entries of an array lie in memory in C order (or F), without gaps."""
    x = raw(x)
    flags = getattr(getattr(x, "value", x), "flags", None)
    return flags is None or (flags.f_contiguous if order == "F" else flags.c_contiguous)


def own(out: Any, order: str = "K") -> Any:
    """A result under a name of its own: what is written to it does not change what it was made of."""
    if type(out) in STAND_INS:
        return out.copy(order)
    return type(out)([own(part, order) for part in out]) if type(out) in (list, tuple) else out


def lies_in_rows(args: Any) -> bool:
    """Whether the arrays among arguments lie in C order: then NumPy's new arrays do."""
    return all(lies_in_rows(a) if type(a) in (list, tuple) else type(a) not in STAND_INS or is_contiguous(a, "C") for a in args)


def write(x: Any, new: Any, convert: Callable[[Any, Any], Any]) -> None:
    """x becomes ``new``, an array of its shape and dtype, and so does the memory that x is a view of, with all its views.

    ``convert(x, new)`` copies new into an array with the layout of x.
    """
    node = x
    while (link := getattr(node, "link", None)) is not None:
        new = link.kind.put(link.parent, new, link.key)
        node = link.parent
    if _strides(new) != _strides(node) or is_scalar(new) is not is_scalar(node):  # on which depend views that are made later
        new = convert(node, new)
    node.become(new)
    _refresh(node)


def _refresh(parent: Any) -> None:
    """Read the views of an array again."""
    for known in list(getattr(parent, "views", None) or ()):  # views that are read again enter themselves
        if (child := known()) is not None and child.link.parent is parent:
            child.become(child.link.kind.get(parent, child.link.key))
            _refresh(child)


def _strides(x: Any) -> Any:
    x = raw(x)
    return getattr(getattr(x, "value", x), "strides", None)


__all__ = ["Kind", "Link", "is_contiguous", "is_view_of", "lies_in_rows", "own", "view", "write"]
