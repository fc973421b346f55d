"""Split layers: names, places, loss weights."""

import pytest

from pydeeplab.errors import PrototxtError
from pydeeplab.proto import parse_net


def layer(name, bottoms="", tops="", more=""):
    names = "".join(f' bottom: "{b}"' for b in bottoms.split()) + "".join(f' top: "{t}"' for t in tops.split())
    return f'layer {{ name: "{name}" type: "T"{names} {more} }}\n'


def split(*layers):
    net = parse_net("".join(layers)).with_splits().param
    return [(lay.name, " ".join(lay.bottom), " ".join(lay.top)) for lay in net.layer], net


def test_nothing_to_split():
    text = [layer("a", tops="x y"), layer("b", "x", "z"), layer("c", "z", "z")]
    assert split(*text)[0] == [("a", "", "x y"), ("b", "x", "z"), ("c", "z", "z")]


def test_two_readers():
    assert split(layer("a", tops="x"), layer("b", "x", "y"), layer("c", "x y", "z"))[0] == [
        ("a", "", "x"),
        ("x_a_0_split", "x", "x_a_0_split_0 x_a_0_split_1"),
        ("b", "x_a_0_split_0", "y"),
        ("c", "x_a_0_split_1 y", "z"),
    ]


def test_one_layer_reading_twice():
    assert split(layer("a", tops="x"), layer("b", "x x", "y"))[0][2] == ("b", "x_a_0_split_0 x_a_0_split_1", "y")


def test_the_last_of_several_in_place_writers_names_the_split():
    got = split(
        layer("conv", tops="res5c"),
        layer("res5c_relu", "res5c", "res5c"),
        layer("p", "res5c", "p"),
        layer("q", "res5c", "q"),
    )[0]
    assert [name for name, _, _ in got] == ["conv", "res5c_relu", "res5c_res5c_relu_0_split", "p", "q"]
    assert got[1] == ("res5c_relu", "res5c", "res5c")


def test_a_blob_read_before_and_after_an_in_place_layer():
    got = split(layer("a", tops="x"), layer("b", "x", "y"), layer("r", "x", "x"), layer("c", "x", "z"))[0]
    assert got == [
        ("a", "", "x"),
        ("x_a_0_split", "x", "x_a_0_split_0 x_a_0_split_1"),
        ("b", "x_a_0_split_0", "y"),
        ("r", "x_a_0_split_1", "x"),
        ("c", "x", "z"),
    ]


def test_several_tops():
    got = split(layer("a", tops="x y"), layer("b", "y x", "z"), layer("c", "x y", "w"))[0]
    assert [name for name, _, _ in got] == ["a", "x_a_0_split", "y_a_1_split", "b", "c"]
    assert got[3] == ("b", "y_a_1_split_0 x_a_0_split_0", "z")
    assert got[4] == ("c", "x_a_0_split_1 y_a_1_split_1", "w")


def test_net_inputs_are_split_behind_the_input_layer():
    got = split('input: "x" input_dim: [1, 1, 1, 1]', layer("a", "x", "y"), layer("b", "x", "z"))[0]
    assert got[1][0] == "x_input_0_split"


def test_a_loss_weight_counts_as_a_reader_and_moves_to_the_first_copy():
    got, net = split(layer("a", tops="x y", more="loss_weight: 3 loss_weight: 2"), layer("b", "x", "z"))
    assert got[1] == ("x_a_0_split", "x", "x_a_0_split_0 x_a_0_split_1")
    assert got[2] == ("b", "x_a_0_split_1", "z")
    assert list(net.layer[0].loss_weight) == [0, 2]
    assert list(net.layer[1].loss_weight) == [3, 0]


def test_a_zero_loss_weight_does_not_count():
    got, net = split(layer("a", tops="x", more="loss_weight: 0"), layer("b", "x", "z"))
    assert len(got) == 2
    assert list(net.layer[0].loss_weight) == [0]


def test_unknown_bottom():
    source = parse_net(layer("a", tops="pool5a") + layer("b", "pool5b", "y"), filename="f")
    with pytest.raises(PrototxtError, match=r"f:2:37: layer 'b' \(T\): bottom 'pool5b' .* Did you mean 'pool5a'"):
        source.with_splits()


def test_splitting_leaves_the_source_alone_and_does_nothing_twice():
    source = parse_net(layer("a", tops="x") + layer("b", "x", "y") + layer("c", "x", "z"))
    once = source.with_splits()
    assert len(source.param.layer) == 3
    assert once.with_splits().param == once.param
