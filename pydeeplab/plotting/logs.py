"""Reading training logs: Caffe's own (glog), those of `pydeeplab train`, which are worded alike, and JSON lines."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydeeplab.errors import DataError

__all__ = ["TrainingLog", "read_log"]

Curve = dict[int, float]
"""Values by iteration."""

_GLOG = re.compile(r"^[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d(?:\.\d+)?)\s+\S+ [^\]]*\] ?(.*)$")
_NUMBER = r"(-?(?:\d[\d.]*(?:e[-+]?\d+)?|nan|inf)|-?1\.#\w+)"
_LOSS = re.compile(rf"Iteration (\d+)(?: \(.*?\))?, loss = {_NUMBER}", re.IGNORECASE)
_RATE = re.compile(rf"Iteration (\d+), lr = {_NUMBER}", re.IGNORECASE)
_TESTING = re.compile(r"Iteration (\d+), Testing net \(#(\d+)\)")
_OUTPUT = re.compile(rf"\s*(Train|Test) net output #(\d+): (.+?) = {_NUMBER}", re.IGNORECASE)
_TEST_LOSS = re.compile(rf"Test loss: {_NUMBER}", re.IGNORECASE)
_SOLVING = re.compile(r"Solving (.+)")


@dataclass
class TrainingLog:
    """What a log says about a training, by iteration.

    Attributes
    ----------
    path : str
    net : str
        Name of the net, if the log has it.
    loss, lr : mapping of iteration to value
        The displayed loss (Caffe averages it over ``average_loss`` iterations) and learning rate.
    train, test : mapping of output to such a mapping
        Outputs of the training net and the test nets. Outputs of several values are numbered: ``accuracy[0]``; those of
        further test nets are called ``net 1: accuracy``.
    seconds : mapping of iteration to float
        Time since the first line, where the log has times.

    Notes
    -----
    Where a training was resumed from an earlier iteration within the log, what it did again replaces the first try.
    """

    path: str
    net: str = ""
    loss: Curve = field(default_factory=dict)
    lr: Curve = field(default_factory=dict)
    train: dict[str, Curve] = field(default_factory=dict)
    test: dict[str, Curve] = field(default_factory=dict)
    seconds: Curve = field(default_factory=dict)

    @property
    def iterations(self) -> int:
        """The last iteration that the log tells of."""
        curves = [self.loss, self.lr, *self.train.values(), *self.test.values()]
        return max((max(c) for c in curves if c), default=0)

    def curves(self, what: str) -> dict[str, Curve]:
        """Curves by name: of ``"loss"``, ``"lr"`` or ``"score"``.

        Scores are the test nets' outputs, or the training net's where nothing was tested.
        """
        if what == "score":
            return self.test or self.train
        curve = {"loss": self.loss, "lr": self.lr}[what]
        return {what: curve} if curve else {}

    def iterations_per_second(self) -> float:
        """Mean speed over the log, tests included; NaN if it has no times."""
        times = sorted(self.seconds.items())
        if len(times) < 2 or times[-1][1] <= times[0][1]:
            return math.nan
        return (times[-1][0] - times[0][0]) / (times[-1][1] - times[0][1])

    def rewind(self, iteration: int) -> None:
        """Forget everything beyond an iteration."""
        for curve in (self.loss, self.lr, self.seconds, *self.train.values(), *self.test.values()):
            for later in [i for i in curve if i > iteration]:
                del curve[later]


def read_log(path: str | os.PathLike[str]) -> TrainingLog:
    """Read a training log, of Caffe, of ours, or of JSON lines.

    JSON lines are those of `pydeeplab train --json-log`.

    Raises
    ------
    DataError
        The file cannot be read, or holds no iterations.
    """
    name = os.fspath(path)
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise DataError(f"log '{name}' does not exist") from None
    except OSError as error:
        raise DataError(f"log '{name}' cannot be read: {error.strerror}") from None
    first = next((line for line in lines if line.strip()), "")
    log = TrainingLog(name)
    if first.lstrip().startswith("{"):
        _read_json(log, lines)
    else:
        _read_text(log, lines)
    if not (log.loss or log.lr or log.train or log.test):
        raise DataError(
            f"log '{name}' tells of no iterations: expected lines such as 'Iteration 20, loss = 1.5', "
            'or JSON lines with "iteration"'
        )
    return log


def _number(text: str) -> float:
    """A number as C prints it; Windows' ``1.#QNAN`` and ``1.#INF`` too."""
    if "#" in text:
        return math.inf if "INF" in text.upper() else math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


