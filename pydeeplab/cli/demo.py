"""train a DeepLab in miniature on scenes drawn by pydeeplab, score it before and after the CRF, and show it all

Draws scenes (textured shapes over clutter, from a seed; nothing is downloaded), trains prototxt/tiny/aspp on them from
its fillers by its solver.prototxt, scores it on scenes that were held out, and writes DIR/report.html: one page with
the curves of the training, scores before and after the CRF, pictures, and the commands that do each step by hand. That
takes about two minutes on two cores. --quick takes the shipped weights of the same net, trained for longer, instead.

DIR then holds data/ (pictures, label maps, lists), model/ (weights, solver states, the log), model.json for --model,
report.html and demo.png, a sheet of some scenes. What is there from an earlier run is replaced.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydeeplab.cli._device import add_gpu_argument, processes_at_once, use_gpu
from pydeeplab.cli._nets import add_threads_argument, apply_threads
from pydeeplab.cli._options import add_json_argument, add_out_argument, add_quiet_argument, prints_json, write_json
from pydeeplab.cli._progress import Progress, format_seconds
from pydeeplab.cli._scores import score_lines
from pydeeplab.cli._tables import has_colours
from pydeeplab.data.palette import write_png
from pydeeplab.data.synthetic import CLASSES, IGNORE
from pydeeplab.demo import NET, SceneFolder, Step, read_recipe, score_sheet, train, write_page, write_scenes
from pydeeplab.errors import UsageError
from pydeeplab.evaluation.mean_field_maps import mean_field_maps
from pydeeplab.evaluation.parallel import score_in_processes
from pydeeplab.evaluation.pictures import pictures_of_list
from pydeeplab.evaluation.predictors import NetPredictor
from pydeeplab.evaluation.scoring import Evaluation, Rules
from pydeeplab.files import make_folder, write_text
from pydeeplab.json_values import json_text
from pydeeplab.plotting import TrainingLog, read_log
from pydeeplab.resources import find_net
from pydeeplab.segmentation.model import read_model
from pydeeplab.solver import Observer, Score

EXAMPLES = """\
  pydeeplab demo
  pydeeplab demo --quick                     # no training: the shipped weights
  pydeeplab demo -o mine --seed 7 --iterations 3200
  pydeeplab demo -o mine --data-only         # draw the scenes, and do the rest by hand
"""

CRF = "w=8,xy=15,rgb=6,pos_w=1,pos_xy=1,iter=10"
TRIMAP_WIDTHS = 20
QUICK_MODEL = "shapes"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_out_argument(parser, "DIR", "folder (default: demo)", type=Path, default=Path("demo"))
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="do not train: take the shipped weights")
    how.add_argument("--data-only", action="store_true", help="stop when the scenes are drawn")
    parser.add_argument("--iterations", type=int, metavar="N", help="train for N updates (default: as the solver says)")
    parser.add_argument("--training-scenes", type=int, default=600, metavar="N", help="to train on (default 600)")
    parser.add_argument("--scored", type=int, default=40, metavar="N", help="held-out scenes to score (default 40)")
    parser.add_argument("--scenes", type=int, default=4, metavar="N", help="scenes in demo.png (default 4)")
    parser.add_argument("--seed", type=int, default=1, help="determines the scenes and the training (default 1)")
    add_json_argument(parser)
    add_quiet_argument(parser, "no progress")
    add_threads_argument(parser)
    add_gpu_argument(parser)


class _Stopwatch:
    """Seconds and processor seconds, those of processes that it started included, since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), self._cpu()

    def _cpu(self) -> float:
        return sum(os.times()[:4])

    def stop(self, step: Step) -> Step:
        """The step with its times."""
        seconds, cpu = time.perf_counter() - self._start[0], self._cpu() - self._start[1]
        return replace(step, seconds=seconds, cpu_seconds=cpu)


