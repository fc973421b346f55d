"""Nets and weights for the tests of formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pydeeplab.blob import Blob
from pydeeplab.formats import LayerWeights, StoredBlob, WeightsFile
from pydeeplab.proto import caffe_pb2


class Target:
    """Stands for a net: layers given as (name, type, shapes, ...); blobs start at 0 unless ``fill`` says otherwise."""

    def __init__(self, *layers: tuple[str, str, Sequence[tuple[int, ...]]], strict: bool = True, fill: float = 0.0):
        self.layers = [(name, kind, [Blob(shape) for shape in shapes], strict) for name, kind, shapes in layers]
        self.shared: set[tuple[int, int]] = set()
        self.source = type("Source", (), {"param": caffe_pb2.NetParameter(name="target")})
        for name, kind, blobs, _ in self.layers:
            self.source.param.layer.add(name=name, type=kind)
            for blob in blobs:
                blob.data[...] = fill

    def share(self, layer: int, index: int, owner: int) -> None:
        """Let a blob use the memory of the same blob of an earlier layer."""
        mine, theirs = self.layers[layer][2][index], self.layers[owner][2][index]
        mine.share_data(theirs)
        mine.share_diff(theirs)
        self.shared.add((layer, index))

    def layer_blobs(self) -> list[tuple[str, str, list[Blob], bool]]:
        return self.layers

    def shared_blob(self, layer_index: int, blob_index: int) -> bool:
        return (layer_index, blob_index) in self.shared

    def __getitem__(self, name: str) -> list[np.ndarray]:
        return next([b.data for b in blobs] for n, _, blobs, _ in self.layers if n == name)


def layer(name: str, kind: str, *blobs: Any, legacy: bool = False) -> LayerWeights:
    """A layer whose blobs are arrays, or shapes to be filled with 1, 2, 3, ..."""
    arrays = [b if isinstance(b, np.ndarray) else counted(*b) for b in blobs]
    return LayerWeights(name, kind, [StoredBlob(a.astype(np.float32), legacy=legacy) for a in arrays])


def counted(*shape: int) -> np.ndarray:
    """1, 2, 3, ... in this shape."""
    return np.arange(1, 1 + int(np.prod(shape, dtype=int)), dtype=np.float32).reshape(shape)


def weights(*layers: LayerWeights, format: str = "caffemodel") -> WeightsFile:
    return WeightsFile(f"test.{format}", format, list(layers))


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether dtype, shape and every bit agree, so that NaN equals NaN and 0 differs from -0."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


_names = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/."), min_size=1, max_size=12)


def _arrays(dtype: Any) -> st.SearchStrategy[np.ndarray]:
    shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3)
    return hnp.arrays(dtype, shapes, elements=st.floats(width=8 * np.dtype(dtype).itemsize, allow_subnormal=True))


@st.composite
def weight_files(draw: st.DrawFn, max_layers: int = 4) -> WeightsFile:
    """Layers of distinct names with up to three blobs each, of one floating type, all values allowed."""
    arrays = _arrays(draw(st.sampled_from([np.float32, np.float64])))
    names = draw(st.lists(_names, max_size=max_layers, min_size=1, unique=True))
    layers = [LayerWeights(n, "Test", [StoredBlob(a) for a in draw(st.lists(arrays, max_size=3))]) for n in names]
    return WeightsFile("drawn", "caffemodel", layers, net_name="drawn")
