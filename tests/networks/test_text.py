"""Compact prototxt text means what the values mean."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pydeeplab.networks.text import LINE, Word, comment, fields, message, wrap
from pydeeplab.proto import parse_net


def test_fields() -> None:
    values: dict[str, Any] = {
        "name": 'a "b" \\',
        "absent": None,
        "flag": True,
        "rate": 0.00025,
        "method": Word("MAX"),
        "dim": [1, 3],
        "param": [{"lr_mult": 1}, {"lr_mult": 2}],
        "empty": [],
    }
    assert fields(values) == [
        'name: "a \\"b\\" \\\\"',
        "flag: true",
        "rate: 0.00025",
        "method: MAX",
        "dim: 1",
        "dim: 3",
        "param { lr_mult: 1 }",
        "param { lr_mult: 2 }",
    ]
    assert message("shape", {"dim": [1, 3]}) == "shape { dim: 1 dim: 3 }"


@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="$"), max_size=30), max_size=12
    ),
    st.lists(st.integers(0, 2**31), max_size=40),
)
def test_broken_text_parses_to_the_same_values(bottoms: list[str], numbers: list[int]) -> None:
    values = {"name": "x", "type": "Input", "bottom": bottoms, "input_param": {"shape": {"dim": numbers}}}
    text = wrap("layer", values)
    assert all(len(line) <= LINE for line in text.splitlines())
    layer = parse_net(text).param.layer[0]
    assert list(layer.bottom) == bottoms
    assert list(layer.input_param.shape[0].dim) == numbers


def test_comments_are_broken_between_words() -> None:
    lines = comment(["word " * 60, "", "short"]).splitlines()
    assert max(map(len, lines)) <= LINE
    assert lines[-2:] == ["#", "# short"]
    assert " ".join(line.removeprefix("# ") for line in lines[:-2]).split() == ["word"] * 60
