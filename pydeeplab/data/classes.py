"""The classes of data sets: names and colours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydeeplab.data.lists import read_lines
from pydeeplab.data.palette import Colours, voc_palette
from pydeeplab.errors import DataError, UsageError, did_you_mean

__all__ = ["CLASS_SETS", "ClassSet", "class_set", "read_palette"]

VOID = 255


@dataclass(frozen=True)
class ClassSet:
    """The classes of a dataset: their names in label order, and 256 colours.

    ``background`` is the class that stands for everything else (overlays leave it clear), or None.
    """

    name: str
    names: tuple[str, ...]
    palette: Colours
    background: int | None = None

    def __len__(self) -> int:
        return len(self.names)

    def label(self, index: int) -> str:
        """The name of a class; ``void`` for 255, ``class n`` beyond the names."""
        if index < len(self.names):
            return self.names[index]
        return "void" if index == VOID else f"class {index}"


_VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)
_CONTEXT = (
    "background aeroplane bag bed bedclothes bench bicycle bird boat book bottle building bus cabinet car cat ceiling "
    "chair cloth computer cow cup curtain dog door fence floor flower food grass ground horse keyboard light motorbike "
    "mountain mouse person plate platform pottedplant road rock sheep shelves sidewalk sign sky snow sofa table track "
    "train tree truck tvmonitor wall water window wood"
)
_CITYSCAPES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
_CAMVID = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
    "unlabelled": (0, 0, 0),
}
_PARTS = ("background", "head", "torso", "upper arms", "lower arms", "upper legs", "lower legs")


def _own_colours(name: str, colours: Mapping[str, tuple[int, int, int]]) -> ClassSet:
    """A class set with a palette of its own; numbers beyond the names keep VOC's colours."""
    palette = voc_palette()
    palette[: len(colours)] = list(colours.values())
    return ClassSet(name, tuple(colours), palette)


@cache
def _class_sets() -> dict[str, ClassSet]:
    sets = (
        ClassSet("voc12", tuple(_VOC.split()), voc_palette(), 0),
        ClassSet("pascal_context", tuple(_CONTEXT.split()), voc_palette(), 0),
        ClassSet("person_part", _PARTS, voc_palette(), 0),
        _own_colours("cityscapes", _CITYSCAPES),
        _own_colours("camvid", _CAMVID),
    )
    return {s.name: s for s in sets}


CLASS_SETS = ("voc12", "pascal_context", "person_part", "cityscapes", "camvid")
"""Class sets known by name. pascal_context is the background and 59 classes in alphabetical order."""


def class_set(name: str | os.PathLike[str]) -> ClassSet:
    """A known class set, or one read from a file with a class name per line, in label order.

    A line may end with three numbers 0..255, the class's colour (red, green, blue); other classes get VOC's colours.

    Raises
    ------
    UsageError
        The name is neither a known set nor a file.
    DataError
        The file cannot be read, is no text, is empty or has more than 256 classes.
    """
    known = _class_sets()
    text = os.fspath(name)
    if text in known:
        return known[text]
    if not Path(text).is_file():
        raise UsageError(
            f"'{text}' is neither a file nor a known class set ({', '.join(known)}).{did_you_mean(text, known)}"
        )
    names: list[str] = []
    palette = voc_palette()
    for _, line in read_lines(text, "class file"):
        words = line.split()
        colour = [int(w) for w in words[-3:] if w.isdecimal() and int(w) <= 255]
        if len(words) > 3 and len(colour) == 3:
            palette[min(len(names), 255)] = colour
            words = words[:-3]
        names.append(" ".join(words))
    if len(names) > 256:
        raise DataError(f"class file '{text}' has {len(names)} classes; expected 1 to 256, one name per line")
    background = 0 if names[0].lower() in ("background", "bg", "__background__") else None
    return ClassSet(Path(text).stem, tuple(names), palette, background)


def read_palette(name: str | os.PathLike[str]) -> Colours:
    """The colours of a known class set, or of a file with ``R G B`` (0..255) per line, in label order.

    Raises
    ------
    UsageError
        The name is neither a known set nor a file.
    DataError
        The file cannot be read or is empty, a line is not three numbers of 0..255, or there are more than 256.
    """
    text = os.fspath(name)
    if text in _class_sets():
        return _class_sets()[text].palette
    if not Path(text).is_file():
        known = _class_sets()
        raise UsageError(
            f"'{text}' is neither a file nor a known palette ({', '.join(known)}).{did_you_mean(text, known)}"
        )
    palette = voc_palette()
    for index, (number, line) in enumerate(read_lines(text, "palette file")):
        words = line.replace(",", " ").split()
        colour = [int(word) for word in words if word.isdecimal()]
        if len(words) != 3 or len(colour) != 3 or max(colour) > 255 or index > 255:
            raise DataError(
                f"{text}:{number}: expected three numbers of 0..255 (and at most 256 lines), got '{' '.join(words)}'"
            )
        palette[index] = colour
    return palette
