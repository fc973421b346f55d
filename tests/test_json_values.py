"""JSON that every program can read, and files of it that may be anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pydeeplab.errors import DataError
from pydeeplab.json_values import is_json_file, json_text, read_object


def test_numbers_that_json_has_not() -> None:
    values = {"loss": float("nan"), "rates": (1.5, float("-inf"))}
    assert json.loads(json_text(values)) == {"loss": None, "rates": [1.5, None]}
    assert json.loads(json_text(values, as_text=True)) == {"loss": "nan", "rates": [1.5, "-inf"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[1]", "expected a JSON object, got list"),
    ],
    ids=["cut", "no text", "deep", "list"],
)
def test_files_that_are_no_object(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.json: {message}"):
        read_object(path)


def test_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": [1]}')
    assert read_object(path) == {"a": [1]}
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_object(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("content", "is_json"),
    [(b"", True), (b"[1]", True), (b'{"a": 1}\n{"a": 2}\n', False), (b"\x89PNG", False), (b"[" * 100_000, False)],
    ids=["empty", "list", "lines", "picture", "deep"],
)
def test_what_is_json(content: bytes, is_json: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert is_json_file(path) is is_json
