"""Pages of HTML: how commands are shown."""

from __future__ import annotations

import re
from html import unescape

from pydeeplab.web_page import command_block, web_page

COMMANDS = """pydeeplab train --solver a-b/solver.prototxt --define DEMO=demo    # with max_iter: 2
pydeeplab crf x.png --params w=4,xy=121 -o 'a & b'"""


def unbroken(html: str) -> list[str]:
    """The pieces of a block that no line break can divide."""
    return [unescape(piece) for piece in re.findall("<span>(.*?)</span>", html)]


def test_commands_break_before_options_only() -> None:
    assert unbroken(command_block(COMMANDS)) == [
        *("pydeeplab train", "--solver a-b/solver.prototxt", "--define DEMO=demo", "# with max_iter: 2"),
        *("pydeeplab crf x.png", "--params w=4,xy=121", "-o 'a & b'"),
    ]
    assert re.search(r"pre\.commands span \{[^}]*white-space: pre;", web_page("", ""))


def test_commands_can_be_copied() -> None:
    lines = re.findall("<div>(.*?)</div>", command_block(COMMANDS))
    text = "\n".join(unescape(re.sub("<.*?>", "", line)) for line in lines)
    assert re.sub(" +", " ", text) == re.sub(" +", " ", COMMANDS)
