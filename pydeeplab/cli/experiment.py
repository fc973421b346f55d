"""run the paper's experiments, row by row of its tables, and one's own

`list` shows the experiments, with the paper's mean IoU, ours where there is one, and what is done. `show` shows what
running one would do: what it needs, the files that are written, and the commands of each stage, which can be typed by
hand. `run` runs the stages that are not done: prepare, train, test, crf-search, crf, score, report. A stage is done
when its outputs are there and were made from the inputs that there are now; interrupted ones go on where they stopped.

NAME is a row (table4/msc_coco), a table (table4), or a TOML file of your own; prototxt/experiments holds the paper's.
Everything is written to <EXP>/ below --out, in the folders of DeepLab's own scripts (config, list, model, log,
features, res), so that experiments begun with these can be continued; docs/experiments.md explains both.

--smoke tries a row out in seconds, without NAME all in minutes: nets with few channels, a few small images made on the
spot, two iterations.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydeeplab.cli._device import add_gpu_argument, use_gpu
from pydeeplab.cli._experiments import entry_of, list_lines, plan_lines, plan_of, result_lines
from pydeeplab.cli._nets import add_threads_argument, apply_threads, defines_of
from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._tables import has_colours
from pydeeplab.errors import PydeeplabError, UsageError
from pydeeplab.experiment import Experiment, find_experiments
from pydeeplab.experiment.running import in_folder, missing_of, needs_text, run_experiment
from pydeeplab.experiment.smoke import prepare_smoke, smoke_workspace
from pydeeplab.experiment.stage import STAGES, Stage, State
from pydeeplab.experiment.subject import Subject, Workspace

EXAMPLES = """\
  pydeeplab experiment list
  pydeeplab experiment show table4/msc_coco
  pydeeplab experiment run table3/aspp_l --root VOCdevkit --init vgg16_20M.caffemodel --out experiments
  pydeeplab experiment run table4 --root VOCdevkit --init weights/ --until test
  pydeeplab experiment run mine.toml --root pictures
  pydeeplab experiment run table1 table3 --smoke
  pydeeplab experiment run --smoke                                 # every row there is
"""

DEFAULT_FOLDER = "experiments"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("list", "show", "run"), help="what to do")
    parser.add_argument("names", metavar="NAME", nargs="*", help="rows, tables, or TOML files (list: all by default)")
    add_out_argument(parser, "DIR", f"the work folder (default: {DEFAULT_FOLDER})")
    parser.add_argument("--root", metavar="DIR", help="the data set's devkit, or DATA_ROOT where lists are there")
    parser.add_argument("--annotations", metavar="DIR", help="what `pydeeplab prepare` takes beside the devkit")
    parser.add_argument("--init", metavar="PATH", help="the weights that training starts from, or a folder of weights")
    parser.add_argument(
        "--from",
        metavar="STAGE",
        choices=STAGES,
        default="prepare",
        dest="start",
        help="the first stage to run: what comes before is not looked at",
    )
    parser.add_argument("--until", metavar="STAGE", choices=STAGES, default="report", help="the last stage to run")
    parser.add_argument(
        "--again", metavar="STAGE", choices=STAGES, default="", help="run this stage even if it is done"
    )
    parser.add_argument(
        "--scores", action="store_true", help="keep the scores of all test images as .mat, as DeepLab's scripts do"
    )
    parser.add_argument(
        "--define", metavar="NAME=VALUE", action="append", default=[], help="value for ${NAME} in templates of your own"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="try it out on tiny data; without --out in a folder that is removed"
    )
    add_json_argument(parser)
    add_quiet_argument(parser, "run: no progress, and what stages print only if they fail")
    add_threads_argument(parser)
    add_gpu_argument(parser)


def run(args: argparse.Namespace) -> int:
    """List, show or run."""
    if args.action != "list" and not (args.names or args.smoke):
        raise UsageError(f"say which: pydeeplab experiment {args.action} NAME; `pydeeplab experiment list` shows all")
    apply_threads(args)
    use_gpu(args.gpu)
    if args.json and not prints_json(args):
        args.json = Path(args.json).absolute()  # experiments are run in the work folder
    experiments = sorted(find_experiments(args.names), key=_order)
    with ExitStack() as stack:
        workspace = _workspace(args, stack)
        folder = workspace.folder
        if args.action == "run" and not args.smoke and not folder.is_dir():
            _check_needs(args, experiments, workspace)
        if args.action != "run" and not folder.is_dir():  # nothing has been run: look into an empty one
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(in_folder(folder))
        subjects = [Subject(experiment, workspace) for experiment in experiments]
        return {"list": _list, "show": _show, "run": _run}[args.action](args, subjects)


def _check_needs(args: argparse.Namespace, experiments: Sequence[Experiment], workspace: Workspace) -> None:
    """Raise `UsageError` if nothing can be run, before a work folder is made."""
    with tempfile.TemporaryDirectory() as empty, in_folder(Path(empty)):
        needs = [missing_of(Subject(experiment, workspace), args.until, start=args.start) for experiment in experiments]
    if all(needs):
        raise UsageError(needs_text(experiments[0], needs[0]))


def _order(experiment: Experiment) -> tuple[Any, ...]:
    """By table and row; what is only in the text, and one's own, last."""
    expected = experiment.expected
    return (expected.table or 99, expected.row or 99, experiment.name)


