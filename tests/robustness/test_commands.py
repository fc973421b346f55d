"""Commands given wrong, absent and odd files and options: exit code 1 or 2 and a message, never a traceback."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pydeeplab import Net, cli
from pydeeplab.cli import main, summary
from pydeeplab.compare import Dump, write_dump
from tests.robustness.files import ARRAY, NET, write_all
from tests.support.external import REPOSITORY

NETS = {
    "net.prototxt": NET,
    "without_layers.prototxt": 'name: "n"',
    "without_items.prototxt": 'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 0 dim: 3 } } }',
    "without_shape.prototxt": 'layer { name: "d" type: "Input" top: "d" }',
    "old_input.prototxt": 'input: "d"',
    "open.prototxt": 'layer { name: "a"',
    "deep.prototxt": "layer {" * 20_000,
    "solver.prototxt": 'net: "net.prototxt" base_lr: 0.1',
    "binary.prototxt": "\0\1",
    "template.prototxt": 'name: "${NAME}"',
    "empty": "",
    "words.txt": "hello",
}
ODD = (*NETS, "w.caffemodel", "w.npz", "s.solverstate", "m.binaryproto", "plain.mat", "dump.npz", "dump.h5", "cut")
NO_FILES = ("folder", "broken", "missing", "missing/file", "net.prototxt/file", "/dev/null", "", ".", "a\0b", "x" * 300)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with good and bad files."""
    write_all(tmp_path)
    for name, text in NETS.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "cut").write_bytes((tmp_path / "w.caffemodel").read_bytes()[:100])
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").symlink_to("nowhere")
    write_dump(tmp_path / "of_net.npz", Dump(inputs={"d": ARRAY[:, :2].repeat(2, 2).repeat(2, 3)}, data={"c": ARRAY}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """The exit code; an error must say something, in at most a few lines."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 2
    text = capsys.readouterr()
    assert code in (0, 1, 2), arguments
    assert "Traceback" not in text.err, arguments
    assert "unexpected" not in text.err, (arguments, text.err)
    if code and not text.out:
        assert text.err.strip(), arguments
        assert "error" in text.err, arguments
    return code


def with_file(name: str) -> list[list[str]]:
    """Commands that read or write a file of this name."""
    return [
        ["convert", name, "--list"],
        ["convert", name, "out.npz", "--sha256"],
        ["convert", name, "out.caffemodel", "--json"],
        ["convert", "w.npz", "--diff", name],
        ["convert", "w.npz", "out.caffemodel", "--net", name],
        ["upgrade", name, "out.prototxt"],
        ["upgrade", name, "out.prototxt", "--solver"],
        ["upgrade", name, "out.bin", "--binary"],
        ["time", name, "--iterations", "1", "--threads", "1"],
        ["time", name, "--iterations", "1", "--lean", "--json"],
        ["time", "net.prototxt", name, "--iterations", "1"],
        ["dump", name, "-o", "out.npz"],
        ["dump", "net.prototxt", name, "-o", "out.npz"],
        ["dump", "net.prototxt", "-o", "out.npz", "--input", name],
        ["dump", "net.prototxt", "-o", "out.h5", "--input", f"d={name}", "--backward"],
        ["compare", name, "w.npz", "--reference", "of_net.npz"],
        ["compare", "net.prototxt", name, "--reference", "of_net.npz"],
        ["compare", "net.prototxt", "w.npz", "--reference", name, "--json"],
        ["summary", name],
    ]


@pytest.mark.parametrize("name", [*ODD, *NO_FILES], ids=lambda n: repr(n)[1:20])
def test_odd_files(workplace: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    for arguments in with_file(name):
        run(arguments, capsys)


@pytest.mark.parametrize("name", ["folder", "missing/file", "net.prototxt/file", "", "a\0b.npz", "x" * 300 + ".npz"])
def test_odd_outputs(workplace: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    before = sorted(os.listdir(workplace))
    for arguments in (
        ["convert", "w.npz", name],
        ["upgrade", "net.prototxt", name],
        ["dump", "net.prototxt", "-o", name],
    ):
        assert run(arguments, capsys) in (1, 2)
    assert sorted(os.listdir(workplace)) == before


def test_outputs_are_checked_before_the_work(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the work had begun")

    monkeypatch.setattr(Net, "__init__", fail)
    assert main(["dump", "net.prototxt", "-o", "missing/out.npz"]) == 1


OPTIONS = [
    *(["--input-size", size] for size in ("0x0", "-5x3", "axb", "x5", "1x1", "", "5x5x5")),
    *(["--iterations", count] for count in ("0", "-1", "x", "")),
    *(["--threads", count] for count in ("0", "-1", "x")),
    *(["--define", pair] for pair in ("X", "=1", "")),
    *(["--level", level] for level in ("99999999999", "x")),
    ["--engine", "X"],
    ["--phase", "X"],
    ["--nonsense"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_odd_options(workplace: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert run(["time", "net.prototxt", *options], capsys) in (1, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["convert"],
        ["convert", "w.npz"],
        ["convert", "w.npz", "out.xyz"],
        ["convert", "w.npz", "out.solverstate"],
        ["dump"],
        ["dump", "net.prototxt"],
        ["dump", "net.prototxt", "-o", "out.npz", "--seed", "-1"],
        ["dump", "net.prototxt", "-o", "out.npz", "--input", "nope=w.npz"],
        ["compare", "net.prototxt", "w.npz"],
        ["compare", "net.prototxt", "w.npz", "--reference", "of_net.npz", "--tolerance", "x"],
        ["upgrade", "net.prototxt", "out", "--define", "A"],
        ["upgrade", "net.prototxt", "out", "--text", "--binary"],
        ["time", "template.prototxt"],
    ],
    ids=" ".join,
)
def test_wrong_calls(workplace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments, capsys) in (1, 2)


class TestUnexpected:
    """What nobody foresaw still ends in a message."""

    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def run(_: argparse.Namespace) -> int:
            error = ZeroDivisionError("division by zero")
            error.add_note("net.prototxt:3:1: layer 'L' (Python): raised this")
            raise error

        monkeypatch.setattr(summary, "run", run)

    def test_message(self, broken: None, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["summary", "x"]) == 1
        text = capsys.readouterr().err
        assert f"unexpected ZeroDivisionError in {__file__}:" in text
        assert "net.prototxt:3:1: layer 'L' (Python): raised this" in text
        assert "--debug" in text

    def test_debug_shows_the_traceback(self, broken: None) -> None:
        with pytest.raises(ZeroDivisionError):
            main(["summary", "x", "--debug"])


def test_layers_of_users_get_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_layer.py").write_text(
        "import pydeeplab as caffe\n\n\nclass Broken(caffe.Layer):\n"
        "    def reshape(self, bottom, top):\n        top[0].reshape(1)\n\n"
        "    def forward(self, bottom, top):\n        [][1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = (
        NET + 'layer { name: "p" type: "Python" bottom: "ip" top: "z" '
        'python_param { module: "broken_layer" layer: "Broken" } }'
    )
    net = Net.from_text(text)
    with pytest.raises(IndexError) as caught:
        net.forward()
    assert caught.value.__notes__ == ["<text>:7:1: layer 'p' (Python): raised this"]


@pytest.mark.parametrize("command", cli.commands())
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command.replace("_", "-"), "--help"])
    assert stop.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_a_closed_pipe_is_no_error(workplace: Path) -> None:
    command = [sys.executable, "-m", "pydeeplab", "convert", "w.npz", "--list"]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    error = child.stderr.read().decode()
    child.stderr.close()
    assert child.wait() in (0, 1)
    assert "Traceback" not in error
