"""Where to draw the nodes and edges of a directed acyclic graph: in layers, as Sugiyama, Tagawa and Toda (1981) do."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
Edge = tuple[int, int]

SWEEPS = 12


def layered(n: int, edges: Sequence[Edge]) -> tuple[list[Point], dict[Edge, list[Point]]]:
    """Places (x, y) of nodes 0 … n − 1, and for each edge (from, to), from < to, the points that its curve goes through.

    x is the length of the longest path to a node. An edge over several layers keeps a place free in each of them. Edges that
    meet at a node end a little above one another.
    """
    layer = _layers(n, edges)
    chains, layer = _with_bends(edges, layer)
    before, after = _neighbours(len(layer), chains.values())
    ranks = _ordered(layer, before, after)
    y = _heights(ranks, before, after)
    paths = {}
    for edge, chain in chains.items():
        start, end = _port(chain[1], after[chain[0]], y), _port(chain[-2], before[chain[-1]], y)
        inner = [(float(layer[v]), y[v]) for v in chain[1:-1]]
        paths[edge] = [(float(layer[edge[0]]), y[edge[0]] + start), *inner, (float(layer[edge[1]]), y[edge[1]] + end)]
    return [(float(layer[v]), y[v]) for v in range(n)], paths


def _port(v: int, neighbours: list[int], y: list[float]) -> float:
    """How far from a node's middle the edge to this neighbour ends."""
    order = sorted(neighbours, key=lambda u: (y[u], u))
    return min(0.2, 0.5 / len(order)) * (order.index(v) - (len(order) - 1) / 2)


def _layers(n: int, edges: Sequence[Edge]) -> list[int]:
    layer = [0] * n
    for j, i in sorted(edges, key=lambda edge: edge[1]):
        layer[i] = max(layer[i], layer[j] + 1)
    for j in range(n - 1, -1, -1):  # what waits moves to where it is used
        users = [layer[i] for k, i in edges if k == j]
        if users and not any(i == j for _, i in edges):
            layer[j] = min(users) - 1
    return layer


def _with_bends(edges: Sequence[Edge], layer: list[int]) -> tuple[dict[Edge, list[int]], list[int]]:
    """Each edge as a chain of nodes in adjacent layers; the new ones are numbered from n."""
    layer, chains = list(layer), {}
    for j, i in edges:
        bends = range(layer[j] + 1, layer[i])
        chains[j, i] = [j, *range(len(layer), len(layer) + len(bends)), i]
        layer += bends
    return chains, layer


def _neighbours(n: int, chains: object) -> tuple[list[list[int]], list[list[int]]]:
    before: list[list[int]] = [[] for _ in range(n)]
    after: list[list[int]] = [[] for _ in range(n)]
    for chain in chains:  # type: ignore[attr-defined]
        for u, v in pairwise(chain):
            before[v].append(u)
            after[u].append(v)
    return before, after


def _ordered(layer: list[int], before: list[list[int]], after: list[list[int]]) -> list[list[int]]:
    """The nodes of each layer, in an order in which few edges cross: by the mean position of neighbours, back and forth."""
    ranks: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for v, x in enumerate(layer):
        ranks[x].append(v)
    position = {v: float(k) for rank in ranks for k, v in enumerate(rank)}
    best = [list(rank) for rank in ranks]
    fewest = _crossings(ranks, position, after)
    for sweep in range(SWEEPS):
        near = before if sweep % 2 == 0 else after
        for rank in ranks if sweep % 2 == 0 else reversed(ranks):
            rank.sort(key=lambda v: _mean(position, near[v], position[v]))
            position.update((v, float(k)) for k, v in enumerate(rank))
        crossings = _crossings(ranks, position, after)
        if crossings < fewest:
            best, fewest = [list(rank) for rank in ranks], crossings
    return best


def _crossings(ranks: list[list[int]], position: dict[int, float], after: list[list[int]]) -> int:
    count = 0
    for rank in ranks:
        ends = [(position[u], position[v]) for u in rank for v in after[u]]
        count += sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for k, a in enumerate(ends) for b in ends[:k])
    return count


def _mean(position: dict[int, float], nodes: list[int], own: float) -> float:
    return sum(position[v] for v in nodes) / len(nodes) if nodes else own


def _heights(ranks: list[list[int]], before: list[list[int]], after: list[list[int]]) -> list[float]:
    """Heights that keep the order and a distance of one in each layer, and bring each node near its neighbours.

    What has one neighbour only comes to that, and hardly draws it: a chain stays straight where parameters enter it.
    """
    y = {v: k - (len(rank) - 1) / 2 for rank in ranks for k, v in enumerate(rank)}
    near = {v: before[v] + after[v] for v in y}
    weight = {v: 0.01 if len(near[v]) == 1 else 1.0 for v in y}
    for sweep in range(4 * SWEEPS):
        for rank in ranks if sweep % 2 == 0 else reversed(ranks):
            wanted = [sum(weight[u] * y[u] for u in near[v]) / sum(weight[u] for u in near[v]) if near[v] else y[v] for v in rank]
            y.update(zip(rank, _apart(wanted, [weight[v] for v in rank]), strict=True))
    return [y[v] for v in sorted(y)]


def _apart(wanted: list[float], weights: list[float]) -> list[float]:
    """The heights nearest to those wanted that are one apart, in order: isotonic regression, by pooling what collides."""
    groups: list[tuple[float, float, int]] = []  # of w_k − k: weighted sum, weight, length
    for k, (w, weight) in enumerate(zip(wanted, weights, strict=True)):
        total, mass, count = weight * (w - k), weight, 1
        while groups and groups[-1][0] / groups[-1][1] >= total / mass:
            t, m, c = groups.pop()
            total, mass, count = total + t, mass + m, count + c
        groups.append((total, mass, count))
    shifts = [t / m for t, m, c in groups for _ in range(c)]
    return [shift + k for k, shift in enumerate(shifts)]
