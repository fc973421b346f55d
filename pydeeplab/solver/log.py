"""Logs: lines in the words of Caffe and glog, and lines of JSON."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable
from typing import IO, Any

from pydeeplab.glog import least_level, log_line
from pydeeplab.json_values import json_ready
from pydeeplab.solver.events import Display, Observer, Output, Score

__all__ = ["GlogLog", "JsonLog", "default_observers"]

Clock = Callable[[], float]


class _Sink:
    """Writes to a stream until that fails (a closed pipe, a full disk): training must not end for the sake of a log."""

    def __init__(self, stream: IO[str]):
        self._stream: IO[str] | None = stream

    def write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._stream = None
            warnings.warn(f"logging stops: {error}", RuntimeWarning, stacklevel=2)


class GlogLog(Observer):
    """Writes what Caffe's `train` writes, so that scripts made for its logs read ours.

    Parameters
    ----------
    stream : text file
    header : bool
        Begin with the three lines that head a log file.
    """

    def __init__(self, stream: IO[str], *, header: bool = False, clock: Clock = time.time):
        self._sink = _Sink(stream)
        self._clock = clock
        if header:
            now = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(clock()))
            self._sink.write(
                f"Log file created at: {now}\nRunning on machine: {socket.gethostname()}\n"
                "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n"
            )

    def _line(self, place: str, text: str, severity: str = "I") -> None:
        self._sink.write(log_line(severity, self._clock(), place, text) + "\n")

    def note(self, text: str, place: str = "solver.cpp:0") -> None:
        self._line(place, text)

    def warned(self, iteration: int, text: str) -> None:
        self._line("solver.cpp:0", text, "W")

    def started(self, net: str, policy: str, iteration: int) -> None:
        self._line("solver.cpp:272", f"Solving {net}")
        self._line("solver.cpp:273", f"Learning Rate Policy: {policy}")

    def displayed(self, display: Display) -> None:
        per_second = display.iterations / display.seconds if display.seconds else 0.0
        speed = f"{per_second:g} iter/s, {display.seconds:g}s/{display.iterations} iters"
        self._line("solver.cpp:218", f"Iteration {display.iteration} ({speed}), loss = {display.loss:g}")
        self._outputs("Train", "solver.cpp:237", display.outputs)

    def _outputs(self, phase: str, place: str, outputs: list[Output]) -> None:
        for index, output in enumerate(outputs):
            loss = ""
            if output.loss_weight:
                loss = f" (* {output.loss_weight:g} = {output.loss_weight * output.value:g} loss)"
            self._line(place, f"    {phase} net output #{index}: {output.name} = {output.value:g}{loss}")

    def rated(self, iteration: int, rate: float) -> None:
        self._line("sgd_solver.cpp:105", f"Iteration {iteration}, lr = {rate:g}")

    def testing(self, iteration: int, net: int) -> None:
        self._line("solver.cpp:330", f"Iteration {iteration}, Testing net (#{net})")

    def tested(self, score: Score) -> None:
        if score.loss is not None:
            self._line("solver.cpp:362", f"Test loss: {score.loss:g}")
        self._outputs("Test", "solver.cpp:397", score.outputs)

    def saved(self, iteration: int, weights: str, state: str) -> None:
        kind = "HDF5" if state.endswith(".h5") else "binary proto"
        self._line("solver.cpp:447", f"Snapshotting to {kind} file {weights}")
        self._line("sgd_solver.cpp:273", f"Snapshotting solver state to {kind} file {state}")

    def finished(self, iteration: int, early: bool, loss: float | None) -> None:
        if early:
            self._line("solver.cpp:295", "Optimization stopped early.")
            return
        if loss is not None:
            self._line("solver.cpp:310", f"Iteration {iteration}, loss = {loss:g}")
        self._line("solver.cpp:315", "Optimization Done.")


class JsonLog(Observer):
    """Writes one JSON object per line: ``event`` is start, train, test, snapshot, warning, note or end.

    A train line has iteration, loss (smoothed), lr, seconds and outputs; a blob of several numbers is a list.
    """

    def __init__(self, stream: IO[str], *, clock: Clock = time.time):
        self._sink = _Sink(stream)
        self._clock = clock
        self._display: Display | None = None

    def _write(self, event: str, **fields: Any) -> None:
        record = {"event": event, "time": round(self._clock(), 3), **fields}
        self._sink.write(json.dumps(json_ready(record, as_text=True), allow_nan=False) + "\n")

    def note(self, text: str, place: str = "solver.cpp:0") -> None:
        self._write("note", text=text.strip())

    def warned(self, iteration: int, text: str) -> None:
        self._write("warning", iteration=iteration, text=text)

    def started(self, net: str, policy: str, iteration: int) -> None:
        self._write("start", net=net, lr_policy=policy, iteration=iteration, pid=os.getpid())

    def displayed(self, display: Display) -> None:
        self._display = display

    def rated(self, iteration: int, rate: float) -> None:
        shown, self._display = self._display, None
        if shown is not None:
            self._write(
                "train",
                iteration=iteration,
                loss=shown.loss,
                lr=float(f"{rate:.8g}"),
                seconds=round(shown.seconds, 6),
                outputs=_by_name(shown.outputs),
            )

    def tested(self, score: Score) -> None:
        loss = {} if score.loss is None else {"loss": score.loss}
        self._write("test", iteration=score.iteration, net=score.net, **loss, outputs=_by_name(score.outputs))

    def saved(self, iteration: int, weights: str, state: str) -> None:
        self._write("snapshot", iteration=iteration, weights=weights, state=state)

    def finished(self, iteration: int, early: bool, loss: float | None) -> None:
        self._write("end", iteration=iteration, early=early, **({} if loss is None else {"loss": loss}))


def _by_name(outputs: list[Output]) -> dict[str, float | list[float]]:
    values: dict[str, list[float]] = {}
    for output in outputs:
        values.setdefault(output.name, []).append(output.value)
    return {name: numbers[0] if len(numbers) == 1 else numbers for name, numbers in values.items()}


def default_observers() -> list[Observer]:
    """A log on stderr, unless glog's environment variable or `pydeeplab.init_log` asks for warnings only."""
    quiet = least_level() > 0 or logging.getLogger("pydeeplab").level > logging.INFO
    return [] if quiet else [GlogLog(sys.stderr)]
