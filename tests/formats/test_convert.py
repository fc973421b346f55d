"""The convert command."""

import hashlib
import json

import numpy as np
import pytest

from pydeeplab.cli import main
from pydeeplab.formats import (
    SolverState,
    read_mean,
    read_solver_state,
    read_weights,
    save_weights,
    write_mean,
    write_solver_state,
)
from pydeeplab.proto import caffe_pb2

from .support import counted, layer, weights


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder, the working one, with a.caffemodel of two layers."""
    monkeypatch.chdir(tmp_path)
    save_weights("a.caffemodel", weights(layer("conv", "Convolution", (2, 3), (2,)), layer("scale", "Scale", (2,))))
    return tmp_path


def test_formats(files, capsys):
    for source, target in (("a.caffemodel", "b.h5"), ("b.h5", "c.npz"), ("c.npz", "d.caffemodel")):
        assert main(["convert", source, target]) == 0
        assert capsys.readouterr().out == f"wrote {target}: 3 blobs, 10 values\n"
    a, d = read_weights("a.caffemodel").arrays(), read_weights("d.caffemodel").arrays()
    assert a.keys() == d.keys()
    assert all(np.array_equal(a[key], d[key]) for key in a)
    assert main(["convert", "a.caffemodel", "--diff", "d.caffemodel"]) == 0
    assert "hold the same: 3 blobs equal, 0 not" in capsys.readouterr().out


def test_a_v1_caffemodel_keeps_its_parameters(files):
    net = caffe_pb2.NetParameter(name="old")
    conv = net.layers.add(name="c", type=caffe_pb2.V1LayerParameter.CONVOLUTION, bottom=["x"], top=["c"])
    conv.convolution_param.num_output = 2
    conv.blobs_lr.extend([1, 2])
    conv.blobs.add(num=2, channels=1, height=1, width=1, data=[3, 4])
    conv.blobs.add(num=1, channels=1, height=1, width=2, data=[5, 6])
    (files / "old.caffemodel").write_bytes(net.SerializeToString())
    assert main(["convert", "old.caffemodel", "new.caffemodel"]) == 0
    new = caffe_pb2.NetParameter.FromString((files / "new.caffemodel").read_bytes())
    assert not new.layers
    assert new.layer[0].type == "Convolution"
    assert new.layer[0].convolution_param.num_output == 2
    assert [p.lr_mult for p in new.layer[0].param] == [1, 2]
    assert [list(b.shape.dim) for b in new.layer[0].blobs] == [[2, 1, 1, 1], [2]]
    assert list(new.layer[0].blobs[1].data) == [5, 6]


def test_net_gives_parameters_order_and_shared_blobs(files):
    (files / "net.prototxt").write_text(
        """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }
           layer { name: "scale" type: "Scale" bottom: "x" top: "x" }
           layer { name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 }
                   param { name: "w" } param { name: "b" } }
           layer { name: "conv2" type: "Convolution" bottom: "x" top: "z" convolution_param { num_output: 2 }
                   param { name: "w" } param { name: "b" } }"""
    )
    stored = weights(
        layer("conv", "", (2, 3), (2,)), layer("conv2", ""), layer("extra", "", (1,)), layer("scale", "", (2,))
    )
    save_weights("a.h5", stored)
    assert main(["convert", "a.h5", "b.caffemodel", "--net", "net.prototxt"]) == 0
    net = caffe_pb2.NetParameter.FromString((files / "b.caffemodel").read_bytes())
    assert [(one.name, one.type) for one in net.layer] == [
        ("scale", "Scale"),
        ("conv", "Convolution"),
        ("conv2", "Convolution"),
        ("extra", ""),
    ]
    assert net.layer[1].convolution_param.num_output == 2
    assert list(net.layer[2].blobs[0].data) == [1, 2, 3, 4, 5, 6]


def test_list(files, capsys):
    arrays = layer("conv", "Convolution", np.array([1, np.nan, -3, np.inf]), np.array([np.nan]))
    save_weights("bad.npz", weights(arrays, layer("s", "", np.zeros((0,)))))
    assert main(["convert", "bad.npz", "--list"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == ("bad.npz: weights (format npz, layers 2, layers with parameters 2, parameters 5)")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[2:]}
    assert rows["conv/0"] == ["4", "-3", "1", "-1", "2"]
    assert rows["conv/1"] == ["1", "1"]  # no finite value, one NaN
    assert rows["s/0"] == ["0"]
    assert err == "warning: NaN or Inf in conv/0, conv/1\n"


def test_json(files, capsys):
    assert main(["convert", "a.caffemodel", "--list", "--sha256", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["layers_with_parameters"] == 2
    assert result["blobs"][0] == {"blob": "conv/0", "shape": [2, 3], "min": 1, "max": 6, "mean": 3.5, "nonfinite": 0}
    assert result["sha256"] == {"a.caffemodel": hashlib.sha256((files / "a.caffemodel").read_bytes()).hexdigest()}


def test_a_net_with_placeholders(files, capsys):
    (files / "net.prototxt").write_text(
        'layer { name: "${NAME}" type: "Scale" bottom: "x" top: "y" } layer { name: "scale" type: "Scale" }'
    )
    command = ["convert", "a.caffemodel", "b.caffemodel", "--net", "net.prototxt"]
    assert main(command) == 1
    assert "${NAME} has no value" in capsys.readouterr().err
    assert main([*command, "--define", "NAME=conv", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert [layer.name for layer in read_weights("b.caffemodel").layers] == ["conv", "scale"]


def test_sha256_lines_are_those_of_sha256sum(files, capsys):
    assert main(["convert", "a.caffemodel", "b.npz", "--sha256"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines == [f"{hashlib.sha256((files / n).read_bytes()).hexdigest()}  {n}" for n in ("a.caffemodel", "b.npz")]


def test_diff(files, capsys):
    changed = counted(2, 3)
    changed[1, 2] = 6.06
    save_weights("b.npz", weights(layer("conv", "", changed, (2,)), layer("scale", "", (3,)), layer("new", "", (1,))))
    assert main(["convert", "a.caffemodel", "--diff", "b.npz"]) == 1
    out = capsys.readouterr().out
    assert "conv/0: 1 of 6 values differ, by up to 0.0099 of the largest" in out
    assert "scale/0: shapes 2 and 3" in out
    assert "only in b.npz: new/0" in out
    assert "a.caffemodel and b.npz differ: 1 blobs equal, 2 not" in out
    save_weights("c.npz", weights(layer("conv", "", changed, (2,)), layer("scale", "", (2,))))
    assert main(["convert", "a.caffemodel", "--diff", "c.npz", "--tolerance", "0.01"]) == 0
    assert main(["convert", "a.caffemodel", "--diff", "c.npz", "--tolerance", "0.009"]) == 1


@pytest.mark.parametrize(("other", "relative"), [([np.nan, 1], 0), ([np.nan, 2], 0.5), ([3, 1], "inf")])
def test_diff_and_nan(files, capsys, other, relative):
    save_weights("x.npz", weights(layer("a", "", np.array([np.nan, 1]))))
    save_weights("y.npz", weights(layer("a", "", np.array(other))))
    assert main(["convert", "x.npz", "--diff", "y.npz", "--json"]) == int(relative != 0)
    result = json.loads(capsys.readouterr().out)
    assert result["differs"] == (relative != 0)
    assert [gap["relative"] for gap in result["diff"]["gaps"]] == ([relative] if relative else [])


def test_solver_states(files, capsys):
    write_solver_state("s.solverstate", SolverState(7, 1, "a.caffemodel", [counted(2)]))
    assert main(["convert", "s.solverstate", "s.solverstate.h5", "--list"]) == 0
    assert "s.solverstate: solver state (iter 7, current step 1, learned net a.caffemodel)" in capsys.readouterr().out
    assert read_solver_state("s.solverstate.h5").iter == 7
    assert main(["convert", "s.solverstate", "--diff", "s.solverstate.h5"]) == 0
    write_solver_state("t.solverstate", SolverState(8, 1, "a.caffemodel", [counted(2)]))
    capsys.readouterr()
    assert main(["convert", "s.solverstate", "--diff", "t.solverstate"]) == 1
    assert "iter: 7 and 8" in capsys.readouterr().out


def test_means(files):
    write_mean("m.binaryproto", counted(3, 2, 2))
    assert main(["convert", "m.binaryproto", "m.npy"]) == 0
    np.testing.assert_array_equal(read_mean("m.npy"), counted(3, 2, 2))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.caffemodel"], 2, "nothing to do"),
        (["a.caffemodel", "a.pth"], 2, "cannot write weights to 'a.pth': its suffix must be one of .caffemodel, .h5"),
        (["a.caffemodel", "a.solverstate"], 2, "cannot write weights to 'a.solverstate'"),
        (["absent.caffemodel", "--list"], 1, "absent.caffemodel does not exist; in its folder: a.caffemodel"),
        (["a.caffemodel", "nowhere/b.npz"], 1, "there is no folder nowhere"),
    ],
)
def test_errors(files, capsys, arguments, code, message):
    assert main(["convert", *arguments]) == code
    assert message in capsys.readouterr().err
