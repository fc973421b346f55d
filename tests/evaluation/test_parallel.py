"""How many processes score pictures."""

import pytest

from pydeeplab.evaluation import parallel


@pytest.mark.parametrize(
    ("seconds", "pictures", "own", "free", "jobs"),
    [
        (0.01, 100, 10, 1000, 1),  # done before processes have started
        (1, 100, 10, 1000, 8),
        (1, 100, 100, 500, 4),  # a fifth of the memory is left alone
        (1, 100, 100, 50, 1),
        (1, 100, None, 50, 8),
        (1, 100, 100, None, 8),
    ],
)
def test_as_many_as_pay_and_fit(
    seconds: float, pictures: int, own: int | None, free: int | None, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_own_bytes", lambda: own)
    monkeypatch.setattr(parallel, "available_bytes", lambda swap: free)
    assert parallel._worthwhile_jobs(seconds, pictures, threads=8) == jobs
