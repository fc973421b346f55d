"""Classes, their names and colours: index PNGs, coloured maps, overlays and legends."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pydeeplab.errors import DataError, UsageError, did_you_mean
from pydeeplab.files import atomic_path

__all__ = [
    "CLASS_SETS",
    "ClassSet",
    "add_legend",
    "class_set",
    "colorize",
    "decolorize",
    "overlay",
    "read_palette",
    "voc_palette",
    "write_label_png",
    "write_png",
]

VOID = 255

Colours = NDArray[np.uint8]


def voc_palette() -> Colours:
    """PASCAL VOC's 256 colours: the bits of the class number, dealt to red, green and blue from the highest bit down.

    Returns
    -------
    (256, 3) uint8 array
        Red, green, blue. Class 0 is black; 255, the void border, is (224, 224, 192).

    Examples
    --------
    >>> voc_palette()[15].tolist()
    [192, 128, 128]
    """
    numbers = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((numbers >> (3 * bit + channel)) & 1) << (7 - bit)
    return colours.astype(np.uint8)


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
        The file is empty or has more than 256 classes.
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
    for line in Path(text).read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        words = line.split()
        colour = [int(w) for w in words[-3:] if w.isdigit() and int(w) <= 255]
        if len(words) > 3 and len(colour) == 3:
            palette[min(len(names), 255)] = colour
            words = words[:-3]
        names.append(" ".join(words))
    if not names or len(names) > 256:
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
        A line is not three numbers of 0..255, or there are more than 256.
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
    lines = [line.replace(",", " ").split() for line in Path(text).read_text(encoding="utf-8").splitlines()]
    rows = [(number, words) for number, words in enumerate(lines, 1) if words]
    for index, (number, words) in enumerate(rows):
        colour = [int(word) for word in words if word.isdigit()]
        if len(words) != 3 or len(colour) != 3 or max(colour) > 255 or index > 255:
            raise DataError(
                f"{text}:{number}: expected three numbers of 0..255 (and at most 256 lines), got '{' '.join(words)}'"
            )
        palette[index] = colour
    return palette


# Labels to pixels and back -----------------------------------------------------------------------------------------


def _check_labels(labels: NDArray[Any], colours: int) -> NDArray[Any]:
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "biu":
        raise DataError(f"expected a label map of integers of shape (H, W), got {labels.dtype} of shape {labels.shape}")
    if labels.size and (labels.min() < 0 or labels.max() >= colours):
        bad = np.argwhere((labels < 0) | (labels >= colours))[0]
        value = labels[tuple(bad)]
        raise DataError(f"label {value} at row {bad[0]}, column {bad[1]} has no colour; the palette has {colours}")
    return labels


def colorize(labels: NDArray[Any], palette: Colours) -> NDArray[np.uint8]:
    """Colours of a label map, (H, W, 3) RGB.

    Raises
    ------
    DataError
        The labels are no (H, W) integers, or one has no colour.
    """
    return np.take(palette, _check_labels(labels, len(palette)), axis=0)


def decolorize(rgb: NDArray[np.uint8], palette: Colours, *, unknown: int | None = None) -> NDArray[np.uint8]:
    """Labels of a coloured map: the first palette entry with each pixel's colour.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 array
    palette : (n, 3) uint8 array
        At most 256 colours.
    unknown : int, optional
        Label of colours that the palette lacks (255, the void label, is usual).

    Raises
    ------
    DataError
        A colour is not in the palette and ``unknown`` is None; the message says where.
    """
    table = np.full(1 << 24, -1, np.int16)
    codes = palette.astype(np.int64) @ (65536, 256, 1)
    table[codes[::-1]] = np.arange(len(palette))[::-1]
    labels = table[rgb.astype(np.int64) @ (65536, 256, 1)]
    lost = labels < 0
    if lost.any():
        if unknown is None:
            row, column = np.argwhere(lost)[0]
            colour = ", ".join(map(str, rgb[row, column]))
            raise DataError(
                f"colour ({colour}) at row {row}, column {column} is not in the palette ({int(lost.sum())} such pixels)"
            )
        labels[lost] = unknown
    return labels.astype(np.uint8)


def write_png(path: str | os.PathLike[str], pixels: NDArray[Any]) -> None:
    """Write an (H, W) or (H, W, 3) uint8 array as PNG, atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def write_label_png(path: str | os.PathLike[str], labels: NDArray[Any], palette: Colours | None = None) -> None:
    """Write a label map as PNG, atomically: indexed with a palette, or plain grey values without.

    Labels above 255 make a 16-bit grey PNG, which has no palette.

    Raises
    ------
    DataError
        The labels are no (H, W) integers in 0..65535.
    """
    labels = _check_labels(labels, 65536)
    if labels.size and labels.max() > 255:
        picture = Image.fromarray(labels.astype(np.uint16))
    else:
        picture = Image.fromarray(np.ascontiguousarray(labels, np.uint8))
        if palette is not None:
            picture.putpalette(palette.astype(np.uint8).tobytes())
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")


