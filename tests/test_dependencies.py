"""The order of steps: whatever is joined, each step finds what it found before."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pydeeplab.dependencies import Access, Order

KEYS = st.frozensets(st.integers(0, 5), max_size=3)
ACCESSES = st.lists(st.builds(Access, KEYS, KEYS), min_size=1, max_size=14)
PAIRS = st.lists(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=12)


def traces(accesses: list[Access], order: list[int]) -> tuple[dict[int, Any], dict[Any, Any]]:
    """What each step read, and what is in memory at the end, when contents are named for how they were made."""
    memory: dict[Any, Any] = {}
    seen: dict[int, Any] = {}
    for i in order:
        seen[i] = tuple(sorted((key, memory.get(key)) for key in accesses[i].reads))
        for key in accesses[i].writes:
            memory[key] = hash((i, seen[i]))
    return seen, memory


@given(ACCESSES, PAIRS)
def test_every_step_reads_and_leaves_what_it_did(accesses: list[Access], pairs: list[tuple[int, int]]) -> None:
    count = len(accesses)
    order = Order(accesses)
    joined = [(a % count, b % count) for a, b in pairs if order.join(a % count, b % count)]
    units = order.sequence()
    assert sorted(i for unit in units for i in unit) == list(range(count))
    expected = traces(accesses, list(range(count)))
    for turned in (False, True):
        sequence = [i for unit in units for i in (reversed(unit) if turned else unit)]
        assert traces(accesses, sequence) == expected
    unit_of = {i: k for k, unit in enumerate(units) for i in unit}
    assert all(unit_of[a] == unit_of[b] for a, b in joined)


@given(ACCESSES)
def test_what_is_not_joined_keeps_its_place(accesses: list[Access]) -> None:
    assert Order(accesses).sequence() == [[i] for i in range(len(accesses))]


@given(ACCESSES, PAIRS)
def test_two_are_joined_if_no_way_leads_from_one_to_the_other(
    accesses: list[Access], pairs: list[tuple[int, int]]
) -> None:
    def must_follow(first: Access, second: Access) -> bool:
        touched = {*second.reads, *second.writes}
        return bool({*first.writes} & touched or {*first.reads} & {*second.writes})

    def reachable(first: int) -> set[int]:
        found = {first}
        for i in range(first + 1, len(accesses)):
            if any(must_follow(accesses[k], accesses[i]) for k in found):
                found.add(i)
        return found

    for a, b in pairs:
        first, second = sorted((a % len(accesses), b % len(accesses)))
        assert Order(accesses).join(second, first) == (first == second or second not in reachable(first))


def test_what_runs_at_once_makes_no_circle() -> None:
    """Two chains that do the same two things in opposite orders: one pair can run at once, not both."""
    order = Order([Access("x", "a"), Access("a", "b"), Access("x", "c"), Access("c", "d")])
    assert order.join(0, 3)
    assert not order.join(1, 2)
    assert order.sequence() == [[2], [0, 3], [1]]


def test_more_than_two_at_once() -> None:
    order = Order([Access("x", made) for made in "abc"] + [Access(made, made) for made in "abc"])
    assert order.join(0, 1)
    assert order.join(1, 2)
    assert order.join(0, 2)
    assert order.join(3, 5)
    assert not order.join(2, 3)
    assert order.sequence() == [[0, 1, 2], [3, 5], [4]]