class _Watch(Observer):
    """Shows how far the training is, and its loss and last score."""

    def __init__(self, progress: Progress):
        self._progress, self._loss, self._score = progress, 0.0, ""

    def trained(self, iteration: int, loss: float) -> None:
        self._loss = loss if iteration == 0 else 0.95 * self._loss + 0.05 * loss
        self._progress.advance(f"loss {self._loss:.3f}{self._score}")

    def tested(self, score: Score) -> None:
        self._score = f", held-out mean IoU {100 * score.outputs[-1].value:.1f} %"


def run(args: argparse.Namespace) -> int:
    """Draw, train, score, write."""
    if not 1 <= args.scenes <= args.scored:
        raise UsageError("--scenes must be at least 1 and no more than --scored")
    if args.training_scenes < 1:
        raise UsageError(f"--training-scenes must be at least 1, got {args.training_scenes}")
    apply_threads(args)
    use_gpu(args.gpu)
    quiet = args.quiet or prints_json(args)
    solver = None if args.quick else read_recipe(args.out, seed=args.seed, iterations=args.iterations)
    make_folder(args.out)
    scenes, drawn = _draw(args, quiet)
    if args.data_only:
        print(f"scenes: {scenes.path}; go on with\n  {_train_command(args)}", file=sys.stderr)
        return 0
    steps, log, model = [drawn], None, QUICK_MODEL
    if solver is not None:
        watch = _Stopwatch()
        with Progress(int(solver.param.max_iter), "training", quiet=quiet) as progress:
            weights, log_path, findings = train(solver, args.out, _Watch(progress))
        log, model = read_log(log_path), str(_write_model(args.out, weights))
        text = f"Check (found: {findings.summary}), and train by the solver: {solver.param.max_iter} updates"
        steps.append(watch.stop(Step(f"{text}, tested on the held-out scenes on the way.", _train_command(args))))
        steps += _looks(args, weights, log_path)
    evaluation, net, scored = _score(args, scenes, model, quiet)
    steps += [scored, _crf_by_hand(args, scenes, net)]
    _write(args, evaluation, net, steps, log)
    _print(args, evaluation, steps)
    return 0


def _draw(args: argparse.Namespace, quiet: bool) -> tuple[SceneFolder, Step]:
    training = 0 if args.quick else args.training_scenes
    watch = _Stopwatch()
    with Progress(training + args.scored, "drawing scenes", quiet=quiet) as progress:
        scenes = write_scenes(
            args.out / "data", seed=args.seed, training=training, held_out=args.scored, watch=progress.advance
        )
    command = f"pydeeplab demo -o {args.out} --data-only --seed {args.seed}"
    if not args.quick:
        command += f" --training-scenes {training}"
    text = f"Draw {training} scenes to train on and {args.scored} to score." if training else "Draw scenes to score."
    return scenes, watch.stop(Step(text, f"{command} --scored {args.scored}"))


