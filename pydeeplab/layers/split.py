"""Split: one blob for several readers, and Silence: a reader that does nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class Split(Layer):
    """All tops are the bottom's memory; the bottom's gradient is the sum of theirs.

    Nets insert this layer by themselves where a blob has several readers.
    """

    type = "Split"
    repeatable = True
    top_count = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.reshape_like(bottom[0])
            blob.share_data(bottom[0])
        if len(top) == 1:
            top[0].share_diff(bottom[0])

    def backward_reads(self) -> tuple[bool, bool]:
        return False, False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0] or len(top) == 1:
            return
        total = bottom[0].write_diff().reshape(-1)
        # A gradient that was never allocated is 0, such as that of a top which goes to an accuracy layer.
        parts = [blob.read_diff().reshape(-1) for blob in top if blob.diff_storage.capacity]
        if len(parts) < 2:
            for part in parts:
                self.kernels.axpby(part, total, 1.0, 0.0)
            if not parts:
                self.kernels.fill(total, 0.0)
            return
        self.kernels.eltwise_add_forward(parts[0], parts[1], total, 1.0, 1.0, False)
        for part in parts[2:]:
            self.kernels.axpby(part, total, 1.0, 1.0)


@register
class Silence(Layer):
    """Takes bottoms so that they are no outputs of the net; their gradients are 0."""

    type = "Silence"
    bottom_count = (1, None)
    top_count = (0, 0)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                self.kernels.fill(blob.write_diff().reshape(-1), 0.0)
