"""Writing a net layer by layer, counting its parameters on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydeeplab.networks.text import Word, comment, wrap

__all__ = ["CLASSIFIER", "FROZEN", "TRUNK", "Gaussian", "Multipliers", "NetBuilder"]

Multipliers = tuple[tuple[int, int], ...]
"""(lr_mult, decay_mult) of each parameter of a layer: weight, bias."""

TRUNK: Multipliers = ((1, 1), (2, 0))
CLASSIFIER: Multipliers = ((10, 1), (20, 0))
FROZEN: Multipliers = ((0, 1), (0, 0))


def Gaussian(std: float) -> dict[str, Any]:
    """A filler with mean 0 and the given standard deviation."""
    return {"type": "gaussian", "std": std}


class NetBuilder:
    """The text of one net.

    Parameters
    ----------
    name
        The net's name.
    training
        Whether multipliers and fillers are written: only a net for training has a use for them.

    Notes
    -----
    Layers that share their parameters (``share=[names]``) are counted once.
    """

    def __init__(self, name: str, *, training: bool):
        self.training = training
        self.parameters = 0
        """Weights and biases, with the scale factors of Scale layers, without the statistics of BatchNorm."""
        self.layers = 0
        self._blocks: list[str] = [f'name: "{name}"']
        self.blobs: dict[str, int] = {}
        """Channels of each blob, in the order in which they are made."""
        self._counted: set[str] = set()

    def section(self, title: str) -> None:
        """A comment before a group of layers."""
        self._blocks.append(f"\n# {title}")

    def layer(
        self,
        name: str,
        kind: str,
        bottom: str | Sequence[str] = (),
        top: str | Sequence[str] | None = None,
        **values: Any,
    ) -> str:
        """Any layer; ``top`` is the layer's name unless given. Returns the first top, or the name if there is none."""
        bottoms = [bottom] if isinstance(bottom, str) else list(bottom)
        tops = [name] if top is None else [top] if isinstance(top, str) else list(top)
        self._blocks.append(wrap("layer", {"name": name, "type": kind, "bottom": bottoms, "top": tops, **values}))
        self.layers += 1
        if bottoms:
            for blob in tops:
                self.blobs.setdefault(blob, self.blobs.get(bottoms[0], 0))
        return tops[0] if tops else name

    def source(self, name: str, kind: str, tops: Sequence[str], **values: Any) -> str:
        """A layer without bottoms whose first top is an image of 3 channels."""
        self.blobs[tops[0]] = 3
        return self.layer(name, kind, (), tops, **values)

    def convolution(
        self,
        name: str,
        bottom: str,
        num_output: int,
        kernel_size: int,
        *,
        stride: int = 1,
        pad: int = 0,
        dilation: int = 1,
        bias: bool = True,
        multipliers: Multipliers = TRUNK,
        weight_filler: dict[str, Any] | None = None,
        bias_filler: bool = False,
        share: Sequence[str] = (),
    ) -> str:
        """A convolution; returns its top."""
        count = 1 + bias
        self._count(share or (name,), num_output * (kernel_size**2 * self.blobs[bottom] + bias))
        self.blobs[name] = num_output
        filled = self.training and weight_filler is not None
        return self.layer(
            name,
            "Convolution",
            bottom,
            param=self._param(multipliers[:count], share),
            convolution_param={
                "num_output": num_output,
                "bias_term": None if bias else False,
                "kernel_size": kernel_size,
                "stride": stride if stride > 1 else None,
                "pad": pad or None,
                "dilation": dilation if dilation > 1 else None,
                "weight_filler": weight_filler if filled else None,
                "bias_filler": {"type": "constant"} if filled and bias_filler else None,
            },
        )

    def normalise(
        self, bottom: str, bn: str, scale: str, *, share_bn: Sequence[str] = (), share_scale: Sequence[str] = ()
    ) -> None:
        """Frozen BatchNorm and Scale, in place."""
        param = self._param(((0, None),) * 3, share_bn)
        self.layer(bn, "BatchNorm", bottom, bottom, param=param, batch_norm_param={"use_global_stats": True})
        self._scale(bottom, scale, (0, None), share_scale)

    def batch_norm(
        self, bottom: str, bn: str, scale: str, *, share_bn: Sequence[str] = (), share_scale: Sequence[str] = ()
    ) -> None:
        """BatchNorm and Scale that learn, in place; their statistics follow the last 50 batches or so."""
        param = self._param(((0, None),) * 3, share_bn) if share_bn else []
        average = {"moving_average_fraction": 0.98} if self.training else None
        self.layer(bn, "BatchNorm", bottom, bottom, param=param, batch_norm_param=average)
        self._scale(bottom, scale, (1, 0), share_scale)

    def _scale(self, bottom: str, name: str, multipliers: tuple[int, int | None], share: Sequence[str]) -> None:
        """A factor and a bias for each channel, in place."""
        self._count(share or (name,), 2 * self.blobs[bottom])
        param = self._param((multipliers,) * 2, share)
        self.layer(name, "Scale", bottom, bottom, param=param, scale_param={"bias_term": True})

    def relu(self, name: str, blob: str) -> None:
        """A rectifier, in place."""
        self.layer(name, "ReLU", blob, blob)

    def dropout(self, name: str, blob: str) -> None:
        """Dropout of one half, in place."""
        self.layer(name, "Dropout", blob, blob, dropout_param={"dropout_ratio": 0.5})

    def pool(self, name: str, bottom: str, kernel_size: int, stride: int, pad: int, *, method: str = "MAX") -> str:
        """Pooling; returns its top."""
        window = {"pool": Word(method), "kernel_size": kernel_size, "stride": stride, "pad": pad or None}
        return self.layer(name, "Pooling", bottom, pooling_param=window)

    def eltwise(self, name: str, bottoms: Sequence[str], operation: str = "SUM") -> str:
        """Element by element: SUM or MAX; returns its top."""
        return self.layer(name, "Eltwise", bottoms, eltwise_param={"operation": Word(operation)})

    def interp(self, name: str, bottom: str, *, shrink: int = 1, zoom: int = 1, pad_beg: int = 0) -> str:
        """Bilinear resizing by a factor; returns its top."""
        factors = {
            "shrink_factor": shrink if shrink > 1 else None,
            "zoom_factor": zoom if zoom > 1 else None,
            "pad_beg": pad_beg or None,
        }
        return self.layer(name, "Interp", bottom, interp_param=factors)

    def text(self, heading: Sequence[str]) -> str:
        """The whole file, beginning with ``heading`` as a comment."""
        return comment(heading) + "\n" + "\n".join(self._blocks) + "\n"

    def _count(self, names: Sequence[str], count: int) -> None:
        if names[0] not in self._counted:
            self._counted.add(names[0])
            self.parameters += count

    def _param(self, multipliers: Sequence[tuple[int, int | None]], names: Sequence[str]) -> list[dict[str, Any]]:
        if not self.training:
            return [{"name": name} for name in names]
        if names:
            pairs = zip(names, multipliers, strict=True)
            return [{"name": n} if m == (1, 1) else {"name": n, "lr_mult": m[0], "decay_mult": m[1]} for n, m in pairs]
        if set(multipliers) == {(1, 1)}:
            return []  # what a parameter has by default
        return [{"lr_mult": rate, "decay_mult": decay} for rate, decay in multipliers]
