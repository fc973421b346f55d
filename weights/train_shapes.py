"""Makes weights/shapes.caffemodel: the training of `pydeeplab demo`, on more scenes and for longer.

    python weights/train_shapes.py [--folder build/shapes] [--iterations 5000] [--scenes 3000]

The scenes, of another seed than the demo's, and the snapshots go to --folder; the weights (without what belongs to
training) and a short log come here. Takes about fifteen minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pydeeplab
from pydeeplab.demo import NET, read_recipe, train, write_scenes
from pydeeplab.files import write_text
from pydeeplab.plotting import read_log
from pydeeplab.resources import find_net
from pydeeplab.solver import Observer, Score

WEIGHTS = Path(__file__).resolve().parent
SEED, BASE_LR = 2, 0.002
HELD_OUT = 40


class Watch(Observer):
    """Prints the scores on held-out scenes."""

    def tested(self, score: Score) -> None:
        print(f"iteration {score.iteration}: mean IoU {score.outputs[-1].value:.4f}", flush=True)


def summary(log: Path) -> str:
    """A line for every hundredth iteration."""
    read = read_log(log)
    scores = read.test["accuracy[2]"]
    lines = []
    for iteration in sorted({*read.lr, *scores}):
        if iteration % 100 == 0:
            parts = [f"lr {read.lr[iteration]:.6f}"] if iteration in read.lr else []
            parts += [f"loss {read.loss[iteration]:.4f}"] if iteration in read.loss else []
            parts += [f"held-out mean IoU {scores[iteration]:.4f}"] if iteration in scores else []
            lines.append(f"iteration {iteration}, {', '.join(parts)}\n")
    return "".join(lines)


def main() -> None:
    """Draw, train, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/shapes"))
    parser.add_argument("--iterations", type=int, default=5000)
    parser.add_argument("--scenes", type=int, default=3000)
    args = parser.parse_args()
    write_scenes(args.folder / "data", seed=SEED, training=args.scenes, held_out=HELD_OUT)
    source = read_recipe(args.folder, seed=SEED, iterations=args.iterations)
    source.param.base_lr = BASE_LR
    source.param.test_interval = 500
    weights, log, _ = train(source, args.folder, Watch())
    net = pydeeplab.Net(find_net(NET), pydeeplab.TEST, weights=weights)
    net.save(WEIGHTS / "shapes.caffemodel")
    write_text(WEIGHTS / "shapes.log", summary(log))


if __name__ == "__main__":
    main()
