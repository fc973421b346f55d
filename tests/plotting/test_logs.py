"""Reading training logs, and `pydeeplab plot`."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest

from pydeeplab.cli import main
from pydeeplab.errors import DataError
from pydeeplab.plotting import read_log
from pydeeplab.solver.events import Display, Observer, Output, Score
from pydeeplab.solver.log import GlogLog, JsonLog
from tests.support.external import shared

TEXT = """\
Log file created at: 2017/09/08 19:35:38
I0908 23:59:58.000000  4937 solver.cpp:272] Solving tiny net
I0908 23:59:58.000000  4937 solver.cpp:330] Iteration 0, Testing net (#0)
I0908 23:59:58.500000  4937 solver.cpp:397]     Test net output #0: accuracy = 0.25
I0908 23:59:58.500000  4937 solver.cpp:397]     Test net output #1: loss = 2.5 (* 1 = 2.5 loss)
I0908 23:59:58.600000  4937 solver.cpp:330] Iteration 0, Testing net (#1)
I0908 23:59:58.700000  4937 solver.cpp:397]     Test net output #0: accuracy = 0.125
I0908 23:59:59.000000  4937 solver.cpp:218] Iteration 0 (-1.4013e-45 iter/s, 0.5s/10 iters), loss = 3.5
I0908 23:59:59.000000  4937 solver.cpp:237]     Train net output #0: seg = 0.5
I0908 23:59:59.000000  4937 solver.cpp:237]     Train net output #1: seg = 0.25
I0908 23:59:59.000000  4937 sgd_solver.cpp:105] Iteration 0, lr = 1e-05
I0909 00:00:03.000000  4937 solver.cpp:218] Iteration 10 (2.5 iter/s, 4s/10 iters), loss = 1.25e+01
I0909 00:00:03.000000  4937 solver.cpp:237]     Train net output #0: seg = 0.75
I0909 00:00:03.000000  4937 solver.cpp:237]     Train net output #1: seg = 0.5
I0909 00:00:03.000000  4937 sgd_solver.cpp:105] Iteration 10, lr = 5e-06
W0909 00:00:07.000000  4937 solver.cpp:218] Iteration 20, loss = nan
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "train.log"
    path.write_text(TEXT)
    return path


def test_caffe_logs(log: Path) -> None:
    read = read_log(log)
    assert read.net == "tiny net"
    assert read.loss[0] == 3.5
    assert read.loss[10] == 12.5
    assert math.isnan(read.loss[20])
    assert read.lr == {0: 1e-5, 10: 5e-6}
    assert read.test == {"accuracy": {0: 0.25}, "loss": {0: 2.5}, "net 1: accuracy": {0: 0.125}}
    assert read.train == {"seg[0]": {0: 0.5, 10: 0.75}, "seg[1]": {0: 0.25, 10: 0.5}}
    assert read.iterations == 20
    assert read.iterations_per_second() == pytest.approx(20 / 8)


def test_resumed_trainings_replace_what_they_repeat(log: Path) -> None:
    with log.open("a") as file:
        file.write("I0909 00:01:00.000000 1 solver.cpp:218] Iteration 10, loss = 7\n")
        file.write("I0909 00:01:01.000000 1 solver.cpp:218] Iteration 15, loss = 6\n")
    read = read_log(log)
    assert read.loss == {0: 3.5, 10: 7, 15: 6}
    assert read.lr[10] == 5e-6


def train(*observers: Observer) -> None:
    """Tell observers of a training, and of its second half once more after a resume."""
    for observer in observers:
        for start, offset in ((0, 0.0), (20, 1.0)):
            observer.started("tiny", "fixed", start)
            for iteration in range(start, 50, 10):
                if iteration % 20 == 0:
                    for net, loss in ((0, 0.5), (1, None)):
                        observer.testing(iteration, net)
                        score = 0.25 + iteration / 100
                        observer.tested(Score(iteration, net, [Output("miou", score), Output("acc", 0.5)], loss))
                outputs = [Output("seg", 0.5), Output("seg", 0.25), Output("loss", 2.5, 1.0)]
                loss = math.nan if iteration == 40 else 2.5 + iteration + offset
                observer.displayed(Display(iteration, loss, outputs, 0.5, 10))
                observer.rated(iteration, 0.125)
            observer.finished(50, False, 1.5)


