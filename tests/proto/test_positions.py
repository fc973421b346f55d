"""The second reading finds every field where protobuf's own reading found it."""

import pytest

from pydeeplab.proto import caffe_pb2, parse_net, parse_solver
from pydeeplab.proto.positions import SourceText, scan

TEXT = """\
name: "n" # layer { } in a comment, and "quotes
layer {
  name: "x{" type: 'In' "put" top: "x"
  input_param < shape: { dim: [1, 3,
    4] dim: 5 } >
}
layer [ { name: "r" bottom: "x" bottom: "y" loss_weight: -1.5e-3 top: "r" },
        { name: "s" exclude { phase: TEST } } ]
"""


def test_fields_and_list_items_are_found():
    source = parse_net(TEXT, filename="f")
    assert [source.where(i) for i in range(3)] == ["f:2:1", "f:7:1", "f:8:9"]
    assert source.where(0, "top") == "f:3:36"
    assert [source.where(0, "input_param.shape.dim", item) for item in range(5)] == [
        "f:4:32",
        "f:4:35",
        "f:5:5",
        "f:5:13",
        "",
    ]
    assert [source.where(1, "bottom", item) for item in range(3)] == ["f:7:29", "f:7:41", ""]
    assert source.where(1, "loss_weight") == "f:7:58"
    assert source.where(2, "exclude.phase") == "f:8:38"


def test_unknown_things_have_no_position():
    source = parse_net(TEXT)
    assert source.where(0, "bottom") == ""
    assert source.where(3) == ""
    assert source.where(-1) == ""


def test_every_field_of_a_message_is_counted_as_protobuf_counts_it():
    net = parse_net(TEXT).param
    entries = [e for e in scan(TEXT)[0] if e.name == "layer"]
    for layer, entry in zip(net.layer, entries, strict=True):
        for field, value in layer.ListFields():
            count = len(value) if isinstance(value, type(net.layer[1].bottom)) else 1
            assert sum(e.name == field.name for e in entry.inside) == count, field.name


def test_the_open_blocks_of_half_a_text():
    text = "layer { a: 1 }\nlayer { convolution_param { pad: 1"
    assert [e.name for e in scan(text)[1]] == ["layer", "convolution_param"]


def test_scanning_never_fails():
    for text in ["}", "]", "[", "a [", "a: [ {", "{ } }", "a b c", "'", '"\\', ": , ;", "a: [ { b: ] }", "< }"]:
        scan(text)


def test_place_at_the_end_of_a_text():
    assert SourceText("f", "a\nbc").place(4) == "f:2:3"


def test_positions_survive_upgrades_filters_and_splits():
    source = parse_net(
        """input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4
layers { name: "a" type: RELU bottom: "x" top: "a"
  include { phase: TRAIN } }
layers { name: "b" type: CONVOLUTION bottom: "x" top: "b" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 1 kernel_size: 1 hole: 3 } }
layers { name: "c" type: ELTWISE bottom: "b" bottom: "b" top: "c" }""",
        filename="f",
    )
    test = source.filtered(caffe_pb2.NetState(phase=caffe_pb2.TEST)).with_splits()
    names = [layer.name for layer in test.param.layer]
    assert names == ["input", "b", "b_b_0_split", "c"]
    assert [test.where(i) for i in range(4)] == ["", "f:4:1", "f:4:1", "f:6:1"]
    assert test.where(1, "convolution_param.dilation") == "f:5:58"
    assert test.where(1, "param.lr_mult", 1) == "f:4:81"
    assert test.where(3, "bottom", 1) == "f:6:54"


def test_fields_of_the_first_format_are_found_within_its_inner_layer():
    source = parse_net('layers { layer { name: "r" type: "relu" } bottom: "x" top: "y" }')
    assert source.where(0, "type") == "<text>:1:34"
    assert source.where(0, "bottom") == "<text>:1:51"


def test_nets_inside_solvers_have_positions_too():
    solver = parse_solver(
        'base_lr: 0.1\ntest_net_param { name: "one" layer { name: "q" } }\n'
        'test_net_param { layers { name: "r" type: RELU bottom: "x" top: "y" } }',
        filename="s",
    )
    assert solver.where("base_lr") == "s:1:10"
    assert solver.where("momentum") == ""
    net = solver.net_source("test_net_param", 1)
    assert net.param.layer[0].type == "ReLU"
    assert net.where(0, "type") == "s:3:43"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(line_end):
    source = parse_net(TEXT.replace("\n", line_end), filename="f")
    assert source.where(1, "bottom", 1) == "f:7:41"
