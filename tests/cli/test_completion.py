"""Completion scripts: what bash answers with ours, and that the others name everything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pydeeplab.cli import build_parser, command_parsers, main

BASH = shutil.which("bash")


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("device", {"device-query"}),
        ("upgrade", {"upgrade", "upgrade-net-proto-binary", "upgrade-net-proto-text", "upgrade-solver-proto-text"}),
        ("convert_imageset --check", {"--check-size"}),
        ("time --phase", {"--phase"}),
        ("time --phase TR", {"TRAIN"}),
        ("completion z", {"zsh"}),
        ("dump deploy.p", {"deploy.prototxt"}),
    ],
)
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, expected: set[str]) -> None:
    (tmp_path / "deploy.prototxt").touch()
    (tmp_path / "completion.bash").write_text(script("bash", capsys))
    count = len(words.split())
    program = (
        f"source completion.bash; COMP_WORDS=(pydeeplab {words}); COMP_CWORD={count}; _pydeeplab; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run([str(BASH), "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == expected
    assert not done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_name_all_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for name, parser in command_parsers(build_parser()).items():
        assert name in text
        for option in parser._option_string_actions:
            flag = "-l" if option.startswith("--") else "-s" if len(option) == 2 else "-o"
            assert (f" {flag} {option.lstrip('-')} " if shell == "fish" else option) in text


def test_a_value_that_may_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    zsh = next(line for line in script("zsh", capsys).splitlines() if "'*--json[" in line)
    assert "::value:_files" in zsh
    fish = [line for line in script("fish", capsys).splitlines() if "seen_subcommand_from segment'" in line]
    needed = {name: " -r " in line for name in ("json", "mean") for line in fish if f" -l {name} " in line}
    assert needed == {"json": False, "mean": True}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_well_formed(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script(shell, capsys))
    subprocess.run([program, "-n", str(path)], check=True)
