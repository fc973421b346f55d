"""Statistics over channels of DeepLab v1: DominantChannel and ChannelAggregator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pydeeplab.blob import Blob
from pydeeplab.errors import DataError
from pydeeplab.layer import Layer, register
from pydeeplab.layers._memory import item_rows


def _must_be_scores(layer: Layer, shape: tuple[int, ...]) -> None:
    if len(shape) != 4:
        raise layer.shape_error(f"needs scores of shape N x C x H x W, got {shape}")


@register
class DominantChannel(Layer):
    """The ``top_k`` channels that most often have the largest value, N x top_k x 1 x 1, the most frequent first.

    Channels that are first equally often are ordered by how often they are second, and so on up to ``top_k``.

    Source: DeepLab v1 DOMINANT_CHANNEL.
    """

    type = "DominantChannel"
    unpropagated_bottoms = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.top_k = int(self.param.dominant_channel_param.top_k)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        _must_be_scores(self, bottom[0].shape)
        items, channels = bottom[0].shape[:2]
        if not 1 <= self.top_k < channels:
            raise self.error(f"dominant_channel_param.top_k must be in 1..{channels - 1}, got {self.top_k}")
        top[0].reshape(items, self.top_k, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        channels = bottom[0].shape[1]
        for scores, row in zip(bottom[0].data, top[0].data, strict=True):
            ranks = np.argsort(-item_rows(scores), axis=0, kind="stable")[: self.top_k]
            counts = np.stack([np.bincount(rank, minlength=channels) for rank in ranks])
            order = np.lexsort((np.arange(channels), *-counts[::-1]))
            row[:, 0, 0] = order[: self.top_k]


@register
class ChannelAggregator(Layer):
    """Log-sum-exp over groups of channels: line i of ``label_map_file`` lists the channels that make up output i.

    Source: DeepLab v1 CHANNEL_AGGREGATOR.
    """

    type = "ChannelAggregator"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        path = self.param.channel_aggregator_param.label_map_file
        if not path:
            raise self.error("channel_aggregator_param.label_map_file must be given: one line of channels per output")
        try:
            with open(path, encoding="utf-8") as file:
                self.groups = [[int(word) for word in line.split()] for line in file]
        except OSError as error:
            raise self.error(f"cannot read channel_aggregator_param.label_map_file: {error}", DataError) from None
        except ValueError as error:
            raise self.error(f"'{path}' must hold whole numbers, one line per output: {error}", DataError) from None
        if not self.groups or not all(self.groups):
            raise self.error(f"'{path}' must name at least one channel in each of its lines", DataError)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        _must_be_scores(self, bottom[0].shape)
        items, channels, height, width = bottom[0].shape
        wrong = [c for group in self.groups for c in group if not 0 <= c < channels]
        if wrong:
            raise self.error(f"the label map names channel {wrong[0]}, but there are only 0..{channels - 1}", DataError)
        top[0].reshape(items, len(self.groups), height, width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data, top[0].data
        for i, group in enumerate(self.groups):
            y[:, i] = np.logaddexp.reduce(x[:, group], axis=1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, y, dx, dy = bottom[0].data, top[0].data, bottom[0].diff, top[0].diff
            dx[...] = 0
            for i, group in enumerate(self.groups):
                for channel in group:
                    dx[:, channel] += dy[:, i] * np.exp(x[:, channel] - y[:, i])
