"""How helps look: as wide as the terminal, and the commands by what they are for."""

from __future__ import annotations

import argparse
import textwrap

__all__ = ["GROUPS", "HelpFormatter"]

GROUPS = {
    "pictures": ("segment", "crf", "eval", "figure"),
    "training": ("demo", "check", "train", "test", "plot"),
    "nets and weights": ("summary", "time", "draw", "densify", "upgrade", "convert", "export"),
    "the paper's experiments": ("prepare", "experiment", "crf-search"),
    "beside Caffe": ("run", "compare", "dump"),
    "programs of Caffe": (
        *("device-query", "extract-features", "compute-image-mean", "convert-imageset"),
        *("upgrade-net-proto-text", "upgrade-net-proto-binary", "upgrade-solver-proto-text"),
    ),
    "this program": ("completion",),
}
"""What commands are for, and their names, those first that are needed first."""

_WIDEST = 118


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs, leaves indented lines and what is over them as they are, and breaks no word at a hyphen."""

    def __init__(self, prog: str, **options: int):
        super().__init__(prog, max_help_position=32, **options)
        self._width = min(self._width, _WIDEST)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(self._paragraph(part, width, indent) for part in text.split("\n\n"))

    def _paragraph(self, text: str, width: int, indent: str) -> str:
        lines = text.splitlines()
        if any(line.startswith(" ") for line in lines):
            return "\n".join(indent + line for line in lines)
        return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _format_action(self, action: argparse.Action) -> str:
        if not isinstance(action, argparse._SubParsersAction):
            return super()._format_action(action)
        known = {choice.dest: choice for choice in action._get_subactions()}
        parts = []
        for title, names in GROUPS.items():
            self._indent()
            lines = [super(HelpFormatter, self)._format_action(known[name]) for name in names if name in known]
            self._dedent()
            parts.append("".join([f"{' ' * self._current_indent}{title}:\n", *lines]))
        return "\n".join(parts)
