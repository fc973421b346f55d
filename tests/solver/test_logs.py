"""The log in Caffe's words, as the usual log parsers read it, and the JSON log."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from pydeeplab.solver import GlogLog, JsonLog, get_solver
from tests.solver.problem import write_problem

LINE = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.]+:\d+\] (.*)")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    plain, lines = io.StringIO(), io.StringIO()
    path = write_problem(tmp_path_factory.mktemp("log"), extra="test_compute_loss: true")
    get_solver(path, observers=[GlogLog(plain, header=True), JsonLog(lines)]).solve()
    return plain.getvalue(), lines.getvalue()


def parse(text: str) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Rows for training and testing, found as Caffe's log parser finds them."""
    rows: dict[str, list[dict[str, float]]] = {"Train": [], "Test": []}
    iteration, rate = -1, float("nan")
    for line in text.splitlines():
        if found := re.search(r"Iteration (\d+)", line):
            iteration = int(found[1])
        if iteration == -1:
            continue
        if found := re.search(r"lr = ([-+]?[0-9]*\.?[0-9]+([eE]?[-+]?[0-9]+)?)", line):
            rate = float(found[1])
            for row in rows["Train"]:
                if row["iteration"] == iteration:
                    row["lr"] = rate
        for phase in rows:
            if found := re.search(rf"{phase} net output #(\d+): (\S+) = ([\.\deE+-]+)", line):
                if not rows[phase] or rows[phase][-1]["iteration"] != iteration:
                    rows[phase].append({"iteration": iteration})
                rows[phase][-1][found[2]] = float(found[3])
    return rows["Train"], rows["Test"]


class TestGlog:
    def test_every_line_has_its_head(self, texts: tuple[str, str]) -> None:
        lines = texts[0].splitlines()
        assert lines[0].startswith("Log file created at: ")
        assert lines[1].startswith("Running on machine: ")
        assert lines[2] == "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg"
        solving = next(i for i, line in enumerate(lines) if "] Solving small" in line)
        assert all(LINE.match(line) for line in lines[solving:])

    def test_parsers_find_losses_rates_and_scores(self, texts: tuple[str, str]) -> None:
        train, test = parse(texts[0])
        assert [row["iteration"] for row in train] == [0, 2, 4, 6, 8, 10]
        assert train[0]["lr"] == pytest.approx(0.01)
        assert train[3]["lr"] == pytest.approx(0.01 * 0.5**0.9, rel=1e-5)
        assert all(0 < row["loss"] < 20 for row in train)
        assert [row["iteration"] for row in test] == [0, 5, 10]
        assert all(0 <= row["accuracy"] <= 1 and row["loss"] > 0 for row in test)

    def test_wording(self, texts: tuple[str, str]) -> None:
        messages = [m[1] for line in texts[0].splitlines() if (m := LINE.match(line))]
        number = r"[-+.\de]+"
        expected = [
            r"Creating training net from net file: net\.prototxt",
            r"Creating test net \(#0\) from net file: net\.prototxt",
            r"Solving small",
            r"Learning Rate Policy: poly",
            r"Iteration 0, Testing net \(#0\)",
            rf"Test loss: {number}",
            rf"    Test net output #0: accuracy = {number}",
            rf"    Test net output #1: loss = {number} \(\* 1 = {number} loss\)",
            rf"Iteration 0 \({number} iter/s, {number}s/0 iters\), loss = {number}",
            rf"    Train net output #0: loss = {number} \(\* 1 = {number} loss\)",
            r"Iteration 0, lr = 0\.01",
            rf"Iteration 2 \({number} iter/s, {number}s/2 iters\), loss = {number}",
            r"Snapshotting to binary proto file .*run_iter_4\.caffemodel",
            r"Snapshotting solver state to binary proto file .*run_iter_4\.solverstate",
            r"Iteration 5, Testing net \(#0\)",
            rf"Iteration 12, loss = {number}",
            r"Optimization Done\.",
        ]
        rest = iter(messages)
        for pattern in expected:
            assert any(re.fullmatch(pattern, message) for message in rest), f"not found, or not in order: {pattern}"

    def test_a_broken_stream_does_not_stop_training(self, tmp_path: Path) -> None:
        stream = io.StringIO()
        solver = get_solver(write_problem(tmp_path), observers=[GlogLog(stream)])
        stream.close()
        with pytest.warns(RuntimeWarning, match="logging stops"):
            solver.solve()
        assert solver.iter == 12


class TestJson:
    def test_events(self, texts: tuple[str, str]) -> None:
        events = [json.loads(line) for line in texts[1].splitlines()]
        kinds = [event["event"] for event in events if event["event"] != "note"]
        assert kinds[:3] == ["start", "test", "train"]
        assert kinds[-1] == "end"
        train = [event for event in events if event["event"] == "train"]
        assert [event["iteration"] for event in train] == [0, 2, 4, 6, 8, 10]
        assert train[0]["lr"] == pytest.approx(0.01)
        assert set(train[0]["outputs"]) == {"loss"}
        assert [e["iteration"] for e in events if e["event"] == "snapshot"] == [4, 8, 12]
        assert set(next(e for e in events if e["event"] == "test")["outputs"]) == {"accuracy", "loss"}

    def test_numbers_that_are_none(self) -> None:
        stream = io.StringIO()
        JsonLog(stream).finished(3, True, float("nan"))
        assert json.loads(stream.getvalue())["loss"] == "nan"


def test_debug_info(tmp_path: Path) -> None:
    stream = io.StringIO()
    path = write_problem(tmp_path, extra="debug_info: true clip_gradients: 0.1")
    get_solver(path, observers=[GlogLog(stream)]).step(2)
    messages = [m[1] for line in stream.getvalue().splitlines() if (m := LINE.match(line))]
    number = r"[-+.\de]+"
    for pattern in (
        rf"    \[Forward\] Layer conv, top blob conv data: {number}",
        rf"    \[Forward\] Layer conv, param blob 0 data: {number}",
        rf"    \[Backward\] Layer loss, bottom blob fc diff: {number}",
        rf"    \[Backward\] Layer conv, param blob 1 diff: {number}",
        rf"    \[Backward\] All net params \(data, diff\): L1 norm = \({number}, {number}\); L2 norm = "
        rf"\({number}, {number}\)",
    ):
        found = [message for message in messages if re.fullmatch(pattern, message)]
        assert len(found) == 2, f"once in each of the two passes of iteration 0: {pattern}"
    assert any(re.fullmatch(rf"    \[Update\] Layer fc, param 1 data: {number}; diff: {number}", m) for m in messages)
    assert any(
        re.match(r"Gradient clipping: scaling down gradients \(L2 norm .* > 0.1\) by scale factor ", m)
        for m in messages
    )
