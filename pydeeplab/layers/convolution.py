"""Convolution, with holes (atrous) where dilation is more than 1."""

from __future__ import annotations

from collections.abc import Sequence

from pydeeplab.blob import Blob
from pydeeplab.layer import Geometry, register
from pydeeplab.layers._convolution import ConvolutionBase
from pydeeplab.layers._convolution_problem import Epilogue, Picture

__all__ = ["Convolution", "Epilogue", "Picture"]


@register
class Convolution(ConvolutionBase):
    """y[o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[c, i stride - pad + u dilation, ...].

    Pixels outside the image count as 0; the kernel is not mirrored. Output size per spatial axis:
    floor((size + 2 pad - (dilation (kernel_size - 1) + 1)) / stride) + 1. Weights are [num_output, channels / group,
    *kernel_size], the bias [num_output]. Several bottoms share them.

    Source: Caffe Convolution; Chen et al. 2018 (DeepLab v2), equation 2, for the dilation.
    """

    type = "Convolution"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.forward_pictures([self.picture(x, y) for x, y in zip(bottom, top, strict=True)])

    @property
    def takes_sums(self) -> bool:
        """Whether `picture` can take an ``other`` blob at the present shape."""
        return self._to_map.takes_sums

    def picture(self, x: Blob, y: Blob, other: Blob | None = None) -> Picture:
        """A bottom and its top for `forward_pictures`, and what is added to the values where the layer `takes_sums`."""
        added = other.read() if other else None
        return self._to_map.picture(x.read(), y.write(), added)

    def companions(self, layers: Sequence[Convolution]) -> list[Convolution]:
        """Those of ``layers``, which have the same parameters and settings, whose pictures are computed faster together
        with this one's, at the present shapes."""
        found = self._to_map.companions([layer._to_map for layer in layers])
        return [layer for layer in layers if layer._to_map in found]

    def forward_pictures(self, pictures: Sequence[Picture], epilogue: Epilogue | None = None) -> None:
        """Forward of pictures of this layer and of its `companions`, and at once what follows it: each top is
        ``act(scale (conv + bias) + shift + other)`` by the epilogue.

        For nets that are run for their outputs: BatchNorm with stored statistics, Scale, Bias and ReLU behind a
        convolution cost nothing when they are merged into an `Epilogue`. Parameters are read anew in each call.

        Examples
        --------
        >>> import numpy as np
        >>> from pydeeplab import Net
        >>> from pydeeplab.layers.convolution import Epilogue
        >>> net = Net.from_text('''
        ... layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 5 dim: 5 } } }
        ... layer { name: "c" type: "Convolution" bottom: "x" top: "y"
        ...   convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }''')
        >>> net.blobs["x"].data[...] = 1
        >>> layer, x, y = net.layer_dict["c"], net.blobs["x"], net.blobs["y"]
        >>> layer.forward_pictures([layer.picture(x, y)], Epilogue(shift=np.full(3, -9, np.float32), relu=True))
        >>> bool((y.data == 0).all())
        True
        """
        self._to_map.images_to_maps(pictures, self.blobs[0].read(), self._bias(), epilogue)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for x, y, wanted in zip(bottom, top, propagate_down, strict=True):
            self._add_bias_gradient(y)
            if self.param_propagate_down[0]:
                self._to_weights.add_weight_gradient(x.read(), y.read_diff(), self.blobs[0].modify_diff())
            if wanted:
                self._to_image.map_to_image(y.read_diff(), self.blobs[0].read(), None, x.write_diff())

    @property
    def geometry(self) -> Geometry | None:
        return self.window.geometry()
