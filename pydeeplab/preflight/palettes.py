"""Recognising label maps whose values are colours, or colours turned to grey."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

from pydeeplab.data.classes import CLASS_SETS, class_set
from pydeeplab.data.palette import Colours, voc_palette

__all__ = ["explain_colours", "explain_values", "grey_of"]

_VOID = 255


def grey_of(palette: Colours) -> list[int]:
    """The grey that each colour becomes when a palette picture is read as grey (0.299 R + 0.587 G + 0.114 B)."""
    return np.rint(palette.astype(np.float64) @ (0.299, 0.587, 0.114)).astype(int).tolist()


def explain_values(values: Iterable[int], classes: int) -> str:
    """What label values beyond the classes may be: VOC's palette read as grey. Empty where it explains not all of them.

    Examples
    --------
    >>> explain_values([38, 75], 21)
    ' 38 and 75 are the greys of classes 1 and 2 in the palette of PASCAL VOC: the label maps were made by reading palette PNGs as grey.'
    """  # noqa: E501
    greys = grey_of(voc_palette()[: max(classes, 2)])
    known = {grey: index for index, grey in reversed(list(enumerate(greys)))}
    known.setdefault(grey_of(voc_palette()[[_VOID]])[0], _VOID)
    values = sorted(values)
    if not values or any(value not in known for value in values):
        return ""
    shown = values[:4]
    if len(shown) == 1:
        text = f"{shown[0]} is the grey of class {known[shown[0]]}"
    else:
        words = [" and ".join(", ".join(map(str, v)).rsplit(", ", 1)) for v in (shown, [known[s] for s in shown])]
        text = f"{words[0]} are the greys of classes {words[1]}"
    return f" {text} in the palette of PASCAL VOC: the label maps were made by reading palette PNGs as grey."


def explain_colours(path: str) -> str:
    """Which known palette holds all colours of an RGB label map; empty when it is none or has no colours."""
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("RGB", "RGBA", "RGBX"):
                return ""
            pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    except (OSError, ValueError, SyntaxError):
        return ""
    codes = np.unique(pixels.astype(np.int64) @ (65536, 256, 1))
    for name in CLASS_SETS:
        classes = class_set(name)
        colours = classes.palette[[*range(len(classes)), _VOID]].astype(np.int64) @ (65536, 256, 1)
        if np.isin(codes, colours).all():
            return (
                f" All of its colours are those of '{name}': pydeeplab.data.read_label(path, "
                f"class_set('{name}').palette) reads it, write_label_png writes the index PNG."
            )
    return ""
