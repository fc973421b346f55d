"""All commands: help with examples, errors without tracebacks; and recording, comparing, timing from end to end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pydeeplab.cli import build_parser, commands, main
from pydeeplab.errors import DataError
from tests.cli.nets import write_nets
from tests.support.external import repository


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.parametrize("name", commands())
def test_help_shows_usage_and_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: pydeeplab {name.replace('_', '-')}")
    examples = out.partition("examples:\n")[2].splitlines()
    spelled = {f"pydeeplab {name}", f"pydeeplab {name.replace('_', '-')}"}
    assert any(call in line for line in examples for call in spelled)
    assert "None" not in out


@pytest.mark.parametrize("name", commands())
def test_unknown_options_are_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--no-such-option"])
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_list_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert all(name.replace("_", "-") in out for name in commands())
    assert out == build_parser().format_help()
    with pytest.raises(SystemExit) as stop:
        main(["sumary"])
    assert stop.value.code == 2


def test_recording_and_comparing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, weights = write_nets(tmp_path)
    net, dump = tmp_path / "deploy.prototxt", tmp_path / "d.npz"
    np.save(tmp_path / "in.npy", np.random.default_rng(0).standard_normal((2, 3, 7, 9)))
    options = ("--input", f"data={tmp_path / 'in.npy'}", "--backward", "--engine", "CAFFE")
    assert call("dump", net, weights, *options, "-o", dump) == 0
    assert "arrays" in capsys.readouterr().out
    assert call("compare", net, weights, "--reference", dump, "--html", tmp_path / "page.html") == 0
    assert "arrays agree within 1e-05" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text().rstrip().endswith("</html>")
    arrays = dict(np.load(dump))
    arrays["data/prob"] = arrays["data/prob"] + np.float32(0.01)
    np.savez(tmp_path / "other.npz", **arrays)
    assert call("compare", net, weights, "--reference", tmp_path / "other.npz", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["first_departure"] == "data/prob"
    assert found["agrees"] is False
    assert call("compare", net, weights, "--reference", tmp_path / "other.npz", "--tolerance", 0.1) == 0
    arrays["data/prob"] = arrays["data/prob"][:1]
    np.savez(tmp_path / "other.npz", **arrays)
    capsys.readouterr()
    assert call("compare", net, weights, "--reference", tmp_path / "other.npz", "--json", "--forward-only") == 1
    text = capsys.readouterr().out
    assert "Infinity" not in text
    assert json.loads(text)["errors"][-1]["max_abs"] is None


def test_the_recording_script_runs_where_caffe_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, weights = write_nets(tmp_path)
    net = tmp_path / "deploy.prototxt"
    assert call("dump", "--script") == 0
    (tmp_path / "record.py").write_text(capsys.readouterr().out)
    (tmp_path / "caffe.py").write_text("from pydeeplab import TEST, TRAIN, Net, set_mode_cpu\n")
    np.savez(tmp_path / "in.npz", data=np.ones((1, 3, 6, 5), np.float32))
    words = ["record.py", "deploy.prototxt", weights.name, "in.npz", "out.npz", "backward"]
    environment = {**os.environ, "PYTHONPATH": str(repository())}
    subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert call("compare", net, weights, "--reference", tmp_path / "out.npz") == 0


def test_summary_and_time_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, weights = write_nets(tmp_path)
    assert call("summary", net, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["parameters"]["total"] == 2 * 27 + 2 + 24 * 3 + 3
    assert call("time", net, weights, "--iterations", 2, "--threads", 1, "--json") == 0
    timing = json.loads(capsys.readouterr().out)
    assert timing["threads"] == 1
    assert all(layer["forward"] >= 0 for layer in timing["layers"])
    assert all(rate > 1e6 for rate in timing["peak"].values())
    shares = {layer["type"]: layer["share_of_peak"] for layer in timing["layers"]}
    assert 0 < shares["Convolution"] < 10
    reasons = {layer["name"]: layer["reason"] for layer in timing["layers"] if layer["type"] == "Convolution"}
    assert reasons
    assert all(reasons.values())
    assert call("time", net, weights, "--iterations", 1, "--threads", 1, "--why") == 0
    shown = capsys.readouterr().out
    assert all(f": {reason}" in shown for reason in reasons.values())


def test_times_of_merged_layers_name_the_first_and_the_kinds_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a_convolution_with_a_name_of_some_length"
    layers = [
        'name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }',
        f'name: "{name}" type: "Convolution" bottom: "data" top: "a" '
        'convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } }',
        f'name: "{name}_norm" type: "BatchNorm" bottom: "a" top: "a"',
        f'name: "{name}_relu" type: "ReLU" bottom: "a" top: "a"',
    ]
    net = tmp_path / "net.prototxt"
    net.write_text("\n".join(f"layer {{ {text} }}" for text in layers))
    assert call("time", net, "--iterations", 1, "--lean") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
    assert re.match(rf"{name}  Convolution  1x2x6x6 .*  BatchNorm, ReLU$", row)
    assert call("time", net, "--iterations", 1, "--lean", "--json") == 0
    layer = json.loads(capsys.readouterr().out)["layers"][-1]
    assert layer["name"] == f"{name}+{name}_norm+{name}_relu"
    assert (layer["type"], layer["merged"]) == ("Convolution", ["BatchNorm", "ReLU"])
    assert layer["layers"] == [name, f"{name}_norm", f"{name}_relu"]
    assert layer["together"] == []


def test_times_of_layers_that_run_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers = []
    for name, size in {"large": 40, "small": 30}.items():
        layers += [
            f'name: "{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }} }}",
            f'name: "c_{name}" type: "Convolution" bottom: "{name}" top: "c_{name}" param {{ name: "w" }} '
            "convolution_param { num_output: 6 kernel_size: 5 bias_term: false }",
            f'name: "r_{name}" type: "ReLU" bottom: "c_{name}" top: "c_{name}"',
        ]
    net = tmp_path / "net.prototxt"
    net.write_text("\n".join(f"layer {{ {text} }}" for text in layers))
    assert call("time", net, "--iterations", 1, "--lean", "--why") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("c_large"))
    assert re.match(
        r"c_large  Convolution  1x6x36x36 \+ 26x26 .* packed: columns are made .*  ReLU; with c_small$", row
    )
    assert row.count("packed:") == 1
    assert call("time", net, "--iterations", 1, "--lean", "--json") == 0
    (found,) = (row for row in json.loads(capsys.readouterr().out)["layers"] if row["type"] == "Convolution")
    assert found["layers"] == ["c_large", "r_large", "c_small", "r_small"]
    assert (found["shape"], found["merged"]) == ([1, 6, 36, 36], ["ReLU"])
    (other,) = found["together"]
    assert (other["layer"], other["shape"], other["engine"]) == ("c_small", [1, 6, 26, 26], "packed")
    assert found["multiply_adds"] == 6 * 75 * (36**2 + 26**2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("compare", "{net}", "{weights}", "--reference", "absent.npz"), 1),
        (("compare", "{deploy}", "{weights}", "--reference", "{weights}"), 1),
        (("compare", "{deploy}", "--caffe", "{weights}"), 2),
        (("dump", "{deploy}"), 2),
        (("dump", "{deploy}", "{net}", "-o", "x.npz"), 1),
        (("dump", "{deploy}", "--input", "nothing.jpg", "-o", "x.npz"), 1),
        (("summary", "{weights}"), 1),
        (("time", "{deploy}", "--input-size", "big"), 2),
        (("time", "no/such/net"), 2),
    ],
)
def test_errors_are_one_message(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
) -> None:
    net, weights = write_nets(tmp_path)
    monkeypatch.chdir(tmp_path)
    places = {"net": net, "weights": weights, "deploy": tmp_path / "deploy.prototxt"}
    assert call(*(word.format(**places) for word in words)) == code
    out, err = capsys.readouterr()
    assert err.startswith("pydeeplab: error: ")
    assert "Traceback" not in err
    assert not out
    assert not (tmp_path / "x.npz").exists()


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no"):
        call("compare", "absent.prototxt", "--reference", tmp_path, "--debug")


def test_names_that_the_terminal_cannot_show_are_no_crash(tmp_path: Path) -> None:
    name = "ä" + os.fsdecode(b"\xe4") + ".prototxt"
    (tmp_path / name).write_text('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }')
    code = "import sys; from pydeeplab.cli import main; sys.exit(main(sys.argv[1:]))"
    for encoding in ("ascii", "utf-8"):
        done = subprocess.run(
            [sys.executable, "-c", code, "draw", name, "-o", "ä" + os.fsdecode(b"\xe4") + ".svg"],
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(repository())},
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, b"unexpected" in done.stderr) == (0, False), done.stderr


def test_a_closed_pipe_is_no_crash(tmp_path: Path) -> None:
    net, _ = write_nets(tmp_path)
    code = f"from pydeeplab.cli import main; import sys; sys.exit(main(['time', '-model', {str(net)!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=repository()
    )
    assert process.stdout
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
