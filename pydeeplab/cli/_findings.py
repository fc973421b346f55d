"""Showing what a preflight has found."""

from __future__ import annotations

import textwrap

from pydeeplab.cli._tables import paint
from pydeeplab.preflight import Report

__all__ = ["report_lines"]

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_WIDTH = 120


def report_lines(report: Report, *, colours: bool = False, quiet: bool = False) -> list[str]:
    """The findings as lines of text (severity, topic and message, the advice below), and how many there are.

    ``quiet`` leaves notes out.
    """
    shown = [finding for finding in report.findings if not quiet or finding.severity != "note"]
    topics = [f"{finding.topic}, {finding.net}" if finding.net else finding.topic for finding in shown]
    width = max((len(topic) for topic in topics), default=0)
    lines = []
    for finding, topic in zip(shown, topics, strict=True):
        head = paint(finding.severity.ljust(7), _COLOURS[finding.severity], colours)
        indent = " " * (7 + 2 + width + 2)
        body = textwrap.wrap(finding.message, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False) or [
            ""
        ]
        lines.append(f"{head}  {topic.ljust(width)}  {body[0]}")
        lines += [indent + line for line in body[1:]]
        advice = textwrap.wrap(finding.advice, _WIDTH - len(indent), break_long_words=False)
        lines += [indent + paint(line, "dim", colours) for line in advice]
    return [*lines, paint(report.summary, "bold", colours)]
