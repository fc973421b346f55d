"""The modules of the package among themselves: no circles, and what is private stays with its package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pydeeplab

ROOT = Path(pydeeplab.__file__).parent


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What runs when a module is imported: not the insides of functions, nor what is for type checkers only."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            continue
        for part in ("body", "orelse", "finalbody"):
            yield from statements(getattr(statement, part, []))


def imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Full names of all that is imported from pydeeplab: modules, and what is taken out of them."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pydeeplab"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pydeeplab"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def modules() -> dict[str, ast.Module]:
    """All modules by their names."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def graph(depth: int | None = None) -> dict[str, set[str]]:
    """Which modules each one imports as it is imported itself; with a depth, packages of so many names."""

    def shortened(name: str) -> str:
        return ".".join(name.split(".")[:depth])

    edges: dict[str, set[str]] = {}
    for name, tree in modules().items():
        for found in imports(statements(tree.body)):
            target = found if found in modules() else found.rpartition(".")[0]
            if shortened(target) != shortened(name):
                edges.setdefault(shortened(name), set()).add(shortened(target))
    return edges


@pytest.mark.parametrize("depth", [None, 2], ids=["modules", "packages"])
def test_there_are_no_circles_of_imports(depth: int | None) -> None:
    edges = graph(depth)
    assert len(edges) > 50
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' < '.join(error.args[1])}")


def test_private_modules_are_used_in_their_package_only() -> None:
    strangers = [
        f"{name} imports {found}"
        for name, tree in modules().items()
        for found in imports(ast.walk(tree))
        if (place := found.find("._")) >= 0 and not f"{name}.".startswith(found[: place + 1])
    ]
    assert strangers == []
