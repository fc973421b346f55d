"""train a net as a solver prototxt says

Runs the solver from its beginning, from given weights, or from a snapshot, until max_iter updates are done. Losses,
learning rates and test scores go to a log file in Caffe's wording (by default <snapshot_prefix>.log), beside the
snapshots; a terminal shows a progress bar. A snapshot holds random generators, data positions and all else: training
that is stopped and resumed ends with the same bits as training that is not.

Before it begins it checks what would go wrong later (files, labels, layers without weights, settings; see `pydeeplab
check`) and does not begin if something would; --check fast looks at a sample of the files, --check none at nothing, and
--dry-run stops after the check.

Ctrl-C (SIGINT) and SIGTERM snapshot and stop, SIGHUP snapshots; Ctrl-C again stops at once. `--snapshot auto` goes on
from the newest usable snapshot of the solver's prefix, or begins (from --weights, if given) where there is none.

Caffe's spellings work: -solver, -weights, -snapshot, -gpu, -iterations, -sigint_effect, -sighup_effect, ...

Exit code: 0 trained to the end (or for --iterations), 1 failed or diverged (NaN), 2 wrong usage, 130 stopped by SIGINT,
143 by SIGTERM.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from pydeeplab.cli._device import add_gpu_argument, memory_line, use_gpu
from pydeeplab.cli._findings import report_lines
from pydeeplab.cli._nets import add_threads_argument, apply_threads, defines_of
from pydeeplab.cli._options import add_quiet_argument
from pydeeplab.cli._progress import Progress, TaskProgress
from pydeeplab.cli._spellings import split_stages
from pydeeplab.cli._tables import has_colours
from pydeeplab.errors import UsageError, WeightsError
from pydeeplab.files import make_folder
from pydeeplab.net import ENGINES
from pydeeplab.preflight import check_training
from pydeeplab.proto import SolverSource, read_solver
from pydeeplab.solver import GlogLog, JsonLog, Observer, Score, Solver, get_solver
from pydeeplab.solver.signals import EFFECTS, handling
from pydeeplab.solver.snapshot import find_newest, probe, remove_leftovers

EXAMPLES = """\
  pydeeplab train --solver solver.prototxt --weights init.caffemodel
  pydeeplab train --solver solver.prototxt --snapshot auto          # begin, or go on where it was stopped
  pydeeplab train --solver solver.prototxt --recompute              # large crops or batches in less memory
  pydeeplab train --solver solver.prototxt --weights init.caffemodel --dry-run
  pydeeplab train -solver=solver.prototxt -snapshot=train_iter_2000.solverstate -gpu 0
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-solver", "--solver", metavar="FILE", required=True, help="the solver prototxt")
    parser.add_argument("-weights", "--weights", metavar="A,B", help="weight files to begin with, of any format")
    parser.add_argument("-snapshot", "--snapshot", metavar="FILE", help="a .solverstate to go on from, or 'auto'")
    parser.add_argument("-iterations", "--iterations", type=int, metavar="N", help="stop after N more updates")
    parser.add_argument("-level", "--level", type=int, default=0, help="level of the nets' state")
    parser.add_argument("-stage", "--stage", default="", metavar="A,B", help="stages of the nets' state")
    add_gpu_argument(parser)
    parser.add_argument("--engine", choices=ENGINES, default="DEFAULT", help="convolution engine (default DEFAULT)")
    parser.add_argument(
        "--recompute", action="store_true", help="compute some activations twice: a third slower, in less memory"
    )
    parser.add_argument(
        "--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME} in the prototxts"
    )
    add_threads_argument(parser)
    for name, default in (("sigint", "stop"), ("sighup", "snapshot"), ("sigterm", "stop")):
        parser.add_argument(
            f"--{name}-effect",
            choices=EFFECTS,
            default=default,
            help=f"what {name.upper()} does (default {default})",
        )
    parser.add_argument("--dry-run", action="store_true", help="check everything, but do not train")
    parser.add_argument(
        "--check", choices=("full", "fast", "none"), default="full", help="what to check first (default full)"
    )
    parser.add_argument("--keep-going", action="store_true", help="do not stop when the loss is NaN")
    parser.add_argument("--log", metavar="FILE", help="log file, added to (default <snapshot_prefix>.log)")
    parser.add_argument("--no-log", action="store_true", help="write no log file")
    parser.add_argument("--json-log", metavar="FILE", help="also log as JSON, one object per line, added to")
    add_quiet_argument(parser, "no progress, no log on the terminal: only warnings")


