"""The form of lines in logs of glog, the library that Caffe logs with."""

from __future__ import annotations

import os
import threading
import time

__all__ = ["least_level", "log_line"]


def least_level() -> int:
    """What the environment variable ``GLOG_minloglevel`` says is shown at least: 0 (information) to 3 (fatal)."""
    text = os.environ.get("GLOG_minloglevel", "0")  # noqa: SIM112 (glog spells it so)
    return int(text) if text.isdecimal() else 0


def log_line(severity: str, moment: float, place: str, text: str) -> str:
    """Return a line as glog writes it, without its end: ``I1122 06:05:42.000000 1234 net.cpp:120] text``.

    Parameters
    ----------
    severity : str
        I, W, E or F: information, warning, error, fatal.
    moment : float
        Seconds since the epoch; shown in local time.
    place : str
        ``file:line`` of the statement that speaks.
    text : str
        The message.
    """
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(moment))
    micros = int(moment % 1 * 1e6)
    return f"{severity}{stamp}.{micros:06} {threading.get_native_id():5} {place}] {text}"
