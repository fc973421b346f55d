"""DummyData: blobs filled by fillers, for tests and timing."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.filler import fill
from pydeeplab.layer import Layer, register
from pydeeplab.proto import caffe_pb2


@register
class DummyData(Layer):
    """Tops filled by ``dummy_data_param.data_filler``: random ones anew in every forward, constant ones once."""

    type = "DummyData"
    bottom_count = (0, 0)
    top_count = (1, None)

    def _shapes(self, tops: int) -> list[tuple[int, ...]]:
        param = self.param.dummy_data_param
        old = (param.num, param.channels, param.height, param.width)
        if param.shape and any(old):
            raise self.error("give either shape or num, channels, height and width, not both")
        if param.shape:
            shapes = [tuple(shape.dim) for shape in param.shape]
        else:
            counts = {len(values) for values in old}
            if len(counts) != 1 or counts == {0}:
                raise self.error(
                    f"needs shape, or num, channels, height, width equally often; got {[len(v) for v in old]}"
                )
            shapes = list(zip(*old, strict=True))
        if len(shapes) not in (1, tops):
            raise self.error(f"has {tops} tops but {len(shapes)} shapes; give one for all or one for each")
        return shapes * tops if len(shapes) == 1 else shapes

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        fillers = list(self.param.dummy_data_param.data_filler)
        if len(fillers) not in (0, 1, len(top)):
            raise self.error(f"has {len(top)} tops but {len(fillers)} fillers; give none, one for all, or one for each")
        fillers = fillers or [caffe_pb2.FillerParameter()]
        self.fillers = fillers * len(top) if len(fillers) == 1 else fillers
        for blob, shape, filler in zip(top, self._shapes(len(top)), self.fillers, strict=True):
            blob.reshape(*shape)
            if filler.type == "constant":
                fill(blob, filler, self.context.random)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Keep the shapes."""

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, filler in zip(top, self.fillers, strict=True):
            if filler.type != "constant":
                fill(blob, filler, self.context.random)