def _workspace(args: argparse.Namespace, stack: ExitStack) -> Workspace:
    if args.smoke:
        folder = args.out or stack.enter_context(tempfile.TemporaryDirectory(prefix="pydeeplab-smoke-"))
        return smoke_workspace(Path(folder).absolute(), scores=args.scores)
    return Workspace(
        Path(args.out or DEFAULT_FOLDER).absolute(),
        Path(args.root).absolute() if args.root else None,
        Path(args.init).absolute() if args.init else None,
        args.scores,
        defines_of(args),
        prepare=("--annotations", str(Path(args.annotations).absolute())) if args.annotations else (),
    )


def _list(args: argparse.Namespace, subjects: Sequence[Subject]) -> int:
    entries = [entry_of(subject) for subject in subjects]
    if not write_json(args, entries):
        print("\n".join(list_lines(entries, has_colours(sys.stdout))))
    return 0


def _show(args: argparse.Namespace, subjects: Sequence[Subject]) -> int:
    plans = [plan_of(subject) for subject in subjects]
    if write_json(args, plans):
        return 0
    pages = ["\n".join(plan_lines(p, subjects[0].workspace.folder, has_colours(sys.stdout))) for p in plans]
    print("\n\n".join(pages))
    return 0


def _runner(command: Sequence[str]) -> int:
    """Run a command of ours in this process; what it prints goes to the standard error stream."""
    from pydeeplab.cli import main

    print(f"$ pydeeplab {shlex.join(command)}", file=sys.stderr, flush=True)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return main(list(command))
    except SystemExit as stop:  # an argument that the command does not know
        return stop.code if isinstance(stop.code, int) else 2


def _quiet_runner(command: Sequence[str]) -> int:
    """The same, showing what a command prints only if it fails."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = _runner(command)
    if code:
        print(said.getvalue(), file=sys.stderr)
    return code


def _tell(stage: Stage, state: State) -> None:
    words = {
        "done": "done before", "found": "its results are there, made elsewhere", "begun": "goes on",
        "changed": f"again, as {', '.join(state.why[:3])} changed",
    }  # fmt: skip
    print(f"== {stage.name}: {words.get(state.word, 'begins')}", file=sys.stderr, flush=True)


def _run_first(args: argparse.Namespace, subject: Subject) -> None:
    """Run what an experiment needs of another: the CRF parameters found on the validation set."""
    by = subject.experiment.searched_by
    if by is not None and subject.crf() is None:
        _run_one(args, Subject(by, subject.workspace), until="crf-search")


def _run_one(args: argparse.Namespace, subject: Subject, until: str) -> None:
    if not args.quiet:
        print(f"{subject.experiment.name}: {subject.experiment.title}", file=sys.stderr)
    if args.smoke:
        prepare_smoke(subject)
    if STAGES.index(until) >= STAGES.index("crf"):
        _run_first(args, subject)
    if args.smoke or args.quiet:
        run_experiment(subject, _quiet_runner, start=args.start, until=until, again=args.again)
    else:
        run_experiment(subject, _runner, start=args.start, until=until, again=args.again, tell=_tell)


def _run(args: argparse.Namespace, subjects: Sequence[Subject]) -> int:
    """Run all; one that fails does not stop the others."""
    failed: dict[str, str] = {}
    for subject in subjects:
        try:
            _run_one(args, subject, args.until)
        except PydeeplabError as error:
            if len(subjects) == 1:
                raise
            failed[subject.experiment.name] = str(error)
            print(f"pydeeplab: error: {error}", file=sys.stderr)
    entries = [entry_of(subject) for subject in subjects]
    if not write_json(args, [{**e, "error": failed.get(e["name"], "")} for e in entries]):
        print("\n".join(result_lines(entries, failed, not args.smoke, has_colours(sys.stdout))))
        if args.smoke:
            print("\nTried out on drawn pictures with narrow nets: the numbers say only that every step works.")
    return 1 if failed else 0
