"""Placeholders: where they are replaced, what happens to positions, what is said about unset ones."""

import pytest

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import parse_net

NET = """\
name: "${NET}"   # by ${USER}, who is not needed
layer { name: "c" type: "Convolution" bottom: "x" top: "${A}${B}"
  convolution_param { num_output: ${N} kernel_size: ${K} } }
layer { name: "x" type: "Input" top: "x" } layer { name: "r" type: "ReLU" bottom: 'a${B}' top: "r" }
"""
VALUES = {"NET": "voc12", "A": "long name ", "B": "'b\\", "N": 21, "K": "3 stride: 2"}


def test_values_inside_and_outside_strings():
    net = parse_net(NET, defines=VALUES).param
    assert net.name == "voc12"
    assert net.layer[0].top[0] == "long name 'b\\"
    assert net.layer[0].convolution_param.num_output == 21
    assert list(net.layer[0].convolution_param.stride) == [2]
    assert net.layer[2].bottom[0] == "a'b\\"


def test_positions_are_those_of_the_template():
    source = parse_net(NET, defines=VALUES)
    assert source.where(0, "top") == "<text>:2:56"
    assert source.where(0, "convolution_param.num_output") == "<text>:3:35"
    assert source.where(0, "convolution_param.kernel_size") == "<text>:3:53"
    assert source.where(2, "type") == "<text>:4:68"
    assert source.where(2, "top") == "<text>:4:96"


def test_positions_of_syntax_errors_are_those_of_the_template():
    text = 'layer { name: "${A}" typ: "x" }'
    with pytest.raises(PrototxtError, match=r"^<text>:1:22: .*Did you mean 'type'"):
        parse_net(text, defines={"A": "something much longer than its placeholder"})


def test_unset_variables_are_all_named_with_the_first_place_and_the_option():
    with pytest.raises(PrototxtError) as info:
        parse_net(NET, filename="train.prototxt", defines={"NET": "x", "KERNEL": 3, "A": "", "B": ""})
    assert str(info.value).startswith("train.prototxt:3:35: ${N} has no value (also without a value: K).")
    assert "--define N=value" in str(info.value)


def test_a_misspelt_define_is_recognised():
    with pytest.raises(PrototxtError, match="Did you mean 'NUM_LABEL'"):
        parse_net("name: '${NUM_LABELS}'", defines={"NUM_LABEL": 21})


def test_malformed_names():
    with pytest.raises(PrototxtError, match=r"<text>:1:8: \$\{a b\} is no placeholder"):
        parse_net('name: "${a b}" layer { }', defines={"a b": 1})


def test_a_value_with_a_line_break_does_not_shift_lines():
    source = parse_net('name: "${A}"\nlayer { name: "x" type: "Input" top: "x" }', defines={"A": "1\n2"})
    assert source.param.name == "1\n2"
    assert source.where(0) == "<text>:2:1"


def test_text_without_placeholders_needs_no_defines():
    assert parse_net('name: "$5 {x}" layer { name: "a" }').param.name == "$5 {x}"
