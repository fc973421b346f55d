"""What README, docs and helps show can be typed: commands that parse, imports that exist, links that lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pydeeplab.cli import commands, main
from tests.support.external import repository

ROOT = repository()
PAGES = sorted([ROOT / "README.md", *(ROOT / folder / "README.md" for folder in ("prototxt", "weights"))])
PAGES += sorted((ROOT / "docs").glob("*.md"))


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each line that begins with ``pydeeplab``, without comments, redirections and what is left open."""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip().removeprefix("$ ")
        if not line.startswith("pydeeplab "):
            continue
        words = shlex.split(line, comments=True)
        end = next((i for i, word in enumerate(words) if word[0] in "|>"), len(words))
        if "..." not in words:
            yield words[1:end]


@pytest.fixture
def parsed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands read their arguments, and do nothing."""
    for name in commands():
        monkeypatch.setattr(importlib.import_module(f"pydeeplab.cli.{name}"), "run", lambda args: 0)


@pytest.mark.usefixtures("parsed_only")
@pytest.mark.parametrize("name", commands())
def test_examples_of_helps_parse(name: str) -> None:
    examples = list(commands_in(importlib.import_module(f"pydeeplab.cli.{name}").EXAMPLES))
    assert examples
    for words in examples:
        assert main(words) == 0, words


@pytest.mark.usefixtures("parsed_only")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_pages_parse(page: Path) -> None:
    blocks = re.sub(r"```(?!sh|bash|console)\w+\n.*?```", "", page.read_text(), flags=re.DOTALL)
    indented = "\n".join(line for line in blocks.splitlines() if line.startswith("    ") or line.endswith("\\"))
    for words in commands_in(indented):
        assert main(words) == 0, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_of_pages_compiles_and_imports(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL):
        tree = ast.parse(block)
        imports: list[ast.stmt] = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), str(page), "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
