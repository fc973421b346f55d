"""Caffe's random numbers and the order of visits."""

from __future__ import annotations

import json

import pytest

from pydeeplab.data.order import Order
from pydeeplab.data.twister import Twister
from pydeeplab.errors import DataError


def test_the_ten_thousandth_number_is_that_of_the_cpp_standard() -> None:
    twister = Twister(5489)
    assert [twister.next() for _ in range(10000)][-1] == 4123659995


def test_numbers_below_n_are_raw_numbers_modulo_n() -> None:
    raw, small = Twister(7), Twister(7)
    assert [small.below(5) for _ in range(50)] == [raw.next() % 5 for _ in range(50)]


def test_shuffles_are_fair_and_repeatable() -> None:
    twister, counts = Twister(3), {}
    for _ in range(6000):
        items = [0, 1, 2]
        twister.shuffle(items)
        counts[tuple(items)] = counts.get(tuple(items), 0) + 1
    assert len(counts) == 6
    assert all(850 < count < 1150 for count in counts.values())
    first, second = list(range(20)), list(range(20))
    Twister(9).shuffle(first)
    Twister(9).shuffle(second)
    assert first == second != list(range(20))


def test_order_goes_round() -> None:
    order = Order(3, skip=2)
    assert [order.next() for _ in range(7)] == [2, 0, 1, 2, 0, 1, 2]
    with pytest.raises(DataError, match="skip 3 of 3"):
        Order(3, skip=3)
    with pytest.raises(DataError, match="0 items"):
        Order(0)


def test_every_round_of_a_shuffled_order_is_a_new_permutation() -> None:
    order = Order(10, Twister(1))
    rounds = [[order.next() for _ in range(10)] for _ in range(3)]
    assert all(sorted(visits) == list(range(10)) for visits in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


def test_a_saved_order_continues_where_it_was() -> None:
    order = Order(7, Twister(5))
    for _ in range(11):
        order.next()
    saved = order.state
    expected = [order.next() for _ in range(20)]
    other = Order(7, Twister(99))
    other.state = saved
    assert [other.next() for _ in range(20)] == expected
    with pytest.raises(DataError, match="7 items"):
        Order(8).state = saved
    assert json.dumps(order.state["position"])
