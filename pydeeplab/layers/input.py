"""Input: blobs that the caller fills."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Layer, register


@register
class Input(Layer):
    """Tops of the shapes in ``input_param.shape`` (one for all, or one each; none: shaped by the caller)."""

    type = "Input"
    bottom_count = (0, 0)
    top_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [tuple(shape.dim) for shape in self.param.input_param.shape]
        if len(shapes) not in (0, 1, len(top)):
            raise self.error(f"has {len(top)} tops but {len(shapes)} shapes; give none, one for all, or one for each")
        for blob, shape in zip(top, shapes * len(top) if len(shapes) == 1 else shapes, strict=False):
            blob.reshape(*shape)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Keep the shapes that the caller has given."""

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Keep what the caller has filled in."""
