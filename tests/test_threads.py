"""The switch for the number of threads."""

import pytest

from pydeeplab.errors import UsageError
from pydeeplab.threads import get_num_threads, set_num_threads


def test_the_number_of_threads_can_be_set() -> None:
    before = get_num_threads()
    try:
        set_num_threads(1)
        assert get_num_threads() == 1
    finally:
        set_num_threads(before)


def test_nonsense_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        set_num_threads(0)