def test_logs_of_our_own_training_say_the_same(tmp_path: Path) -> None:
    text, lines = io.StringIO(), io.StringIO()
    clocks = [iter(1e9 + i / 64 for i in range(10**6)) for _ in range(2)]
    train(GlogLog(text, header=True, clock=lambda: next(clocks[0])), JsonLog(lines, clock=lambda: next(clocks[1])))
    (tmp_path / "log").write_text(text.getvalue())
    (tmp_path / "jsonl").write_text(lines.getvalue() + '{"event": "train", "iteration": 60, "lo')
    for read in (read_log(tmp_path / "log"), read_log(tmp_path / "jsonl")):
        assert read.net == "tiny"
        assert math.isnan(read.loss.pop(40))
        assert read.loss == {0: 2.5, 10: 12.5, 20: 23.5, 30: 33.5, 50: 1.5}
        assert read.lr == dict.fromkeys((0, 10, 20, 30, 40), 0.125)
        scores = {0: 0.25, 20: 0.45, 40: 0.65}
        assert read.test["miou"] == read.test["net 1: miou"] == scores
        assert read.test["test loss"] == dict.fromkeys(scores, 0.5)
        assert read.train["seg[1]"] == dict.fromkeys((0, 10, 20, 30, 40), 0.25)
        assert sorted(read.test) == ["acc", "miou", "net 1: acc", "net 1: miou", "test loss"]
        assert sorted(read.train) == ["loss", "seg[0]", "seg[1]"]
        assert read.iterations == 50
        assert 0 < read.iterations_per_second() < 1000


@pytest.mark.parametrize(("text", "message"), [("", "no iterations"), ("hello\n", "no iterations"), ("{x", "no JSON")])
def test_what_is_no_log(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.log").write_text(text)
    with pytest.raises(DataError, match=message):
        read_log(tmp_path / "x.log")
    with pytest.raises(DataError, match="does not exist"):
        read_log(tmp_path / "y.log")


def test_a_real_log() -> None:
    read = read_log(shared("data/caffe_logs/deeplab_largefov_train.log"))
    assert read.net == "food17"
    assert len(read.loss) == 251
    assert read.loss[0] == 2.79131
    assert read.lr[0] == 1e-4
    assert read.lr[2490] == 1e-5
    assert sorted(read.train) == ["accuracy[0]", "accuracy[1]", "accuracy[2]"]


def test_the_table(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(log)]) == 0
    shown = capsys.readouterr().out
    for part in ("train", "tiny net", "20", "3.5", "5e-06", "2.5", "net 1: accuracy 0.125"):
        assert part in shown
    assert main(["plot", str(log), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["last_loss"] is None
    assert (entry["lowest_loss"], entry["lowest_loss_at"], entry["iterations"]) == (3.5, 0, 20)


def test_charts(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "b" / "train.log"
    other.parent.mkdir()
    other.write_text(TEXT.replace("loss = 3.5", "loss = 1.5"))
    out = tmp_path / "c.csv"
    assert main(["plot", str(log), str(other), "-o", str(out)]) == 0
    header, first, *_ = out.read_text().splitlines()
    assert header.endswith("/train,b/train")
    assert first == "0,3.5,1.5"
    assert main(["plot", str(log), "-o", str(out), "--what", "lr"]) == 0
    assert out.read_text().splitlines() == ["iteration,lr", "0,1e-05", "10,5e-06"]
    assert main(["plot", str(log), "-o", str(out), "--what", "score", "--only", "accuracy"]) == 0
    assert out.read_text().splitlines() == ["iteration,accuracy", "0,0.25"]
    svg = tmp_path / "c.svg"
    assert main(["plot", str(log), "-o", str(svg), "--smooth", "2", "--title", "Our loss"]) == 0
    assert "Our loss" in svg.read_text()
    assert svg.read_text().count('stroke-opacity="0.35"') == 1
    assert svg.read_text().count('stroke-width="2"') == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "x.pdf"], 2, "ends with .csv, .png, .svg"),
        (["--smooth", "0"], 2, "at least 1"),
        (["--size", "5"], 2, "WIDTHxHEIGHT"),
        (["-o", "x.csv", "--what", "score", "--only", "miou"], 2, "it has accuracy, loss"),
    ],
)
def test_wrong_usage(
    log: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert main(["plot", str(log), *arguments]) == code
    assert message in capsys.readouterr().err


def test_nothing_to_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.log").write_text("Iteration 3, loss = 2\n")
    assert main(["plot", str(tmp_path / "x.log"), "-o", str(tmp_path / "x.png"), "--what", "lr"]) == 1
    assert "no learning rate in" in capsys.readouterr().err
