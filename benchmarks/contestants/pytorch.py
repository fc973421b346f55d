"""PyTorch on its CPU backend (oneDNN), eager or compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.contestants.ours import CHECKED
from benchmarks.contestants.torch_net import TorchNet
from benchmarks.tasks import Task
from pydeeplab import TEST, TRAIN, Net

MOMENTUM, DECAY, RATE = 0.9, 5e-4, 1e-6


class Torch:
    """Forward in inference mode with folded normalisation; training steps with fused SGD."""

    def __init__(self, task: Task, folder: Path, check: bool, *, channels_last: bool = False, compiled: bool = False):
        torch.set_num_threads(task.threads)
        self._results: dict[str, Any] = {}
        learn = task.kind == "train"
        file = ("check" if check else "train") if learn else "deploy"
        net = Net(folder / f"{file}.prototxt", TRAIN if learn else TEST, weights=folder / "net.caffemodel", keep="all")
        self._module: Any = TorchNet(net, learn=learn)
        self._names = list(net.outputs)
        names = ("data", "label") if learn else ("data",)
        self._inputs = [torch.from_numpy(np.load(folder / f"{name}.npy")) for name in names]
        del net
        if channels_last:
            self._module = self._module.to(memory_format=torch.channels_last)
            self._inputs = [x.to(memory_format=torch.channels_last) for x in self._inputs]
        if compiled:
            import torch._inductor.config as inductor

            inductor.freezing = True
            self._module = torch.compile(self._module)
        if learn:
            self._optimiser = torch.optim.SGD(
                [
                    {"params": parameters, "lr": RATE * rate, "weight_decay": DECAY * decay}
                    for (rate, decay), parameters in self._module.groups.items()
                ],
                momentum=MOMENTUM,
                fused=True,
            )
        self.run = (self._once if check else self._train) if learn else self._infer

    def _infer(self) -> None:
        with torch.inference_mode():
            self._results = dict(zip(self._names, self._module(*self._inputs), strict=True))

    def _train(self) -> None:
        self._optimiser.zero_grad()
        self._module(*self._inputs).backward()
        self._optimiser.step()

    def _once(self) -> None:
        loss = self._module(*self._inputs)
        loss.backward()
        self._results = {"loss": loss.detach()}
        self._results |= {name: p.grad for name, p in self._module.named.items() if p.numel() <= CHECKED}

    def results(self) -> dict[str, Any]:
        """What the last run gave."""
        return {name: value.contiguous().numpy() for name, value in self._results.items()}
