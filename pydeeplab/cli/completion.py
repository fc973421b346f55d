"""print a script that completes commands and options in your shell

The script is made from the commands' own arguments, so it fits this version. bash: put `source <(pydeeplab completion
bash)` into ~/.bashrc. zsh: write it to a file `_pydeeplab` in a folder of $fpath. fish: write it to
~/.config/fish/completions/pydeeplab.fish.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

EXAMPLES = """\
  source <(pydeeplab completion bash)
  pydeeplab completion zsh > ~/.zfunc/_pydeeplab
  pydeeplab completion fish > ~/.config/fish/completions/pydeeplab.fish
"""

SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


@dataclass(frozen=True)
class _Option:
    """An option, or a positional argument with a fixed set of words (which has no names)."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    needs_value: bool
    choices: tuple[str, ...]


@dataclass(frozen=True)
class _Command:
    name: str
    summary: str
    options: tuple[_Option, ...]


def _options(parser: argparse.ArgumentParser) -> Iterator[_Option]:
    for action in parser._actions:
        if action.option_strings or action.choices:
            yield _Option(
                tuple(action.option_strings),
                "" if action.help == argparse.SUPPRESS else (action.help or "").replace("%%", "%"),
                action.nargs != 0,
                action.nargs not in (0, "?"),
                tuple(map(str, action.choices or ())),
            )


def _tree() -> list[_Command]:
    from pydeeplab.cli import build_parser, command_parsers

    parser = build_parser()
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    summaries = {choice.dest: choice.help or "" for choice in subparsers._choices_actions}
    return [
        _Command(name, summaries.get(name, ""), tuple(_options(sub))) for name, sub in command_parsers(parser).items()
    ]


def _bash(commands: list[_Command]) -> str:
    values, words = [], []
    first = " ".join([*(c.name for c in commands), "--help", "--version"])
    for command in commands:
        names = [n for option in command.options for n in option.names]
        fixed = [c for option in command.options if not option.names for c in option.choices]
        words.append(f"        {command.name}) options='{' '.join(names)}'; words='{' '.join(fixed)}' ;;")
        for option in command.options:
            if option.names and option.choices:
                patterns = "|".join(f"{command.name}:{n}" for n in option.names)
                values.append(f"        {patterns}) choices='{' '.join(option.choices)}' ;;")
    return "\n".join(
        [
            "# bash completion of pydeeplab",
            "_pydeeplab() {",
            '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
            "    local command=\"${COMP_WORDS[1]//_/-}\" options='' words='' choices=''",
            '    if [ "$COMP_CWORD" -eq 1 ]; then',
            f"        COMPREPLY=( $(compgen -W '{first}' -- \"$current\") )",
            "        return",
            "    fi",
            '    case "$command:$previous" in',
            *values,
            "    esac",
            '    if [ -n "$choices" ]; then',
            '        COMPREPLY=( $(compgen -W "$choices" -- "$current") )',
            "        return",
            "    fi",
            '    case "$command" in',
            *words,
            "    esac",
            '    case "$current" in',
            '        -*) COMPREPLY=( $(compgen -W "$options" -- "$current") ) ;;',
            '        *) COMPREPLY=( $(compgen -W "$words" -- "$current") $(compgen -f -- "$current") ) ;;',
            "    esac",
            "}",
            "complete -o filenames -F _pydeeplab pydeeplab",
            "",
        ]
    )


def _zsh_text(text: str) -> str:
    """Text inside single quotes and brackets of an _arguments specification."""
    for special in "\\[]:":
        text = text.replace(special, f"\\{special}")
    return text.replace("'", "'\\''")


def _zsh_argument(option: _Option) -> Iterator[str]:
    action = f"({' '.join(option.choices)})" if option.choices else "_files"
    for name in option.names:
        value = f"{':' if option.needs_value else '::'}value:{action}" if option.takes_value else ""
        yield f"            '*{name}[{_zsh_text(option.help)}]{value}'"


def _zsh(commands: list[_Command]) -> str:
    lines = ["#compdef pydeeplab", "_pydeeplab() {", "    local -a commands", "    commands=("]
    lines += [f"        '{c.name}:{_zsh_text(c.summary)}'" for c in commands]
    lines += [
        "    )",
        "    if (( CURRENT == 2 )); then",
        "        _describe command commands",
        "        return",
        "    fi",
    ]
    lines += [
        '    local command="${words[2]//_/-}"',
        "    shift words",
        "    (( CURRENT-- ))",
        '    case "$command" in',
    ]
    for command in commands:
        fixed = " ".join(c for option in command.options if not option.names for c in option.choices)
        last = f"            '*:argument:({fixed})'" if fixed else "            '*:file:_files'"
        arguments = [line for option in command.options for line in _zsh_argument(option)]
        body = " \\\n".join([f"        {command.name}) _arguments", *arguments, last])
        lines += [body, "            ;;"]
    return "\n".join([*lines, "    esac", "}", '_pydeeplab "$@"', ""])


def _fish_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _fish_flag(name: str) -> str:
    """How fish is told an option's name: long, short, or long with one dash."""
    return "-l" if name.startswith("--") else "-s" if len(name) == 2 else "-o"


def _fish(commands: list[_Command]) -> str:
    lines = ["# fish completion of pydeeplab"]
    for command in commands:
        lines.append(
            f"complete -c pydeeplab -n __fish_use_subcommand -f -a {command.name} -d '{_fish_text(command.summary)}'"
        )
    for command in commands:
        seen = f"complete -c pydeeplab -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            names = "".join(f" {_fish_flag(name)} {name.lstrip('-')}" for name in option.names)
            choices = f" -x -a '{' '.join(option.choices)}'" if option.choices else " -r" if option.needs_value else ""
            lines.append(f"{seen}{names}{choices} -d '{_fish_text(option.help)}'")
    return "\n".join([*lines, ""])


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell]
    print(make(_tree()), end="")
    return 0
