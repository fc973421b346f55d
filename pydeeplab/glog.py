"""The form of lines in logs of glog, the library that Caffe logs with."""

from __future__ import annotations

import threading
import time

__all__ = ["log_line"]


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