class _Outputs:
    """Outputs of one phase as they come: the names of several values are told apart once all are known."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str, int], Curve] = {}

    def add(self, net: int, name: str, index: int, iteration: int, value: float) -> None:
        self.values.setdefault((net, name, index), {})[iteration] = value

    def rewind(self, iteration: int) -> None:
        for curve in self.values.values():
            for later in [i for i in curve if i > iteration]:
                del curve[later]

    def named(self) -> dict[str, Curve]:
        curves = {}
        for net, name, index in sorted(self.values, key=lambda key: (key[0], key[2])):
            same = sorted(k[2] for k in self.values if k[:2] == (net, name))
            label = name if len(same) == 1 else f"{name}[{same.index(index)}]"
            if self.values[net, name, index]:
                curves[f"net {net}: {label}" if net else label] = self.values[net, name, index]
        return curves


def _read_text(log: TrainingLog, lines: Iterable[str]) -> None:
    outputs = {"train": _Outputs(), "test": _Outputs()}
    iteration = net = 0
    start: datetime | None = None
    for line in lines:
        match = _GLOG.match(line)
        text = match[6] if match else line
        if found := _LOSS.search(text):
            iteration = _step_to(log, outputs.values(), int(found[1]), iteration)
            log.loss[iteration] = _number(found[2])
            if match and (time := _time(match)):
                start = start or time
                log.seconds[iteration] = (time - start).total_seconds()
        elif found := _OUTPUT.match(text):
            phase = found[1].lower()
            number = net if phase == "test" else 0
            outputs[phase].add(number, found[3], int(found[2]), iteration, _number(found[4]))
        elif found := _RATE.search(text):
            iteration = _step_to(log, outputs.values(), int(found[1]), iteration)
            log.lr[iteration] = _number(found[2])
        elif found := _TESTING.search(text):
            iteration, net = _step_to(log, outputs.values(), int(found[1]), iteration), int(found[2])
        elif found := _TEST_LOSS.search(text):
            outputs["test"].add(net, "test loss", -1, iteration, _number(found[1]))
        elif found := _SOLVING.match(text):
            log.net = found[1].strip()
    log.train, log.test = outputs["train"].named(), outputs["test"].named()


def _step_to(log: TrainingLog, outputs: Iterable[_Outputs], iteration: int, before: int) -> int:
    """Note that the log has come to an iteration; forget what lies beyond it if the training was set back."""
    if iteration < before:
        log.rewind(iteration)
        for phase in outputs:
            phase.rewind(iteration)
    return iteration


def _time(match: re.Match[str]) -> datetime | None:
    """The time of a glog line, which does not tell the year."""
    month, day, hour, minute, seconds = match.group(1, 2, 3, 4, 5)
    text = f"2000-{month}-{day} {hour}:{minute}:{float(seconds):09.6f}"
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")
    except ValueError:
        return None


def _read_json(log: TrainingLog, lines: Iterable[str]) -> None:
    before, start = 0, None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            if number == 1:
                raise DataError(f"log '{log.path}': line 1 begins with a brace, but is no JSON") from None
            continue
        event = entry.get("event") if isinstance(entry, dict) else None
        iteration = entry.get("iteration") if event in ("start", "train", "test", "end") else None
        if not isinstance(iteration, int):
            continue
        before = _step_to(log, (), iteration, before)
        if event == "start":
            log.net = str(entry.get("net", log.net))
        elif event == "test":
            _put_test(log, iteration, entry)
        else:
            _put(log.loss, iteration, entry.get("loss"))
            _put(log.lr, iteration, entry.get("lr"))
            _put_all(log.train, iteration, entry.get("outputs"))
            time = entry.get("time")
            if isinstance(time, int | float):
                start = time if start is None else start
                log.seconds[iteration] = time - start


def _put_test(log: TrainingLog, iteration: int, entry: dict[str, Any]) -> None:
    net = entry.get("net", 0)
    before = f"net {net}: " if net else ""
    _put_all(log.test, iteration, entry.get("outputs"), before)
    if "loss" in entry:
        _put_all(log.test, iteration, {"test loss": entry["loss"]}, before)


def _put(curve: Curve, iteration: int, value: Any) -> None:
    """Add a number; text stands for one that is not finite."""
    if isinstance(value, str):
        value = _number(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        curve[iteration] = float(value)


def _put_all(curves: dict[str, Curve], iteration: int, values: Any, before: str = "") -> None:
    for name, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, list):
            for index, item in enumerate(value):
                _put(curves.setdefault(f"{before}{name}[{index}]", {}), iteration, item)
        else:
            _put(curves.setdefault(before + name, {}), iteration, value)
