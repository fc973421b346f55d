"""What pycaffe keeps per process: mode, device, log, the number of solvers that train together."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any, ClassVar, NoReturn

from pydeeplab.backend.cuda.library import Unavailable, load_library
from pydeeplab.errors import UnsupportedError, UsageError
from pydeeplab.glog import least_level, log_line

__all__ = [
    "NCCL",
    "GlogFormatter",
    "default_backend",
    "has_nccl",
    "init_log",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]

_LOGGER = logging.getLogger("pydeeplab")
_SILENT = logging.CRITICAL + 10
_solvers = {"count": 1, "rank": 0, "multiprocess": False}


_device = {"gpu": False, "index": 0}


def set_mode_cpu() -> None:
    """Compute on the CPU in nets made from now on; this is the default."""
    _device["gpu"] = False


def set_mode_gpu() -> None:
    """Compute on the GPU in nets made from now on; where there is none, warn and stay with the CPU."""
    library = load_library("cuda")
    if isinstance(library, Unavailable):
        warnings.warn(f"no GPU ({library.reason}); computing on the CPU", RuntimeWarning, stacklevel=2)
    _device["gpu"] = not isinstance(library, Unavailable)


def set_device(device: int) -> None:
    """Say which GPU `set_mode_gpu` means; 0 by default. A process uses one only."""
    if device < 0:
        raise UsageError(f"GPUs are numbered from 0, got {device}")
    _device["index"] = int(device)


def default_backend() -> str:
    """The backend of nets that name none: what the mode says, or the environment variable ``PYDEEPLAB_BACKEND``."""
    if _device["gpu"]:
        return f"cuda:{_device['index']}"
    return os.environ.get("PYDEEPLAB_BACKEND") or "cpu"


class GlogFormatter(logging.Formatter):
    """Writes records as Caffe's log does: ``I1122 06:05:42.000000 1234 net.cpp:120] message``."""

    def format(self, record: logging.LogRecord) -> str:
        place = f"{record.filename}:{record.lineno}"
        return log_line(record.levelname[0], record.created, place, record.getMessage())


class _Handler(logging.StreamHandler[Any]):
    """Writes to what sys.stderr is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(GlogFormatter())

    @property
    def stream(self) -> Any:
        return sys.stderr


def init_log(level: int | None = None, stderr: bool = True) -> None:
    """Show log messages on stderr, in the form of Caffe's log. Solvers made afterwards obey it too.

    Parameters
    ----------
    level : int
        The least that is shown: 0 information, 1 warnings, 2 errors; by default what the environment variable
        ``GLOG_minloglevel`` says, or 0.
    stderr : bool
        False silences the log.

    Raises
    ------
    UsageError
        The level is none of 0 to 3.
    """
    if level is None:
        level = least_level()
    if not 0 <= level <= 3:
        raise UsageError(f"the log level must be 0 (information), 1 (warnings), 2 (errors) or 3 (fatal), got {level}")
    for handler in [h for h in _LOGGER.handlers if isinstance(h, _Handler)]:
        _LOGGER.removeHandler(handler)
    _LOGGER.addHandler(_Handler())
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.INFO + 10 * level if stderr else _SILENT)


def log(s: str) -> None:
    """Write a line of information to the log: to stderr, unless `init_log` or Python's logging says otherwise."""
    if not _LOGGER.hasHandlers():
        init_log()
    _LOGGER.info(s, stacklevel=2)


def solver_count() -> int:
    """How many solvers train together, as `set_solver_count` said; 1 by default."""
    return _solvers["count"]


def set_solver_count(count: int) -> None:
    """Say how many solvers train together."""
    if count < 1:
        raise UsageError(f"there is at least one solver, got {count}")
    _solvers["count"] = int(count)


def solver_rank() -> int:
    """Which of them this process is, as `set_solver_rank` said; 0 by default."""
    return _solvers["rank"]


def set_solver_rank(rank: int) -> None:
    """Say which of the solvers this process is; 0 is the one that tests and writes snapshots."""
    if rank < 0:
        raise UsageError(f"ranks begin at 0, got {rank}")
    _solvers["rank"] = int(rank)


def set_multiprocess(multiprocess: bool) -> None:
    """Say whether the solvers are processes (True) or threads; kept for scripts' sake."""
    _solvers["multiprocess"] = bool(multiprocess)


def has_nccl() -> bool:
    """Whether several GPUs can train together through NCCL: never in this version."""
    return False


class NCCL:
    """Stands for pycaffe's class of this name: says that there is none, when used."""

    _MESSAGE: ClassVar[str] = (
        "this build has no NCCL (has_nccl() is False), so several GPUs cannot train together. "
        "Train in one process, and without NCCL(solver, uid)."
    )

    def __init__(self, solver: Any, uid: bytes):
        del solver, uid
        raise UnsupportedError(self._MESSAGE)

    @staticmethod
    def new_uid() -> NoReturn:
        """Raise `UnsupportedError`."""
        raise UnsupportedError(NCCL._MESSAGE)
