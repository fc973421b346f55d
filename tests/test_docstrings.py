"""The examples in the docstrings do what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import pydeeplab

ROOT = Path(pydeeplab.__file__).parent


def modules_with_examples() -> list[str]:
    found = []
    for module in pkgutil.walk_packages(pydeeplab.__path__, "pydeeplab."):
        base = ROOT.joinpath(*module.name.split(".")[1:])
        source = base / "__init__.py" if module.ispkg else base.with_suffix(".py")
        if source.is_file() and ">>> " in source.read_text(encoding="utf-8"):
            found.append(module.name)
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_examples_are_found() -> None:
    assert {"pydeeplab.net", "pydeeplab.crf.parameters"} <= set(modules_with_examples())
