"""Directed graphs as DOT text, and as pictures where Graphviz is installed.

Examples
--------
>>> graph = Graph("two")
>>> graph.add_edge(Edge("a", "b", label="3"))
>>> print(graph.to_string().splitlines()[-2].strip())
"a" -> "b" [label="3"];
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydeeplab.errors import UnsupportedError, UsageError
from pydeeplab.files import write_bytes

__all__ = ["Edge", "Graph", "Node"]

_PAPER = {"fontname": "Helvetica", "fontsize": "11"}


def _quote(text: object) -> str:
    """A DOT string; a newline becomes a line break in the picture."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _attributes(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={_quote(value)}" for key, value in values.items())


class Node:
    """A node of a `Graph`, with DOT attributes."""

    def __init__(self, name: str, **attributes: object):
        self.name = name
        self.attributes = attributes

    def get_name(self) -> str:
        """The node's name."""
        return self.name

    def to_string(self) -> str:
        """The node as a line of DOT."""
        return f"{_quote(self.name)} [{_attributes(self.attributes)}];"


class Edge:
    """An arrow of a `Graph` between two nodes (or their names), with DOT attributes."""

    def __init__(self, src: Node | str, dst: Node | str, **attributes: object):
        self.ends = tuple(end.name if isinstance(end, Node) else end for end in (src, dst))
        self.attributes = attributes

    def get_source(self) -> str:
        """Name of the node at the tail."""
        return self.ends[0]

    def get_destination(self) -> str:
        """Name of the node at the head."""
        return self.ends[1]

    def get_label(self) -> str:
        """What is written beside the arrow."""
        return str(self.attributes.get("label", ""))

    def to_string(self) -> str:
        """The edge as a line of DOT."""
        tail, head = map(_quote, self.ends)
        return f"{tail} -> {head}" + (f" [{_attributes(self.attributes)}];" if self.attributes else ";")


class Graph:
    """A directed graph that can write itself as DOT and have itself drawn; the methods that scripts use of pydot's.

    ``graph.write_svg(path)`` and ``graph.create_png()`` are short for ``write(path, format="svg")`` and
    ``create(format="png")``; any format that ``dot`` knows may stand in their place.
    """

    def __init__(self, name: str = "net", rankdir: str = "LR", **attributes: object):
        self.name = name
        self.attributes = {"rankdir": rankdir, **attributes}
        self._nodes: list[Node] = []
        self._edges: list[Edge] = []

    def add_node(self, node: Node) -> None:
        """Add a node."""
        self._nodes.append(node)

    def add_edge(self, edge: Edge) -> None:
        """Add an edge."""
        self._edges.append(edge)

    def get_nodes(self) -> list[Node]:
        """The nodes, in order."""
        return list(self._nodes)

    def get_edges(self) -> list[Edge]:
        """The edges, in order."""
        return list(self._edges)

    def to_string(self) -> str:
        """The graph as DOT text."""
        defaults = [
            f"graph [{_attributes({**_PAPER, **self.attributes})}];",
            f"node [{_attributes({**_PAPER, 'penwidth': '0.6', 'margin': '0.12,0.06', 'height': '0.3'})}];",
            f"edge [{_attributes({**_PAPER, 'fontsize': '9', 'color': '#606060', 'arrowsize': '0.7'})}];",
        ]
        parts = [*defaults, *(n.to_string() for n in self._nodes), *(e.to_string() for e in self._edges)]
        return f"digraph {_quote(self.name)} {{\n" + "".join(f"  {line}\n" for line in parts) + "}\n"

    def create(self, prog: str = "dot", format: str = "ps") -> bytes:
        """Draw the graph.

        Parameters
        ----------
        prog : str
            The program of Graphviz that lays it out.
        format : str
            What ``dot -T`` takes: png, svg, pdf, ...; "dot" or "raw" is the text itself.

        Raises
        ------
        UnsupportedError
            Graphviz is not installed.
        UsageError
            It refuses the format.
        """
        text = self.to_string().encode()
        if format in ("dot", "raw"):
            return text
        program = shutil.which(prog)
        if program is None:
            raise UnsupportedError(
                f"drawing as {format} needs Graphviz' program '{prog}', which is not on the PATH. "
                "Install Graphviz, or write a .dot file, which needs nothing."
            )
        done = subprocess.run([program, f"-T{format}"], input=text, capture_output=True, check=False)
        if done.returncode:
            complaint = done.stderr.decode(errors="replace").strip()
            raise UsageError(f"{prog} could not draw the net as '{format}': {complaint}")
        return done.stdout

    def write(self, path: str | os.PathLike[str], prog: str = "dot", format: str = "raw") -> bool:
        """Write the graph to a file as text ("raw") or as a picture; returns True, as pydot does."""
        write_bytes(path, self.create(prog, format))
        return True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb, _, format = name.partition("_")
        if verb not in ("create", "write") or not format:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return partial(self.create if verb == "create" else self.write, format=format)
