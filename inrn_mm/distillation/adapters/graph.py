"""Finding the stages of a graph."""

from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


def find_cuts(graph: Any, image: str, shapes: Shapes) -> list[str]:
    """Find the tensors that all that is deeper comes from, the last of each size.

    What comes after an enlarged map (necks) does not count.

    Args:
        graph (GraphProto): Its nodes are in the order in which they run.
        image (str): Name of the input.
        shapes (Mapping[str, tuple[int]]): Shapes of its tensors for one image.

    Returns:
        list[str]: Names of maps ``(N, C, h, w)``, from shallow to deep.
    """
    places = {name: s[2] * s[3] for name, s in shapes.items() if len(s) == 4 and s[2] * s[3] > 3}
    nodes = [node for node in graph.node if node.output and node.output[0] in shapes]
    enlarged: set[str] = set()
    deepest = None
    for node in nodes:
        out = node.output[0]
        given = [places[name] for name in node.input if name in places]
        if enlarged.intersection(node.input) or (given and places.get(out, 0) > max(given)):
            enlarged.update(node.output)
        elif out in places and (deepest is None or places[out] <= places[deepest]):
            deepest = out
    if deepest is None:
        return []
    above = _ancestors(nodes, deepest)
    trunk = [node for node in nodes if node.output[0] in above]
    until = {name: i for i, node in enumerate(trunk) for name in node.input}  # the last use
    stages: dict[int, str] = {}
    reach = until.get(image, -1)  # the last use of all that is made so far
    for i, node in enumerate(trunk):
        out = node.output[0]
        if reach <= i and out in places:
            stages[places[out]] = out
        reach = max(reach, *(until.get(name, -1) for name in node.output))
    return [name for _, name in sorted(stages.items(), reverse=True)]


def _ancestors(nodes: list, tensor: str) -> set[str]:
    """List the tensors that one is made of, with itself."""
    found = {tensor}
    for node in reversed(nodes):
        if found.intersection(node.output):
            found.update(node.input)
    return found
