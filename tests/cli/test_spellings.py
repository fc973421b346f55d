"""Caffe's spellings of options, as argparse knows them."""

from __future__ import annotations

import argparse

import pytest

from pydeeplab.cli._spellings import join_json, positionals_first, split_stages, translate


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    made.add_argument("-o", "--output")
    made.add_argument("--model")
    made.add_argument("--sigint-effect")
    made.add_argument("--gray", action="store_true")
    made.add_argument("--check-size", action="store_true")
    made.add_argument("--json", nargs="?")
    return made


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("-model net", "--model net"),
        ("--model net", "--model net"),
        ("-model=net", "--model=net"),
        ("--model=a=b", "--model=a=b"),
        ("-sigint_effect stop", "--sigint-effect stop"),
        ("--sigint_effect=stop", "--sigint-effect=stop"),
        ("-gray -check_size", "--gray --check-size"),
        ("-gray=true --check_size=1", "--gray --check-size"),
        ("-gray=False --check_size=0", ""),
        ("-nogray --nocheck_size x", "x"),
        ("-gray=maybe", "-gray=maybe"),
        ("-o out -output out", "-o out --output out"),
        ("--logtostderr=1 -alsologtostderr -log_dir /tmp --minloglevel=2 -nolog_prefix in", "in"),
        ("-unknown 3 - -5 plain", "-unknown 3 - -5 plain"),
        ("-- -model", "-- -model"),
    ],
)
def test_translation(parser: argparse.ArgumentParser, given: str, expected: str) -> None:
    assert translate(given.split(), parser) == expected.split()


def test_stages() -> None:
    assert split_stages(["a,b", "c", ","]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("net --model m weights", "net weights --model m"),
        ("--gray net --model=m weights -o out", "net weights --gray --model=m -o out"),
        ("net --model m -- -weights", "--model m net -- -weights"),
        ("net --mod m weights", "net --mod m weights"),
        ("net -oout weights", "net -oout weights"),
        ("net --model", "net --model"),
        ("- --gray -5", "- --gray -5"),
        ("net --json=- weights", "net weights --json=-"),
        ("net --json weights", "net --json weights"),
    ],
)
def test_positionals_go_first_where_options_are_known(
    parser: argparse.ArgumentParser, given: str, expected: str
) -> None:
    assert positionals_first(given.split(), parser) == expected.split()


def test_the_rest_of_a_line_keeps_its_order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("script", nargs=argparse.REMAINDER)
    assert positionals_first(["x.py", "--gray", "y"], parser) == ["x.py", "--gray", "y"]


@pytest.mark.parametrize(
    ("given", "alone", "beside_pictures"),
    [
        ("--json", "--json=-", "--json=-"),
        ("--json -", "--json=-", "--json=-"),
        ("--json out.json", "--json=out.json", "--json=out.json"),
        ("--json scores", "--json=scores", "--json=- scores"),
        ("--json=scores", "--json=scores", "--json=scores"),
        ("--json --gray", "--json=- --gray", "--json=- --gray"),
        ("--json -- a.json", "--json=- -- a.json", "--json=- -- a.json"),
        ("-- --json a.json", "-- --json a.json", "-- --json a.json"),
    ],
)
def test_a_word_after_json_is_a_file_where_it_can_be_nothing_else(
    parser: argparse.ArgumentParser, given: str, alone: str, beside_pictures: str
) -> None:
    assert join_json(given.split(), parser) == alone.split()
    parser.add_argument("pictures", nargs="*")
    assert join_json(given.split(), parser) == beside_pictures.split()


def test_json_is_nothing_special_to_commands_without_it() -> None:
    assert join_json(["--json", "a.json"], argparse.ArgumentParser()) == ["--json", "a.json"]
