"""One list of a data layer, under examination."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydeeplab.data.lists import ImageList
from pydeeplab.errors import counted
from pydeeplab.preflight.items import ItemCheck
from pydeeplab.preflight.report import Report
from pydeeplab.preflight.views import DataLayer, NetView

__all__ = ["IMAGE", "NONE", "PIXEL", "SHOWN", "Subject", "label_kind", "more"]

NONE, IMAGE, PIXEL = 0, 1, 2
"""What the second word of a line is: nothing, a number for the whole image, or the path of a label map."""

SHOWN = 5
"""How many of many equal problems are shown one by one."""


def label_kind(layer: DataLayer) -> int:
    """What the second word of a line is to a layer."""
    if layer.param.type == "ImageSegData":
        return int(layer.options.label_type)
    return IMAGE if layer.param.type == "ImageData" else PIXEL


@dataclass
class Subject:
    """A list with its layer and net, what its files are, and where findings go.

    ``kind`` is what the lines' second words are; NONE where the list has none although labels were asked for.
    """

    view: NetView
    layer: DataLayer
    items: ImageList
    report: Report
    kind: int
    checks: list[ItemCheck] = field(default_factory=list)

    @property
    def options(self) -> Any:
        """The message with source and batch_size."""
        return self.layer.options

    def add(self, severity: str, topic: str, message: str, advice: str = "") -> None:
        """Add a finding about this list's net."""
        self.report.add(severity, topic, message, advice, net=self.view.role)


def more(count: int, what: str) -> str:
    """`` (and 3 more images)``; empty for none."""
    return f" (and {counted(count, f'more {what}')})" if count > 0 else ""
