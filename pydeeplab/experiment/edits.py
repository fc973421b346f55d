"""Changes to a net of the paper that an experiment asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydeeplab.errors import UsageError
from pydeeplab.networks.heads import SCALE_FACTORS
from pydeeplab.proto import caffe_pb2

__all__ = ["change_training_data", "halve_input", "write_scores"]


def _data_layer(net: Any, name: str) -> Any:
    layer = next((item for item in net.layer if item.type == "ImageSegData"), None)
    if layer is None:
        raise UsageError(f"{name}: has no ImageSegData layer, which batch_size, augment and input_scale are about")
    return layer


def change_training_data(net: Any, name: str, *, batch_size: int | None, augment: bool | None, scale: float) -> None:
    """Set the batch size and the random scales of a training net, in place; None leaves them as they are.

    Raises
    ------
    UsageError
        The net reads no images, or cannot have other scales.
    """
    if batch_size is None and augment is None and scale == 1:
        return
    layer = _data_layer(net, name)
    if batch_size is not None:
        layer.image_data_param.batch_size = batch_size
    factors: Sequence[float] = list(layer.transform_param.scale_factors)
    if augment is not None:
        factors = SCALE_FACTORS if augment else ()
    if scale != 1:
        factors = [scale * f for f in factors or (1.0,)]
    layer.transform_param.scale_factors[:] = factors


def halve_input(net: Any) -> None:
    """Make a net for testing see its images at half size and give scores at full size, in place.

    Means of 2 x 2 pixels, as the training data are halved; what is after the scores' enlarging is enlarged once more.
    """
    first = net.layer[0]
    image = first.top[0]
    sinks = [item for item in net.layer if not item.top or item.type == "SegAccuracy"]
    written = [b for item in sinks for b in item.bottom if b not in first.top]
    scores = written[0] if written else net.layer[-1].top[0]
    for layer in net.layer:
        layer.bottom[:] = [f"{image}_half" if b == image else b for b in layer.bottom]
    for layer in sinks:
        layer.bottom[:] = [f"{scores}_full" if b == scores else b for b in layer.bottom]
    pool = caffe_pb2.LayerParameter(name=f"{image}_half", type="Pooling", bottom=[image], top=[f"{image}_half"])
    pool.pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    pool.pooling_param.kernel_size, pool.pooling_param.stride = 2, 2
    full = caffe_pb2.LayerParameter(name=f"{scores}_full", type="Interp", bottom=[scores], top=[f"{scores}_full"])
    full.interp_param.zoom_factor = 2
    layers = list(net.layer)
    at = next((i for i, item in enumerate(layers) if item in sinks), len(layers))
    del net.layer[:]
    net.layer.extend([layers[0], pool, *layers[1:at], full, *layers[at:]])


def write_scores(net: Any, prefix: str, source: str) -> None:
    """Make a test net write its scores with MatWrite in place of measuring an accuracy, in place."""
    if any(layer.type == "MatWrite" for layer in net.layer):
        return
    for layer in net.layer:
        if layer.type == "SegAccuracy":
            scores = layer.bottom[0]
            layer.Clear()
            layer.name, layer.type = "scores_mat", "MatWrite"
            layer.bottom.append(scores)
            layer.mat_write_param.prefix, layer.mat_write_param.source = prefix, source
            return
    raise UsageError("the test net has neither MatWrite nor SegAccuracy, so that it is not known which blob to write")
