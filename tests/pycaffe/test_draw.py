"""``caffe.draw``: graphs of nets, their DOT text and, where Graphviz is installed, their pictures."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from pydeeplab.errors import UnsupportedError, UsageError
from pydeeplab.proto import read_net
from tests.support.external import repository

NET = """
name: "a \\"small\\" net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 10 }
  convolution_param { num_output: 4 kernel_size: 3 kernel_size: 5 stride: 2 dilation: 6 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 pad: 1 } }
layer { name: "dense" type: "InnerProduct" bottom: "pool" top: "dense" inner_product_param { num_output: 7 }
  include { phase: TRAIN } }
layer { name: "cost" type: "EuclideanLoss" bottom: "dense" bottom: "pool" top: "cost" include { phase: TRAIN } }
layer { name: "guess" type: "Softmax" bottom: "pool" top: "guess" include { phase: TEST } }
"""
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.fixture
def net(caffe: Any) -> Any:
    from caffe.proto import caffe_pb2

    return text_format.Parse(NET, caffe_pb2.NetParameter())


@pytest.fixture
def draw(caffe: Any) -> Any:
    import caffe.draw

    return caffe.draw


def edges(graph: Any) -> set[tuple[str, str]]:
    return {(edge.get_source(), edge.get_destination()) for edge in graph.get_edges()}


def test_layers_and_blobs_are_joined(draw: Any, net: Any) -> None:
    graph = draw.get_pydot_graph(net, "LR", phase=0)
    assert edges(graph) == {
        ("layer: data", "blob: data"),
        ("blob: data", "layer: conv"),
        ("layer: conv", "layer: relu"),
        ("layer: relu", "layer: drop"),
        ("layer: drop", "blob: conv"),
        ("blob: conv", "layer: pool"),
        ("layer: pool", "blob: pool"),
        ("blob: pool", "layer: dense"),
        ("layer: dense", "blob: dense"),
        ("blob: dense", "layer: cost"),
        ("blob: pool", "layer: cost"),
        ("layer: cost", "blob: cost"),
    }


def test_older_formats(draw: Any, caffe: Any) -> None:
    from caffe.proto import caffe_pb2

    text = """input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5
    layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }"""
    net = text_format.Parse(text, caffe_pb2.NetParameter())
    graph = draw.get_pydot_graph(net, "LR")
    assert {("blob: x", "layer: c"), ("layer: c", "blob: c")} <= edges(graph)
    assert "kernel 3" in graph.to_string()
    assert len(net.layers) == 1


def test_phases(draw: Any, net: Any) -> None:
    def names(phase: int | None) -> set[str]:
        return {node.get_name() for node in draw.get_pydot_graph(net, "LR", phase=phase).get_nodes()}

    assert {"layer: cost", "layer: guess"} <= names(None)
    assert "layer: guess" not in names(0)
    assert "layer: cost" not in names(1)


def test_a_blob_read_before_it_is_changed_in_place(draw: Any, net: Any) -> None:
    reader = net.layer.add(name="early", type="Power", bottom=["pool"], top=["early"])
    changer = net.layer.add(name="late", type="ReLU", bottom=["pool"], top=["pool"])
    del reader, changer
    found = edges(draw.get_pydot_graph(net, "LR", phase=1))
    assert {("layer: pool", "blob: pool"), ("blob: pool", "layer: late"), ("layer: late", "blob: pool #2")} <= found


def test_labels(draw: Any, net: Any) -> None:
    conv, pool = net.layer[1], net.layer[4]
    assert draw.get_layer_label(conv, "LR") == "conv\n(Convolution)\nkernel 3x5, stride 2, dilation 6"
    assert draw.get_layer_label(conv, "TB", display_lrm=True).endswith("lr_mult 10")
    assert draw.get_layer_label(pool, "TB") == "pool  (Pooling)  AVE, kernel 2, pad 1"
    assert draw.get_layer_lr_mult(conv) == 10
    assert draw.get_layer_lr_mult(net.layer[5]) == 1
    assert [draw.get_edge_label(layer) for layer in net.layer[:6]] == ["1x3x8x8", "4", "", "", "", "7"]
    assert draw.get_pooling_types_dict()[1] == "AVE"
    labels = {edge.get_label() for edge in draw.get_pydot_graph(net, "LR").get_edges()}
    assert labels == {"", "1x3x8x8", "4", "7"}
    assert {edge.get_label() for edge in draw.get_pydot_graph(net, "LR", label_edges=False).get_edges()} == {""}


def test_families_have_colours(draw: Any) -> None:
    colours = {draw.choose_color_by_layertype(t) for t in ("Convolution", "Pooling", "InnerProduct", "SoftmaxWithLoss")}
    assert len(colours) == 4
    assert draw.choose_color_by_layertype("Eltwise") == draw.LAYER_STYLE_DEFAULT["fillcolor"]


def test_the_text_quotes_names(draw: Any, net: Any, tmp_path: Path) -> None:
    draw.draw_net_to_file(net, tmp_path / "net.dot", "BT")
    text = (tmp_path / "net.dot").read_text()
    assert text.startswith('digraph "a \\"small\\" net" {')
    assert 'rankdir="BT"' in text
    assert text.count("->") == len(draw.get_pydot_graph(net, "BT").get_edges())


@needs_dot
@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", rb"\x89PNG"), ("svg", rb"<\?xml"), ("pdf", b"%PDF"), ("jpg", rb"\xff\xd8")]
)
def test_pictures(draw: Any, net: Any, tmp_path: Path, suffix: str, magic: bytes) -> None:
    draw.draw_net_to_file(net, str(tmp_path / f"net.{suffix}"), rankdir="TB", display_lrm=True)
    assert re.match(magic, (tmp_path / f"net.{suffix}").read_bytes())
    graph = draw.get_pydot_graph(net, "LR")
    assert re.match(magic, getattr(graph, f"create_{suffix}")())
    assert getattr(graph, f"write_{suffix}")(str(tmp_path / "again")) is True
    assert re.match(magic, (tmp_path / "again").read_bytes())


@needs_dot
def test_every_layer_is_in_the_picture(draw: Any, net: Any) -> None:
    svg = draw.draw_net(net, "LR", ext="svg", phase=0).decode()
    for layer in net.layer[:7]:
        assert f">{layer.name}<" in svg


def test_without_graphviz(draw: Any, net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedError, match=r"Install Graphviz, or write a \.dot file"):
        draw.draw_net_to_file(net, tmp_path / "net.png")
    assert not (tmp_path / "net.png").exists()
    draw.draw_net_to_file(net, tmp_path / "net.dot")


def test_wrong_calls(draw: Any, net: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rankdir must be one of LR, TB, BT, RL"):
        draw.get_pydot_graph(net, "lr")
    with pytest.raises(UsageError, match="suffix"):
        draw.draw_net_to_file(net, tmp_path / "net")
    with pytest.raises(AttributeError):
        draw.get_pydot_graph(net, "LR").nonsense()


@needs_dot
def test_a_format_that_graphviz_does_not_know(draw: Any, net: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xyz"):
        draw.draw_net_to_file(net, tmp_path / "net.xyz")


def test_every_net_of_ours_can_be_drawn(draw: Any, caffe: Any) -> None:
    files = sorted((repository() / "prototxt").rglob("deploy.prototxt"))
    assert len(files) > 40
    for file in files:
        param = read_net(file).param
        graph = draw.get_pydot_graph(param, "LR", phase=1)
        drawn = {node.get_name() for node in graph.get_nodes()}
        assert {f"layer: {layer.name}" for layer in param.layer} <= drawn
        graph.to_string()
