"""Makes weights/shapes.caffemodel: trains prototxt/tiny/aspp on scenes drawn by pydeeplab.data.synthetic.

    python weights/train_shapes.py [--iterations 3000] [--seed 1] [--out weights/shapes.caffemodel]

Plain SGD as DeepLab was trained: momentum 0.9, weight decay 0.0005, poly policy with power 0.9, in batches of 8. Scenes
with seeds below 100000 are kept for validation, whose mean IoU is printed at the end.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

import pydeeplab
from pydeeplab.data.synthetic import CLASSES, IGNORE, scene
from pydeeplab.evaluation import ConfusionMatrix

ROOT = Path(__file__).resolve().parents[1]
NET = ROOT / "prototxt" / "tiny" / "aspp"
MEAN_BGR = np.array([104.008, 116.669, 122.675], np.float32)
VALIDATION, FIRST_TRAINING_SEED = range(64), 100_000
MOMENTUM, DECAY, POWER = 0.9, 5e-4, 0.9


def prepare(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One scene as the net wants it: 3 x H x W, BGR minus mean; labels H x W."""
    image, labels = scene(seed)
    return (image[..., ::-1].astype(np.float32) - MEAN_BGR).transpose(2, 0, 1), labels


def batches(seeds: range, size: int, ahead: int = 8) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """Prepared scenes, ``size`` at a time, drawn by worker processes a few batches ahead."""
    starts = iter(range(seeds.start, seeds.stop, size))
    with ProcessPoolExecutor() as pool:
        waiting = deque(pool.submit(prepare_all, range(s, s + size)) for s in islice(starts, ahead))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(prepare_all, range(s, s + size)) for s in islice(starts, 1))


def prepare_all(seeds: range) -> list[tuple[np.ndarray, np.ndarray]]:
    """Several scenes."""
    return [prepare(seed) for seed in seeds]


def train(iterations: int, seed: int, base_rate: float) -> pydeeplab.Net:
    """Train from the fillers and return the net."""
    pydeeplab.set_random_seed(seed)
    net = pydeeplab.Net(NET / "train.prototxt", pydeeplab.TRAIN)
    params = [p for p in net.learnable_params if p.lr_mult]
    history = [np.zeros_like(p.blob.data) for p in params]
    size = net.blobs["data"].num
    first = FIRST_TRAINING_SEED + seed * 10_000_000
    losses: list[float] = []
    for iteration, batch in enumerate(batches(range(first, first + iterations * size), size)):
        for item, (image, labels) in enumerate(batch):
            net.blobs["data"].data[item] = image
            net.blobs["label"].data[item, 0] = labels
        net.clear_param_diffs()
        losses.append(float(net.forward()["loss"]))
        net.backward()
        rate = base_rate * (1 - iteration / iterations) ** POWER
        for param, velocity in zip(params, history, strict=True):
            gradient = param.blob.diff + DECAY * param.decay_mult * param.blob.data
            velocity *= MOMENTUM
            velocity += rate * param.lr_mult * gradient
            param.blob.data[...] -= velocity
        if iteration % 100 == 99:
            print(f"iteration {iteration + 1}, rate {rate:.5f}, loss {np.mean(losses[-100:]):.4f}", flush=True)
    return net


def mean_iou(net: pydeeplab.Net) -> float:
    """Mean intersection over union on the validation scenes, by the rule of the VOC devkit."""
    scores = ConfusionMatrix(len(CLASSES), IGNORE)
    for seed in VALIDATION:
        image, labels = prepare(seed)
        scores.update(labels, net.forward(data=image[np.newaxis])["fc8_interp"][0].argmax(axis=0))
    return scores.mean_iou()


def main() -> None:
    """Train, save, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--out", type=Path, default=ROOT / "weights" / "shapes.caffemodel")
    args = parser.parse_args()
    net = train(args.iterations, args.seed, args.rate)
    net.save(args.out)
    deploy = pydeeplab.Net(NET / "deploy.prototxt", pydeeplab.TEST, weights=args.out)
    print(f"mean IoU on {len(VALIDATION)} validation scenes: {mean_iou(deploy):.4f}")


if __name__ == "__main__":
    main()
