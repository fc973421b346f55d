"""Include and exclude rules against net states."""

import pytest

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import caffe_pb2, parse_net

TRAIN, TEST = caffe_pb2.TRAIN, caffe_pb2.TEST


def kept(rules, phase=TEST, level=0, stages=()):
    state = caffe_pb2.NetState(phase=phase, level=level, stage=stages)
    net = parse_net(f'layer {{ name: "always" }} layer {{ name: "a" {rules} }}').filtered(state)
    return [layer.name for layer in net.param.layer] == ["always", "a"]


@pytest.mark.parametrize(
    ("rules", "state", "expected"),
    [
        ("", {}, True),
        ("include { }", {}, True),
        ("include { phase: TRAIN }", {"phase": TRAIN}, True),
        ("include { phase: TRAIN }", {"phase": TEST}, False),
        ("exclude { phase: TRAIN }", {"phase": TRAIN}, False),
        ("exclude { phase: TRAIN }", {"phase": TEST}, True),
        ("exclude { }", {}, False),
        ("include { min_level: 2 }", {"level": 1}, False),
        ("include { min_level: 2 }", {"level": 2}, True),
        ("include { max_level: 2 }", {"level": 2}, True),
        ("include { max_level: 2 }", {"level": 3}, False),
        ("include { max_level: -1 }", {"level": 0}, False),
        ('include { stage: "a" stage: "b" }', {"stages": ["b", "a", "c"]}, True),
        ('include { stage: "a" stage: "b" }', {"stages": ["a"]}, False),
        ('include { not_stage: "a" }', {"stages": ["b"]}, True),
        ('include { not_stage: "a" not_stage: "b" }', {"stages": ["b"]}, False),
        ('include { phase: TEST stage: "a" }', {"phase": TEST}, False),
        ('include { phase: TRAIN } include { stage: "a" }', {"phase": TEST, "stages": ["a"]}, True),
        ('exclude { phase: TRAIN } exclude { stage: "a" }', {"phase": TEST, "stages": ["a"]}, False),
        ("include { phase: TEST min_level: 1 max_level: 3 }", {"phase": TEST, "level": 2}, True),
    ],
)
def test_rules(rules, state, expected):
    assert kept(rules, **state) is expected


def test_rules_of_both_kinds():
    source = parse_net('layer { name: "a" type: "ReLU"\n include { } exclude { } }', filename="f")
    with pytest.raises(PrototxtError, match=r"f:1:1: layer 'a' \(ReLU\) has both include and exclude rules"):
        source.filtered(caffe_pb2.NetState())


def test_the_rest_of_the_net_and_the_source_stay():
    source = parse_net(
        'name: "n" force_backward: true layer { name: "a" include { phase: TRAIN } } layer { name: "b" }'
    )
    filtered = source.filtered(caffe_pb2.NetState(phase=TEST))
    assert (filtered.param.name, filtered.param.force_backward) == ("n", True)
    assert len(source.param.layer) == 2
    assert filtered.where(0) == source.where(1)
