"""A net of ours as a PyTorch module: the layers of the DeepLab nets, written as a PyTorch user would.

BatchNorm with stored statistics and the Scale behind it are one batch_norm; when nothing is learned they are folded
into the convolution before, as PyTorch's own fusion does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from pydeeplab import Net
from pydeeplab.node import Node

__all__ = ["TorchNet"]

Step = Callable[[dict[str, Any]], None]


class TorchNet(torch.nn.Module):
    """Runs the layers of ``net``, whose shapes and parameters it takes over, in order.

    Parameters
    ----------
    learn : bool
        Make the parameters learnable, and return the sum of the losses; otherwise fold, and return the outputs.

    Raises
    ------
    NotImplementedError
        A layer that DeepLab's nets do not have.
    """

    def __init__(self, net: Net, *, learn: bool):
        super().__init__()
        self._learn = learn
        self._shared: dict[int, torch.nn.Parameter] = {}
        self.groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
        self.named: dict[str, torch.nn.Parameter] = {}
        self._rates = {id(p.blob.data_storage): (p.lr_mult, p.decay_mult) for p in net.all_params}
        self._outputs = list(net.outputs)
        self._steps: list[Step] = []
        self._read: list[list[str]] = []
        nodes = list(net.nodes)
        index = 0
        while index < len(nodes):
            count = self._add(nodes, index)
            if len(self._steps) > len(self._read):
                self._read.append([name for node in nodes[index : index + count] for name in node.bottom_names])
            index += count
        self._forget = self._last_reads()

    def forward(self, *inputs: torch.Tensor) -> Any:
        """The outputs, or the loss."""
        values = dict(zip(("data", "label"), inputs, strict=False))
        for step, done in zip(self._steps, self._forget, strict=True):
            step(values)
            for name in done:
                del values[name]
        found = [values[name] for name in self._outputs]
        return sum(found) if self._learn else tuple(found)

    def _last_reads(self) -> list[list[str]]:
        """The values that each step is the last to read, so that their memory can go."""
        last = {name: index for index, names in enumerate(self._read) for name in names}
        found: list[list[str]] = [[] for _ in self._steps]
        for name, index in last.items():
            if name not in self._outputs:
                found[index].append(name)
        return found

    def _parameter(self, node: Node, item: int) -> torch.nn.Parameter | None:
        if item >= len(node.layer.blobs):
            return None
        blob = node.layer.blobs[item]
        key = id(blob.data_storage)
        if key not in self._shared:
            rate = self._rates[key]
            values = torch.from_numpy(blob.data.copy())
            parameter = torch.nn.Parameter(values, requires_grad=self._learn and rate[0] != 0)
            self._shared[key] = parameter
            self.register_parameter(f"p{len(self._shared)}", parameter)
            if parameter.requires_grad:
                self.groups.setdefault(rate, []).append(parameter)
                self.named[f"{node.name}/{item}"] = parameter
        return self._shared[key]

    def _add(self, nodes: list[Node], index: int) -> int:
        """Add a layer, perhaps with those that are folded into it; returns their number."""
        node = nodes[index]
        if node.layer.type == "Convolution":
            norm = 0 if self._learn else _normalisation(nodes, index + 1, node.tops[0])
            self._convolution(node, nodes[index + 1 : index + 1 + norm])
            return 1 + norm
        if node.layer.type == "BatchNorm":
            count = _normalisation(nodes, index, node.tops[0])
            self._normalise(nodes[index : index + count])
            return count
        maker = getattr(self, f"_make_{node.layer.type.lower()}", None)
        if maker is None:
            raise NotImplementedError(f"layer {node.name} of type {node.layer.type}")
        step = maker(node)
        if step:
            self._steps.append(step)
        return 1

    def _convolution(self, node: Node, norm: list[Node]) -> None:
        window, bottom, top = node.layer.window, node.bottom_names[0], (norm or [node])[-1].top_names[0]
        geometry = window.stride, window.pad, window.dilation, node.layer.param.convolution_param.group
        weight, bias = self._parameter(node, 0), self._parameter(node, 1)
        if norm:
            scale, shift = _affine(norm)
            with torch.no_grad():
                folded = weight * scale[:, None, None, None]
                weight = torch.nn.Parameter(folded, requires_grad=False)
                bias = torch.nn.Parameter(shift + (bias * scale if bias is not None else 0), requires_grad=False)
            self.register_parameter(f"folded_{len(self._steps)}_w", weight)
            self.register_parameter(f"folded_{len(self._steps)}_b", bias)

        def step(values: dict[str, Any]) -> None:
            values[top] = F.conv2d(values[bottom], weight, bias, *geometry)

        self._steps.append(step)

    def _normalise(self, norm: list[Node]) -> None:
        mean, variance, factor = (torch.from_numpy(b.data.copy()) for b in norm[0].layer.blobs)
        places = [f"{kind}_{len(self._steps)}" for kind in ("mean", "variance")]
        for place, statistic in zip(places, (mean, variance), strict=True):
            self.register_buffer(place, statistic / factor)
        gamma, beta = (self._parameter(norm[1], i) if len(norm) > 1 else None for i in (0, 1))
        name, eps = norm[0].top_names[0], norm[0].layer.param.batch_norm_param.eps

        def step(values: dict[str, Any]) -> None:
            mean, variance = (getattr(self, place) for place in places)
            values[name] = F.batch_norm(values[name], mean, variance, gamma, beta, False, 0.0, eps)

        self._steps.append(step)

    def _make_input(self, node: Node) -> None:
        return None

    def _make_split(self, node: Node) -> Step:
        def step(values: dict[str, Any]) -> None:
            for top in node.top_names:
                values[top] = values[node.bottom_names[0]]

        return step

    def _unary(self, node: Node, function: Callable[[Any], Any]) -> Step:
        bottom, top = node.bottom_names[0], node.top_names[0]

        def step(values: dict[str, Any]) -> None:
            values[top] = function(values[bottom])

        return step

    def _make_relu(self, node: Node) -> Step:
        in_place = node.bottoms[0] is node.tops[0]
        return self._unary(node, lambda x: F.relu(x, inplace=in_place))

    def _make_dropout(self, node: Node) -> Step | None:
        ratio = node.layer.param.dropout_param.dropout_ratio
        return self._unary(node, lambda x: F.dropout(x, ratio, True)) if self._learn and ratio else None

    def _make_softmax(self, node: Node) -> Step:
        return self._unary(node, lambda x: F.softmax(x, 1))

    def _make_pooling(self, node: Node) -> Step:
        param = node.layer.param.pooling_param
        kernel, stride, pad = param.kernel_size, param.stride, param.pad
        if param.pool == param.MAX:
            return self._unary(node, lambda x: F.max_pool2d(x, kernel, stride, pad, ceil_mode=True))
        return self._unary(node, lambda x: F.avg_pool2d(x, kernel, stride, pad, ceil_mode=True))

    def _make_interp(self, node: Node) -> Step:
        size, given = node.tops[0].shape[2:], node.bottoms[0].shape[2:]
        if getattr(node.layer, "is_label", False):
            rows, columns = (
                torch.floor(torch.arange(n) * ((m - 1) / (n - 1)) + 0.5).long()
                for m, n in zip(given, size, strict=True)
            )
            return self._unary(node, lambda x: x[:, :, rows][:, :, :, columns])
        return self._unary(node, lambda x: F.interpolate(x, size, mode="bilinear", align_corners=True))

    def _make_eltwise(self, node: Node) -> Step:
        param, bottoms, top = node.layer.param.eltwise_param, node.bottom_names, node.top_names[0]
        combine = torch.maximum if param.operation == param.MAX else torch.add

        def step(values: dict[str, Any]) -> None:
            total = values[bottoms[0]]
            for name in bottoms[1:]:
                total = combine(total, values[name])
            values[top] = total

        return step

    def _make_concat(self, node: Node) -> Step:
        def step(values: dict[str, Any]) -> None:
            values[node.top_names[0]] = torch.cat([values[name] for name in node.bottom_names], 1)

        return step

    def _make_softmaxwithloss(self, node: Node) -> Step:
        scores, labels = node.bottom_names
        ignored = node.layer.param.loss_param.ignore_label

        def step(values: dict[str, Any]) -> None:
            values[node.top_names[0]] = F.cross_entropy(
                values[scores], values[labels][:, 0].long(), ignore_index=ignored
            )

        return step


def _normalisation(nodes: list[Node], index: int, blob: Any) -> int:
    """How many of the nodes from ``index`` on are a BatchNorm and perhaps its Scale, in place on ``blob``."""
    count = 0
    for wanted in ("BatchNorm", "Scale"):
        at = index + count
        if at >= len(nodes) or nodes[at].layer.type != wanted or nodes[at].tops[0] is not blob:
            break
        count += 1
    return count


def _affine(norm: list[Node]) -> tuple[torch.Tensor, torch.Tensor]:
    mean, variance, factor = (torch.from_numpy(b.data.copy()) for b in norm[0].layer.blobs)
    scale = 1 / torch.sqrt(variance / factor + norm[0].layer.param.batch_norm_param.eps)
    shift = -mean / factor * scale
    if len(norm) > 1:
        gamma, beta = (torch.from_numpy(b.data.copy()) for b in norm[1].layer.blobs)
        scale, shift = scale * gamma, shift * gamma + beta
    return scale, shift
