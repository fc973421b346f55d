"""What is checked of a kernel's arguments, of one picture and of several."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pydeeplab.backend.arguments import checked
from pydeeplab.backend.spec import kernel
from pydeeplab.errors import ShapeError

FLOAT = (np.dtype(np.float32),)
ROW = kernel("k", "in* x[N,C,H], in w[O,C], in?* other[N,O,H], out* y[N,O,H], scratch work[*], bool relu", source="")


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def given(**changed: Any) -> list[Any]:
    """Arguments of `ROW` for two pictures, of 5 and of 3 pixels."""
    values = {
        "x": [zeros(1, 4, 5), zeros(2, 4, 3)],
        "w": zeros(6, 4),
        "other": [None, zeros(2, 6, 3)],
        "y": [zeros(1, 6, 5), zeros(2, 6, 3)],
        "work": zeros(7),
        "relu": True,
    }
    return list((values | changed).values())


def calls(*, together: bool, values: list[Any]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    checked(ROW, lambda *arguments: found.append(arguments), FLOAT, together=together)(*values)
    return found


def test_the_star_is_read() -> None:
    assert ROW.several == [0, 2, 3]
    assert ROW.sizes == ["N", "C", "H", "O", "work_size"]
    with pytest.raises(ValueError, match="must be starred too"):
        kernel("k", "in* x[N], out y[N]", source="")


def test_all_pictures_at_once() -> None:
    values = given(x=tuple(given()[0]))
    ((x, w, other, y, work, relu),) = calls(together=True, values=values)
    assert all(a is b for a, b in zip([*x, *other, *y], [*values[0], *values[2], *values[3]], strict=True))
    assert w is values[1]
    assert work is values[4]
    assert relu is True


def test_no_list_is_a_list_of_none() -> None:
    assert calls(together=True, values=given(other=None))[0][2] == [None, None]
    assert [call[2] for call in calls(together=False, values=given(other=None))] == [None, None]


def test_one_picture_after_the_other() -> None:
    values = given()
    first, second = calls(together=False, values=values)
    for i, call in enumerate((first, second)):
        assert [id(v) for v in call] == [id(v[i]) if isinstance(v, list) else id(v) for v in values]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": zeros(1, 4, 5)}, "x must be a list of arrays, one for each picture"),
        ({"x": []}, "x must be a list of arrays, one for each picture"),
        ({"x": None}, "x must be a list of arrays, one for each picture"),
        ({"y": [zeros(1, 6, 5)]}, "y has 1 pictures, another one 2"),
        ({"x": [zeros(1, 4, 5), None]}, r"x\[1\] may not be None"),
        ({"y": [zeros(1, 6, 5), zeros(2, 6, 4)]}, r"y\[1\] has shape \(2, 6, 4\), but H is 3 in another one"),
        ({"x": [zeros(1, 4, 5), zeros(2, 9, 3)]}, r"x\[1\] has shape .* but C is 4 in another one"),
        ({"x": [zeros(1, 4, 5), zeros(2, 4, 3).astype(np.float64)]}, r"x\[1\] has type float64, expected real"),
        ({"y": [zeros(1, 6, 5), zeros(2, 3, 6).transpose(0, 2, 1)]}, r"y\[1\] must be C-contiguous"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    changed: dict[str, Any], message: str, together: bool
) -> None:
    ran = []
    with pytest.raises(ShapeError, match=message):
        checked(ROW, lambda *_: ran.append(1), FLOAT, together=together)(*given(**changed))
    assert not ran
