"""List files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydeeplab.data import ImageList
from pydeeplab.errors import DataError


def write(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text.encode())
    return path


def test_paths_continue_the_root_folder(tmp_path: Path) -> None:
    items = ImageList(write(tmp_path, "/a.jpg /a.png\r\n\n  /b.jpg\t/b.png  extra\n"), "/root")
    assert [(e.image, e.label, e.line) for e in items] == [
        ("/root/a.jpg", "/root/a.png", 1),
        ("/root/b.jpg", "/root/b.png", 3),
    ]
    assert (len(items), items.labelled, items[1].line) == (2, 2, 3)
    assert items.where(items[1]).endswith("list.txt:3")


def test_numbers_are_no_paths(tmp_path: Path) -> None:
    items = ImageList(write(tmp_path, "my photo.jpg 7\n"), "r/", label_is_path=False, split_last=True)
    assert (items[0].image, items[0].label) == ("r/my photo.jpg", "7")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert ImageList(write(tmp_path, "\ufeffa.jpg a.png\n"), "")[0].image == "a.jpg"


def test_missing_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    items = ImageList(write(tmp_path, "/a.jpg /a.png\n/b.jpg\n"), str(tmp_path))
    assert [path.removeprefix(str(tmp_path)) for _, path in items.missing(labels=True)] == ["/a.png", "/b.jpg"]
    assert [entry.line for entry, _ in items.missing(labels=False)] == [2]


@pytest.mark.parametrize(("text", "message"), [("", "is empty"), ("\n \n", "is empty"), ("\xff", "")])
def test_lists_without_items(tmp_path: Path, text: str, message: str) -> None:
    if message:
        with pytest.raises(DataError, match=message):
            ImageList(write(tmp_path, text))


def test_unreadable_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt' does not exist"):
        ImageList(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is a folder"):
        ImageList(tmp_path)
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no UTF-8 text"):
        ImageList(tmp_path / "list.txt")
