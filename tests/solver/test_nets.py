"""Which nets a solver builds, from where and in which state."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydeeplab.errors import PrototxtError, UsageError
from pydeeplab.solver import Solver, get_solver

LAYER = 'layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } } }'
STAGED = "".join(
    f'layer {{ name: "{name}" type: "Power" bottom: "x" top: "{name}" include {{ {rule} }} }}'
    for name, rule in (
        ("train", "phase: TRAIN"),
        ("test", "phase: TEST"),
        ("fast", 'stage: "fast"'),
        ("slow", 'stage: "slow"'),
        ("high", "min_level: 2"),
    )
)
BASE = 'base_lr: 1 lr_policy: "fixed" '


def build(folder: Path, text: str, **options: object) -> Solver:
    (folder / "net.prototxt").write_text(f'name: "n" {LAYER} {STAGED}')
    (folder / "other.prototxt").write_text(f'name: "o" {LAYER}')
    (folder / "solver.prototxt").write_text(BASE + text)
    return get_solver(folder / "solver.prototxt", observers=[], **options)


def names(net) -> set[str]:
    return set(net.layer_dict) & {"train", "test", "fast", "slow", "high"}


class TestTrainNet:
    @pytest.mark.parametrize(
        "text",
        [
            'net: "net.prototxt"',
            'train_net: "net.prototxt"',
            f'net_param {{ name: "n" {LAYER} {STAGED} }}',
            f'train_net_param {{ name: "n" {LAYER} {STAGED} }}',
        ],
    )
    def test_sources(self, tmp_path: Path, text: str) -> None:
        solver = build(tmp_path, text)
        assert solver.net.name == "n"
        assert names(solver.net) == {"train"}
        assert solver.test_nets == []

    def test_the_working_folder_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        here = tmp_path / "here"
        here.mkdir()
        (here / "net.prototxt").write_text(f'name: "nearer" {LAYER}')
        monkeypatch.chdir(here)
        assert build(tmp_path, 'net: "net.prototxt"').net.name == "nearer"

    def test_state(self, tmp_path: Path) -> None:
        solver = build(tmp_path, 'net: "net.prototxt" train_state { stage: "slow" level: 2 }', stages=["fast"])
        assert names(solver.net) == {"train", "fast", "slow", "high"}

    def test_level_of_the_command_line(self, tmp_path: Path) -> None:
        assert names(build(tmp_path, 'net: "net.prototxt"', level=3).net) == {"train", "high"}


class TestTestNets:
    def test_from_net(self, tmp_path: Path) -> None:
        solver = build(tmp_path, 'net: "net.prototxt" test_iter: 1 test_iter: 2 test_interval: 5')
        assert [names(net) for net in solver.test_nets] == [{"test"}] * 2

    def test_order_and_states(self, tmp_path: Path) -> None:
        solver = build(
            tmp_path,
            f'net: "net.prototxt" test_net: "other.prototxt" test_net_param {{ name: "p" {LAYER} }} '
            "test_iter: 1 test_iter: 1 test_iter: 1 test_interval: 5 "
            'test_state {} test_state {} test_state { stage: "fast" }',
        )
        assert [net.name for net in solver.test_nets] == ["p", "o", "n"]
        assert names(solver.test_nets[2]) == {"test", "fast"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_iter: 3", r"exactly one net.*got none"),
        ('net: "net.prototxt" train_net: "net.prototxt"', "got train_net and net"),
        ('net: "nets.prototxt"', r"solver\.prototxt:1:\d+: net 'nets\.prototxt' does not exist"),
        ('net: "net.prototxt" test_iter: 1', "no test_interval above 0"),
        ('train_net: "net.prototxt" test_iter: 1 test_interval: 1', "0 nets, 1 test_iter"),
        ('train_net: "net.prototxt" test_net: "net.prototxt"', "1 nets, 0 test_iter"),
        ('net: "net.prototxt" test_iter: 1 test_interval: 1 test_state {} test_state {}', "1 nets, 2 states"),
        ('net: "net.prototxt" type: "SDG"', r"unknown solver type 'SDG'.*Did you mean 'SGD'"),
        ('net: "net.prototxt" type: "AdaGrad" momentum: 0.9', "AdaGrad has no momentum"),
        ('net: "net.prototxt" type: "RMSProp" rms_decay: 1', r"rms_decay must lie in \[0, 1\)"),
        ('net: "net.prototxt" regularization_type: "L3"', "unknown regularization_type 'L3'"),
    ],
)
def test_refusals(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PrototxtError, match=says):
        build(tmp_path, text)


@pytest.mark.parametrize("text", ["iter_size: 0", "average_loss: 0", "display: -1", "snapshot: -1", "max_iter: -5"])
def test_senseless_numbers(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=f"solver.prototxt:1:.*{text.split(':')[0]} must be at least"):
        build(tmp_path, f'net: "net.prototxt" {text}')
