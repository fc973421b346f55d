"""The command `pydeeplab upgrade`."""

import pytest

from pydeeplab.cli import main
from pydeeplab.proto import caffe_pb2, parse_binary_net, read_net, read_solver

OLD = 'layers { name: "c${N}" type: CONVOLUTION convolution_param { num_output: ${N} hole: 2 } bottom: "x" top: "c" }\n'


def test_text_to_text(tmp_path, capsys):
    source, target = tmp_path / "old.prototxt", tmp_path / "new.prototxt"
    source.write_text(OLD)
    assert main(["upgrade", str(source), str(target), "--define", "N=7"]) == 0
    text = target.read_text()
    assert text.startswith('layer {\n  name: "c7"\n  type: "Convolution"\n')
    assert "dilation: 2" in text
    assert "hole" not in text
    assert read_net(target).param == read_net(source, defines={"N": 7}).param
    out, err = capsys.readouterr()
    assert out == f"{target}: a net of 1 layers in the current format, text\n"
    assert "hole became dilation in 1 layer" in err


def test_text_to_binary_and_back(tmp_path):
    source, binary, target = tmp_path / "a.prototxt", tmp_path / "b.caffemodel", tmp_path / "c.prototxt"
    source.write_text(OLD)
    assert main(["upgrade", str(source), str(binary), "--define", "N=7", "--binary"]) == 0
    assert parse_binary_net(binary.read_bytes()) == read_net(source, defines={"N": 7}).param
    assert main(["upgrade", str(binary), str(target), "--text"]) == 0
    assert read_net(target).param == read_net(source, defines={"N": 7}).param


def test_binary_stays_binary_and_may_replace_itself(tmp_path):
    path = tmp_path / "old.caffemodel"
    net = caffe_pb2.NetParameter(layers=[{"name": "r", "type": "RELU", "blobs": [{"data": [1, 2]}]}])
    path.write_bytes(net.SerializeToString())
    assert main(["upgrade", str(path), str(path)]) == 0
    (layer,) = caffe_pb2.NetParameter.FromString(path.read_bytes()).layer
    assert (layer.type, list(layer.blobs[0].data)) == ("ReLU", [1, 2])


def test_solvers_are_recognised_and_their_nets_upgraded(tmp_path, capsys):
    source, target = tmp_path / "solver.prototxt", tmp_path / "out.prototxt"
    source.write_text(f"base_lr: 0.1 solver_type: ADAM test_net_param {{ {OLD} }} net_param {{ {OLD} }} # ${{UNSET}}")
    assert main(["upgrade", str(source), str(target), "--define", "N=7"]) == 0
    assert "a solver in the current format" in capsys.readouterr().out
    solver = read_solver(target).param
    assert solver.type == "Adam"
    assert solver.net_param.layer[0].type == solver.test_net_param[0].layer[0].type == "Convolution"
    assert "snapshot_prefix" not in target.read_text()


def test_binary_solver(tmp_path):
    source, target = tmp_path / "solver.bin", tmp_path / "out.prototxt"
    source.write_bytes(caffe_pb2.SolverParameter(base_lr=0.5, solver_type="NESTEROV").SerializeToString())
    assert main(["upgrade", str(source), str(target), "--solver", "--text"]) == 0
    assert target.read_text() == 'base_lr: 0.5\ntype: "Nesterov"\n'


@pytest.mark.parametrize(
    ("text", "arguments", "code", "message"),
    [
        (OLD, [], 1, "old.prototxt:1:18: ${N} has no value"),
        (OLD, ["--define", "N"], 2, "write --define NAME=VALUE"),
        ("layer { nam: 1 }", [], 1, "old.prototxt:1:9: layer { } has no field 'nam'"),
        (None, [], 2, "there is no such file"),
    ],
)
def test_errors_leave_the_target_alone(tmp_path, capsys, text, arguments, code, message):
    source, target = tmp_path / "old.prototxt", tmp_path / "new.prototxt"
    if text is not None:
        source.write_text(text)
    target.write_text("precious")
    assert main(["upgrade", str(source), str(target), *arguments]) == code
    assert message in capsys.readouterr().err
    assert target.read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        {"new.prototxt"} | ({"old.prototxt"} if text else set())
    )
