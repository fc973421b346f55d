"""Options that mean the same in every command that has them."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from pydeeplab.cli import build_parser, command_parsers, commands, main
from pydeeplab.cli._help import GROUPS
from pydeeplab.cli._options import SHARED_OPTIONS, parse_size
from pydeeplab.errors import UsageError
from tests.cli.nets import write_nets

PARSERS = command_parsers(build_parser())
SHOWING = {"completion", "device-query", "run", "summary"}
"""Commands that show nothing beside what they are asked for."""
NOT_COMPUTING = {"check", "compute-image-mean", "convert", "convert-imageset", "densify", "draw", "plot", "prepare"}
NOT_COMPUTING |= {name for name in PARSERS if name.startswith("upgrade")} | SHOWING


def options_of(name: str) -> dict[str, argparse.Action]:
    return dict(PARSERS[name]._option_string_actions)


@pytest.mark.parametrize("name", PARSERS)
def test_shared_options_are_there_and_alike(name: str) -> None:
    options = options_of(name)
    assert "--debug" in options
    assert ("--quiet" in options) == (name not in SHOWING)
    for option in ("--threads", "--gpu"):
        assert option in options or name in NOT_COMPUTING or (name, option) == ("export", "--gpu")
    if "--json" in options:
        assert (options["--json"].nargs, options["--json"].const) == ("?", "-")
    if "-o" in options:
        assert options["-o"] is options["--out"]
    if "--input-size" in options:
        assert options["--input-size"].metavar == "HxW"


def test_shared_options_are_explained_in_the_help_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert SHARED_OPTIONS.splitlines()[1] in said
    known = {option for name in PARSERS for option in options_of(name)}
    assert set(re.findall(r"(?<!\S)--?[a-z]+", SHARED_OPTIONS)) <= known


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write_nets(tmp_path)
    monkeypatch.chdir(tmp_path)
    return "deploy.prototxt"


def test_json_is_printed_or_written(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["summary", net, "--json"], ["summary", "--json", net], ["summary", net, "--json", "-"]):
        assert main(words) == 0
        printed = capsys.readouterr().out
        assert json.loads(printed)["layers"]
    assert main(["summary", "--json", "a.json", net]) == 0
    assert "multiply-adds" in capsys.readouterr().out
    assert main(["summary", "--json=b", net]) == 0
    assert Path("a.json").read_text() == Path("b").read_text() == printed
    assert main(["summary", "--json", "a.json", net]) == 0


def test_json_replaces_json_only(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = '{"iteration": 0}\n{"iteration": 1}\n'
    Path("train.json").write_text(lines)
    assert main(["summary", net, "--json", "train.json"]) == 2
    assert "--json train.json: there is a file of that name that is no JSON" in capsys.readouterr().err
    assert Path("train.json").read_text() == lines
    assert main(["summary", net, "--json=none/a.json"]) == 1
    assert "there is no folder none" in capsys.readouterr().err


def test_json_to_a_file_that_is_none(net: str) -> None:
    assert main(["summary", net, "--json=/dev/null"]) == 0


@pytest.mark.parametrize("text", ["", "0x5", "5x", "x5", "5x5x5", "-5x5", "65536", "513,513", "9" * 5000])
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="--input-size wants HxW, such as 513x513"):
        parse_size(text, "--input-size")


@pytest.mark.parametrize("name", commands())
def test_every_command_says_its_purpose(name: str) -> None:
    first = (PARSERS[name.replace("_", "-")].description or "").splitlines()[0]
    assert 20 < len(first) < 110
    assert not first.endswith(".")


def test_commands_are_grouped_each_once() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(PARSERS)


@pytest.mark.parametrize("columns", [80, 300])
def test_helps_are_as_wide_as_the_terminal_and_no_wider_than_readable(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    widest = 0
    for parser in [build_parser(), *PARSERS.values()]:
        as_they_are = {line for line in (parser.description or "").splitlines() if line.startswith(" ")}
        text = parser.format_help().partition("\n\n")[2].partition("examples:\n")[0]
        lines = [line for line in text.splitlines() if line not in as_they_are]
        assert not [line for line in lines if len(line) > min(columns, 120) or line.endswith("-")]
        widest = max(widest, *map(len, lines))
    assert widest > min(columns, 120) - 5