def _shown(path: Path) -> str:
    """A path as one would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _train_command(args: argparse.Namespace) -> str:
    solver = _shown(find_net(NET, "solver"))
    command = f"pydeeplab train --solver {solver} --define DEMO={args.out}"
    changed = [f"max_iter: {args.iterations}"] if args.iterations is not None else []
    changed += [f"random_seed: {args.seed}"] if args.seed != 1 else []
    return f"{command}    # with {', '.join(changed)}" if changed else command


def _looks(args: argparse.Namespace, weights: Path, log: Path) -> list[Step]:
    """What can be looked at by hand after the training."""
    test = _shown(find_net(NET, "test"))
    return [
        Step("Plot its log.", f"pydeeplab plot {log} -o {args.out}/loss.svg"),
        Step(
            "Run the test net on all held-out scenes: pixel accuracy, mean class accuracy, mean IoU before the CRF.",
            f"pydeeplab test --model {test} --define DEMO={args.out} --weights {weights} --iterations 1",
        ),
    ]


def _crf_by_hand(args: argparse.Namespace, scenes: SceneFolder, net: NetPredictor) -> Step:
    picture = scenes.path / "images" / "val_0000.png"
    return Step(
        "One scene: the net's probabilities, and the CRF on them.",
        f"pydeeplab segment {picture} --net {NET} --weights {_shown(Path(net.options['weights']))} "
        f"--classes {scenes.path}/classes.txt --probabilities -o {args.out}/one\n"
        f"pydeeplab crf {picture} --scores {args.out}/one/val_0000_probabilities.npy --params {net.options['crf']} "
        f"--overlay -o {args.out}/refined",
    )


def _write_model(out: Path, weights: Path) -> Path:
    path = out / "model.json"
    description = {"net": NET, "weights": os.path.relpath(weights, out), "classes": list(CLASSES), "crf": CRF}
    write_text(path, json_text(description) + "\n")
    return path


def _score(
    args: argparse.Namespace, scenes: SceneFolder, model: str, quiet: bool
) -> tuple[Evaluation, NetPredictor, Step]:
    watch = _Stopwatch()
    net = NetPredictor(read_model(model))
    rules = Rules(net.segmenter.classes, len(CLASSES), (IGNORE,), trimap=TRIMAP_WIDTHS, keep=True)
    evaluation = Evaluation(rules, net.variants)
    pictures = pictures_of_list(scenes.held_out_list, scenes.path)
    with Progress(len(pictures), "scoring", quiet=quiet) as progress:
        for score in score_in_processes(net, rules, pictures, processes_at_once(None)):
            evaluation.add(score)
            progress.advance()
    command = (
        f"pydeeplab eval --list {scenes.held_out_list} --root {scenes.path} --model {model} "
        f"--trimap {args.out}/trimap.svg --trimap-widths {TRIMAP_WIDTHS} "
        f"--html {args.out}/scores.html --iterations-of 1"
    )
    return evaluation, net, watch.stop(Step("Score the held-out scenes, before and after the CRF.", command))


def _write(
    args: argparse.Namespace, evaluation: Evaluation, net: NetPredictor, steps: list[Step], log: TrainingLog | None
) -> None:
    write_png(args.out / "demo.png", score_sheet(evaluation, args.scenes))
    maps = mean_field_maps(evaluation, net, 1, complain=lambda text: print(text, file=sys.stderr))
    origin = "trained here from random fillers" if log else "with the weights of a longer training on other scenes"
    write_page(
        args.out / "report.html",
        evaluation,
        title="pydeeplab demo",
        note=f"Shapes of five classes over clutter that wears the same textures, drawn from a seed; a DeepLab-ASPP in "
        f"miniature, {origin}; the fully connected CRF. The commands do each step again by hand.",
        steps=steps,
        log=log,
        maps=maps,
        settings={"net": NET, "CRF": str(net.options["crf"]), "seed": str(args.seed)},
    )


def _print(args: argparse.Namespace, evaluation: Evaluation, steps: list[Step]) -> None:
    report = args.out / "report.html"
    scores: dict[str, Any] = {
        variant: {"mean_iou": matrix.mean_iou(), "iou": matrix.iou().tolist()}
        for variant, matrix in evaluation.matrices.items()
    }
    if write_json(args, {**scores, "report": str(report)}):
        return
    print("\n".join(score_lines(evaluation, colours=has_colours(sys.stdout))))
    done = [step for step in steps if step.seconds is not None]
    taken = ", ".join(f"{word} {format_seconds(step.seconds or 0)}" for word, step in _named(done))
    before, after = (100 * evaluation.matrices[v].mean_iou() for v in evaluation.variants)
    print(f"\n{taken}")
    print(f"mean IoU {before:.1f} % before the CRF, {after:.1f} % after it")
    print(f"report: {report}   pictures: {args.out / 'demo.png'}")


def _named(done: list[Step]) -> list[tuple[str, Step]]:
    words = ("drawing", "training", "scoring") if len(done) == 3 else ("drawing", "scoring")
    return list(zip(words, done, strict=True))
