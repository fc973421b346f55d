"""Which pictures are scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydeeplab.errors import DataError, UsageError
from pydeeplab.evaluation.pictures import find_file, pictures_of_folders, pictures_of_list


@pytest.mark.parametrize("root", ["data", "data/"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_lists_with_and_without_slashes(tmp_path: Path, root: str, slash: str) -> None:
    (tmp_path / "list.txt").write_text(f"{slash}img/a.jpg {slash}gt/a.png\n\n{slash}img/b.jpg {slash}gt/b.png\n")
    first, second = pictures_of_list(tmp_path / "list.txt", root)
    assert (first.name, second.name) == ("a", "b")
    assert first.image == Path("data/img/a.jpg")
    assert second.truth == Path("data/gt/b.png")


def test_equal_names_keep_their_folders(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("x/1.jpg x/1.png\ny/1.jpg y/1.png\n")
    assert [p.name for p in pictures_of_list(tmp_path / "list.txt")] == ["x/1", "y/1"]


def test_wrong_lists(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a b\nc\n")
    with pytest.raises(DataError, match=r"list\.txt:2: expected an image and a label map"):
        pictures_of_list(tmp_path / "list.txt")
    (tmp_path / "list.txt").write_text("a.jpg a.png\na.jpg b.png\n")
    with pytest.raises(DataError, match="'a' occurs twice"):
        pictures_of_list(tmp_path / "list.txt")


def test_folders(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    assert [p.name for p in pictures_of_folders(tmp_path)] == ["a", "b"]
    (tmp_path / "ids.txt").write_text("b\na\nc\n")
    pictures = pictures_of_folders(tmp_path, tmp_path / "ids.txt", tmp_path / "images")
    assert [p.name for p in pictures] == ["b", "a", "c"]
    assert pictures[1].image == tmp_path / "images" / "a.jpg"
    assert pictures[2].truth == tmp_path / "c.png"
    with pytest.raises(UsageError, match="does not exist"):
        pictures_of_folders(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no label maps"):
        pictures_of_folders(tmp_path / "empty")


def test_png_goes_before_other_formats(tmp_path: Path) -> None:
    for suffix in (".bmp", ".png", ".jpg"):
        (tmp_path / f"a{suffix}").touch()
    assert find_file(tmp_path, "a").name == "a.png"
    assert find_file(tmp_path, "v1.5").name == "v1.5.png"