class _Bar(Observer):
    """A progress bar with loss, learning rate and speed; test scores and warnings as lines above it."""

    def __init__(self, solver: Solver, iterations: int | None):
        self._solver = solver
        self._images = images_per_iteration(solver)
        left = max(0, solver.param.max_iter - solver.iter)
        self._progress = Progress(left if iterations is None else min(left, iterations), f"training {solver.net.name}")
        self._loss: float | None = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.__exit__(*error)

    def trained(self, iteration: int, loss: float) -> None:
        self._loss = loss if self._loss is None else 0.9 * self._loss + 0.1 * loss
        seconds = self._progress.elapsed
        speed = f" {self._images * (self._progress.done + 1) / seconds:.1f} images/s" if seconds else ""
        self._progress.advance(f"iteration {iteration + 1} loss {self._loss:.4g} lr {self._solver.lr:.3g}{speed}")

    def _print(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{text}\n")

    def tested(self, score: Score) -> None:
        numbers = ", ".join(f"{output.name} {output.value:.4g}" for output in score.outputs)
        self._print(f"iteration {score.iteration}, test net {score.net}: {numbers}")

    def warned(self, iteration: int, text: str) -> None:
        self._print(f"WARNING: {text}")

    def saved(self, iteration: int, weights: str, state: str) -> None:
        self._print(f"iteration {iteration}: saved {weights}")


class _Warnings(Observer):
    """Warnings on the standard error stream."""

    def warned(self, iteration: int, text: str) -> None:
        print(f"pydeeplab: warning: {text}", file=sys.stderr)


def images_per_iteration(solver: Solver) -> int:
    """Batch size (of the first layer that has no bottoms) times iter_size."""
    first = next((n.tops[0].shape for n in solver.net.nodes if not n.bottoms and n.tops), ())
    return (first[0] if first else 1) * int(solver.param.iter_size)


def _open(stack: ExitStack, path: str) -> IO[str]:
    try:
        return stack.enter_context(Path(path).open("a", encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot write the log '{path}': {error.strerror}") from None


def _logs(args: argparse.Namespace, prefix: str, stack: ExitStack) -> list[Observer]:
    observers: list[Observer] = []
    if not args.no_log:
        observers.append(GlogLog(_open(stack, args.log or f"{prefix}.log"), header=True))
    if args.json_log:
        observers.append(JsonLog(_open(stack, args.json_log)))
    return observers


def _begin(solver: Solver, args: argparse.Namespace) -> None:
    """Restore a snapshot or load weights, as the arguments say."""
    prefix = solver.param.snapshot_prefix
    if args.snapshot == "auto":
        newest, refused = find_newest(prefix)
        for why in refused:
            solver.warn(f"a snapshot cannot be used: {why}")
        if newest is not None:
            solver.note(f"Resuming from {newest.path}", "caffe.cpp:244")
            solver.restore(newest)
            return
        if refused:
            raise WeightsError(
                f"none of the {len(refused)} snapshots of '{prefix}' can be used; remove them to begin anew"
            )
        solver.note(f"there is no snapshot of '{prefix}' yet: training begins")
    elif args.snapshot:
        solver.note(f"Resuming from {args.snapshot}", "caffe.cpp:244")
        solver.restore(args.snapshot)
    if args.weights:
        solver.load_weights(args.weights)


def _passes_checks(args: argparse.Namespace, source: SolverSource, stages: list[str]) -> bool:
    """Run the preflight and show what it found."""
    resumed = bool(args.snapshot) and (
        args.snapshot != "auto" or find_newest(source.param.snapshot_prefix)[0] is not None
    )
    report = check_training(
        source,
        weights=args.weights,
        resumed=resumed,
        defines=defines_of(args),
        level=args.level,
        stages=stages,
        fast=args.check == "fast",
        watch=TaskProgress(args.quiet or not sys.stderr.isatty()),
    )
    if args.dry_run or not report.ok or not args.quiet:
        lines = report_lines(report, colours=has_colours(sys.stderr), quiet=not args.dry_run)
        print("\n".join(lines), file=sys.stderr)
    return report.ok


def run(args: argparse.Namespace) -> int:
    """Train."""
    if args.weights and args.snapshot and args.snapshot != "auto":
        raise UsageError("give a snapshot to resume from or weights to begin with, not both")
    if args.iterations is not None and args.iterations < 1:
        raise UsageError("--iterations must be at least 1")
    apply_threads(args)
    use_gpu(args.gpu)
    source = read_solver(args.solver, defines=defines_of(args))
    stages = split_stages([args.stage])
    if args.dry_run or args.check != "none":
        if not _passes_checks(args, source, stages):
            print(
                "pydeeplab: error: training does not begin; mend the errors above, or use --check none", file=sys.stderr
            )
            return 1
        if args.dry_run:
            return 0
    prefix = source.param.snapshot_prefix
    folder = Path(prefix).parent
    if not folder.exists():
        make_folder(folder)
        print(f"pydeeplab: note: made the folder '{folder}' for snapshots", file=sys.stderr)
    probe(prefix, 0)
    remove_leftovers(prefix)
    bar = sys.stderr.isatty() and not args.quiet
    with ExitStack() as stack:
        observers = _logs(args, prefix, stack)
        if not bar:
            observers.append(_Warnings() if args.quiet else GlogLog(sys.stderr))
        solver = get_solver(
            source,
            engine=args.engine,
            keep=_keep(args, source),
            defines=defines_of(args),
            level=args.level,
            stages=stages,
            observers=observers,
            strict=not args.keep_going,
        )
        _begin(solver, args)
        if bar:
            solver.observers.append(stack.enter_context(_Bar(solver, args.iterations)))
        code = _solve(solver, args)
    if code and not args.quiet:
        print(
            f"pydeeplab: note: stopped at iteration {solver.iter}; --snapshot auto goes on from the newest snapshot",
            file=sys.stderr,
        )
    return code


def _keep(args: argparse.Namespace, source: SolverSource) -> str:
    """What the train net keeps: what backward reads, unless ``debug_info`` reports on all blobs."""
    if source.param.debug_info:
        return "all"
    return "recompute" if args.recompute else "training"


def _solve(solver: Solver, args: argparse.Namespace) -> int:
    effects = {
        int(getattr(signal, name)): getattr(args, f"{name.lower()}_effect")
        for name in ("SIGINT", "SIGHUP", "SIGTERM")
        if hasattr(signal, name)  # Windows has no SIGHUP
    }
    with handling(solver.requests, effects):
        solver.note("Starting Optimization", "caffe.cpp:248")
        solver.solve(iterations=args.iterations)
    if line := memory_line(solver.net.backend):
        solver.note(line)
    number = solver.requests.signal
    if solver.stopped and number is not None:
        return 128 + number
    solver.note("Optimization Done.", "caffe.cpp:259")
    return 0
