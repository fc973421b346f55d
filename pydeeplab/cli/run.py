"""run a Python script written for pycaffe, unchanged

In the script, in the Python layers of its nets, and in Python processes that it starts, `import caffe` means pydeeplab.
Everything after the script's name is for the script. With -m the script is a module.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pydeeplab
from pydeeplab.compat import install_as_caffe
from pydeeplab.errors import UsageError

SHIM = Path(pydeeplab.__file__).parent / "shim"
"""A folder for Python's path, where ``import caffe`` finds pydeeplab."""

EXAMPLES = """\
  pydeeplab run classify.py cat.jpg scores.npy
  python -m pydeeplab run tools/train.py --solver solver.prototxt
  pydeeplab run -m mypackage.surgery fc6 conv6
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-m", dest="module", action="store_true", help="SCRIPT is the name of a module")
    parser.add_argument("script", metavar="SCRIPT", help="the script")
    parser.add_argument("arguments", metavar="ARG", nargs=argparse.REMAINDER, help="arguments of the script")


def run(args: argparse.Namespace) -> int:
    """Run the script as Python would; an exception that it does not catch is shown from the script on."""
    if not args.module and not os.path.exists(args.script):
        raise UsageError(f"no script '{args.script}'")
    install_as_caffe()
    with _place_of_a_script(args):
        if args.module and not _is_module(args.script):
            raise UsageError(f"no module '{args.script}', neither here nor among the installed ones")
        try:
            if args.module:
                runpy.run_module(args.script, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(args.script, run_name="__main__")
        except Exception as error:
            traceback.print_exception(type(error), error, _from_script(error.__traceback__))
            return 1
    return 0


def _is_module(name: str) -> bool:
    """Whether there is a module of this name to import."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # a package above it is missing, or the name is none
        return False


@contextmanager
def _place_of_a_script(args: argparse.Namespace) -> Iterator[None]:
    """Arguments and module path as a script finds them, here and in the Python processes that it starts."""
    argv, path, variable = sys.argv[:], sys.path[:], os.environ.get("PYTHONPATH")
    sys.argv = [args.script, *args.arguments]
    folder = os.getcwd() if args.module else os.path.dirname(os.path.abspath(args.script))
    sys.path[:1] = [folder, str(SHIM)]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SHIM), variable] if variable else [str(SHIM)])
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path
        os.environ.pop("PYTHONPATH", None)
        if variable is not None:
            os.environ["PYTHONPATH"] = variable


def _from_script(whole: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames that lead to the script."""
    ours = (__file__, runpy.__file__)
    trace = whole
    while trace and (trace.tb_frame.f_code.co_filename in ours or "runpy" in trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace
