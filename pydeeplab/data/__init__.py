"""Pictures, labels and lists: reading, writing, resizing, augmenting, colouring."""

from pydeeplab.data.classes import ClassSet, class_set
from pydeeplab.data.drawing import overlay
from pydeeplab.data.images import read_image, read_label
from pydeeplab.data.lists import ImageList, ListEntry
from pydeeplab.data.palette import colorize, decolorize, voc_palette, write_label_png
from pydeeplab.data.resize import resize

__all__ = [
    "ClassSet",
    "ImageList",
    "ListEntry",
    "class_set",
    "colorize",
    "decolorize",
    "overlay",
    "read_image",
    "read_label",
    "resize",
    "voc_palette",
    "write_label_png",
]
