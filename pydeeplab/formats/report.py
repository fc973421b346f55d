"""The account of what a load did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydeeplab.errors import counted

__all__ = ["LoadReport", "listed"]


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names for a message, the tail counted."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


@dataclass
class LoadReport:
    """What `load_weights` did; ``str(report)`` is a short line, every list is complete.

    Attributes
    ----------
    files : list of str
        The weight files, in the order of loading.
    loaded : list of str
        Layers of the net that got values, in the net's order.
    parameters : int
        How many numbers they hold; memory that layers share counts once.
    missing : list of str
        Layers of the net with parameters that no file had: they keep what their fillers gave.
    left_zero : list of str
        Those of ``missing`` whose weights are all zero, so that they compute nothing.
    unused : list of str
        Layers with parameters in the files that the net does not have.
    reshaped : list of str
        Automatic adaptations, in words.
    nonfinite : list of str
        Loaded layers that hold NaN or infinite values.
    file_layers, net_layers : int
        How many layers with parameters the files and the net have.
    """

    files: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    parameters: int = 0
    missing: list[str] = field(default_factory=list)
    left_zero: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    nonfinite: list[str] = field(default_factory=list)
    file_layers: int = 0
    net_layers: int = 0

    def to_json(self) -> dict[str, Any]:
        """The report as a dict of lists, strings and numbers, for `json.dump`."""
        return asdict(self)

    def __str__(self) -> str:
        size = self.parameters
        count = f"{size / 1e6:.1f} M" if size >= 1_000_000 else f"{size / 1e3:.1f} k" if size >= 1000 else str(size)
        layers = counted(len(self.loaded), "layer")
        parts = [f"loaded {layers} ({count} parameters)" if self.loaded else self._nothing()]
        if self.missing:
            filled = [name for name in self.missing if name not in set(self.left_zero)]
            left = [f"{listed(filled)} (left at {'its' if len(filled) == 1 else 'their'} filler)"] if filled else []
            left += [f"{listed(self.left_zero)} (all ZERO)"] if self.left_zero else []
            parts.append(f"not in the file: {'; '.join(left)}")
        if self.unused:
            parts.append(f"unused: {listed(self.unused)}")
        if self.reshaped:
            parts.append(f"adapted: {listed(self.reshaped, 3)}")
        if self.nonfinite:
            parts.append(f"WARNING: NaN or Inf in {listed(self.nonfinite)}")
        return "; ".join(parts)

    def _nothing(self) -> str:
        if not self.net_layers:
            return "loaded nothing: the net has no parameters"
        if not self.file_layers:
            return "loaded nothing: the file has no parameters"
        return "loaded NOTHING: no layer of the file has the name of one in the net"