# Pictures for people -----------------------------------------------------------------------------------------------


def _edges(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour, or whose left or upper one, has another label."""
    edge = np.zeros(labels.shape, bool)
    across = labels[:, 1:] != labels[:, :-1]
    down = labels[1:] != labels[:-1]
    edge[:, :-1] |= across
    edge[:, 1:] |= across
    edge[:-1] |= down
    edge[1:] |= down
    return edge


def overlay(
    image: NDArray[np.uint8],
    labels: NDArray[Any],
    palette: Colours,
    alpha: float = 0.5,
    *,
    clear: Sequence[int] = (),
    outline: bool = True,
) -> NDArray[np.uint8]:
    """Lay the colours of a label map over its picture.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        RGB; grey (H, W) is taken too.
    labels : (H, W) integers
    palette : (n, 3) uint8 array
    alpha
        Share of the colour, 0 (only the picture) to 1 (only colours).
    clear
        Classes that are left as they are, such as a background.
    outline
        Draw the borders between classes in full colour.

    Returns
    -------
    (H, W, 3) uint8 array

    Raises
    ------
    DataError
        Sizes differ, or a label has no colour.
    UsageError
        ``alpha`` is not in 0..1.
    """
    if not 0 <= alpha <= 1:
        raise UsageError(f"alpha must be in 0..1, got {alpha}")
    labels = _check_labels(labels, len(palette))
    if image.shape[:2] != labels.shape:
        sizes = [f"{height} x {width}" for height, width in (image.shape[:2], labels.shape)]
        raise DataError(f"the image is {sizes[0]} (height x width), its label map {sizes[1]}; they must be equal")
    base = np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image
    colours = np.take(palette, labels, axis=0)
    share = np.full(labels.shape, round(alpha * 256), np.int32)
    if outline:
        share[_edges(labels)] = 256 if alpha else 0
    share[np.isin(labels, list(clear))] = 0
    mixed = base.astype(np.int32)
    mixed += ((colours.astype(np.int32) - mixed) * share[:, :, None] + 128) >> 8
    return mixed.astype(np.uint8)


def _font(size: float) -> Any:
    return ImageFont.load_default(size=size)


def add_legend(
    picture: NDArray[np.uint8], entries: Sequence[tuple[str, str, Sequence[int]]], *, size: float | None = None
) -> NDArray[np.uint8]:
    """Put a legend under a picture: a coloured box, a name and a remark per entry, in as many columns as fit.

    Parameters
    ----------
    picture : (H, W, 3) uint8 array
    entries
        (name, remark, (red, green, blue)) in the order to show; with none the picture is returned as it is.
    size : float, optional
        Height of the letters in pixels; chosen from the picture's width by default.

    Returns
    -------
    (H + h, W', 3) uint8 array
        White below; wider than the picture only where a single entry would not fit.
    """
    if not entries:
        return picture
    height, width = picture.shape[:2]
    letters = size or float(np.clip(width / 36, 11, 28))
    font = _font(letters)
    box, gap = round(letters * 1.1), round(letters * 0.5)
    line = round(letters * 1.6)
    margin = round(letters * 0.7)
    name_width, remark_width = (int(np.ceil(max(font.getlength(entry[i]) for entry in entries))) for i in (0, 1))
    cell = box + gap + name_width + gap + remark_width + 3 * gap
    columns = max(1, min(len(entries), (width - 2 * margin + 3 * gap) // cell))
    rows = -(-len(entries) // columns)
    canvas = Image.new("RGB", (max(width, 2 * margin + cell - 3 * gap), height + rows * line + 2 * margin), "white")
    canvas.paste(Image.fromarray(picture), ((canvas.width - width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    for index, (name, remark, colour) in enumerate(entries):
        column, row = divmod(index, rows)
        left = margin + column * cell
        top = height + margin + row * line + (line - box) // 2
        draw.rounded_rectangle(
            (left, top, left + box, top + box), box / 5, tuple(int(c) for c in colour), (176, 176, 176)
        )
        text, baseline = left + box + gap, top + round(box / 2 + 0.36 * letters)
        draw.text((text, baseline), name, fill=(32, 32, 32), font=font, anchor="ls")
        draw.text(
            (text + name_width + gap + remark_width, baseline), remark, fill=(128, 128, 128), font=font, anchor="rs"
        )
    return np.array(canvas)
