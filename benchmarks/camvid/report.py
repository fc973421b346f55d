"""Putting the scores of all runs together: a JSON file, charts, and the tables of docs/camvid.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.camvid.rows import CLAIMS, ROWS, Job, jobs_of
from benchmarks.camvid.runner import SETS
from benchmarks.record import machine
from pydeeplab.files import write_text
from pydeeplab.plotting import Chart, Series, read_log, write_chart

__all__ = ["ROOT", "record"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "camvid.json"
PICTURES = ROOT / "docs" / "pictures"
PAGE = ROOT / "docs" / "camvid.md"
BEGIN, END = "<!-- Written by `python -m benchmarks.camvid record`: -->", "<!-- end -->"
NET, CRF = "net", "net and CRF"
SMOOTH = 10
SIZE = (640, 360)

Scores = dict[str, Any]


def _kept(variant: Scores) -> Scores:
    """What of a variant's scores is recorded, in per cent."""
    shares = {key: round(100 * variant[key], 3) for key in ("mean_iou", "pixel_accuracy", "mean_class_accuracy")}
    classes = {name: round(100 * scores["iou"], 2) for name, scores in variant["classes"].items()}
    trimap = [None if v is None else round(100 * v, 2) for v in variant["trimap"]["mean_iou"]]
    return {**shares, "iou": classes, "trimap_mean_iou": trimap}


def _job_scores(job: Job) -> Scores:
    """All that is known of one training; the sets that are scored so far."""
    loss = list(_loss(job).values())
    found: Scores = {"iterations": job.iterations[-1], "last_loss": round(statistics.fmean(loss[-SMOOTH:]), 4)}
    best = job.folder.with_name("1") / "crf" / "best.json"
    if best.is_file():
        found["crf"] = json.loads(best.read_text())["params"]
    for name in SETS:
        path = job.folder / f"{name}.json"
        if path.is_file():
            variants = json.loads(path.read_text())["variants"]
            found[name] = {variant: _kept(scores) for variant, scores in variants.items()}
    on_the_way = {i: job.folder / f"val_iter_{i}.json" for i in job.iterations[:-1]}
    curve = {
        str(i): round(100 * json.loads(path.read_text())["variants"][NET]["mean_iou"], 3)
        for i, path in on_the_way.items()
        if path.is_file()
    }
    if curve and "val" in found:
        found["val_mean_iou"] = {**curve, str(job.iterations[-1]): found["val"][NET]["mean_iou"]}
    return found


def _loss(job: Job) -> dict[int, float]:
    """The loss of the fused scores by iteration, of the displayed batches."""
    return dict(sorted(read_log(job.log).train["loss"].items()))


def _finished(out: Path, name: str) -> list[Job]:
    return [job for job in jobs_of(out, [name], range(1, 100)) if job.weights().is_file()]


def _collect(out: Path) -> dict[str, Scores]:
    """By row: net, solver, and by seed what is finished."""
    rows: dict[str, Scores] = {}
    for name, row in ROWS.items():
        seeds = {str(job.seed): _job_scores(job) for job in _finished(out, name)}
        if seeds:
            rows[name] = {"net": f"camvid/{row.net}", "solver": row.solver, "seeds": seeds}
    return rows


def _values(row: Scores, name: str, variant: str = NET, key: str = "mean_iou") -> dict[str, float]:
    """A score by seed, of the seeds that have it."""
    return {seed: s[name][variant][key] for seed, s in row["seeds"].items() if variant in s.get(name, {})}


def _mean(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    if not values:
        return ""
    mean = f"{statistics.fmean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _gain(worse: dict[str, float], better: dict[str, float]) -> list[float]:
    """Differences seed by seed."""
    return [round(better[seed] - worse[seed], 3) for seed in better if seed in worse]


def _verdict(gains: dict[str, list[float]]) -> str:
    """Whether all seeds agree on both sets."""
    together = [gain for of_set in gains.values() for gain in of_set]
    if not together:
        return ""
    seeds = max(map(len, gains.values()))
    so_far = "" if seeds > 1 else " (one seed)"
    if all(gain > 0 for gain in together):
        return "holds" + so_far
    return "the reverse holds" + so_far if all(gain < 0 for gain in together) else "undecided"


def _claims(rows: dict[str, Scores]) -> list[Scores]:
    pairs = [
        (c.table, c.text, (rows[c.worse], NET), (rows[c.better], NET))
        for c in CLAIMS
        if c.worse in rows and c.better in rows
    ]
    pairs += [("4", f"the CRF helps (`{n}`)", (row, NET), (row, CRF)) for n, row in rows.items() if ROWS[n].crf]
    found = []
    for table, text, (worse, before), (better, after) in pairs:
        gains = {s: _gain(_values(worse, s, before), _values(better, s, after)) for s in SETS}
        if any(gains.values()):
            found.append({"table": table, "claim": text, "gains": gains, "verdict": _verdict(gains)})
    return found


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]) + "\n"


def _signed(gains: Sequence[float]) -> str:
    each = ", ".join(f"{gain:+.1f}" for gain in gains)
    return f"{statistics.fmean(gains):+.1f} ({each})" if gains else ""


def _tables(record: Scores) -> str:
    rows = record["rows"]
    scores = []
    for name, row in rows.items():
        for variant in (NET, CRF):
            if any(_values(row, s, variant) for s in SETS):
                cells = [_mean(list(_values(row, s, variant).values())) for s in SETS]
                said = f"`{name}`" + (" and CRF" if variant == CRF else "")
                what = f"`{row['net'].removeprefix('camvid/')}`, `{row['solver']}`"
                scores.append([said, what, str(len(row["seeds"])), *cells])
    claims = [
        [c["table"], c["claim"], *(_signed(c["gains"][name]) for name in SETS), c["verdict"]] for c in record["claims"]
    ]
    classes = []
    for name, row in rows.items():
        for variant in (NET, CRF):
            by_seed = [s["test"][variant]["iou"] for s in row["seeds"].values() if variant in s.get("test", {})]
            if by_seed:
                means = [f"{statistics.fmean(iou[c] for iou in by_seed):.0f}" for c in by_seed[0]]
                classes.append([f"`{name}`" + (" and CRF" if variant == CRF else ""), *means])
                names = list(by_seed[0])
    parts = [
        _table(["run", "net and solver", "seeds", "mean IoU, val", "mean IoU, test"], scores),
        _table(["paper's table", "claim", "gain on val (each seed)", "gain on test (each seed)", "here"], claims),
    ]
    if classes:
        parts.append("IoU on test by class, mean of the seeds:\n\n" + _table(["run", *names], classes))
    return "\n".join(parts)


def _mean_curve(curves: Sequence[dict[int, float]]) -> tuple[list[int], list[float]]:
    """Mean over the seeds where all have a value."""
    xs = sorted(set.intersection(*(set(curve) for curve in curves)))
    return xs, [statistics.fmean(curve[x] for curve in curves) for x in xs]


def _charts(out: Path, rows: dict[str, Scores]) -> dict[str, Chart]:
    losses = {
        name: Series(name, *_mean_curve([_loss(job) for job in _finished(out, name)])).smoothed(SMOOTH) for name in rows
    }
    compared = [series for name, series in losses.items() if ROWS[name].seeds > 1]
    alone = [series for name, series in losses.items() if ROWS[name].seeds == 1]
    learning, bands = [], []
    for name, row in rows.items():
        if curve := row["seeds"]["1"].get("val_mean_iou"):
            learning.append(Series(name, [int(i) for i in curve], list(curve.values()), marks=True))
        for variant, words in ((NET, "before"), (CRF, "after")):
            scored = [s["test"][variant] for s in row["seeds"].values() if CRF in s.get("test", {})]
            if scored:
                means = [
                    statistics.fmean(values) for values in zip(*(s["trimap_mean_iou"] for s in scored), strict=True)
                ]
                bands.append(Series(f"{name}, {words} CRF", range(1, len(means) + 1), means))
    return {
        "loss": Chart("", "iteration", "training loss", compared),
        "loss_long": Chart("", "iteration", "training loss", alone),
        "val": Chart("", "iteration", "mean IoU on val (%)", learning),
        "trimap": Chart("", "trimap width (pixels)", "mean IoU on test (%)", bands),
    }


def record(out: Path) -> None:
    """Write everything; what is not finished is left out."""
    rows = _collect(out)
    content = {"machine": machine(), "rows": rows, "claims": _claims(rows)}
    write_text(RESULTS, json.dumps(content, indent=1) + "\n")
    for name, chart in _charts(out, rows).items():
        write_chart(PICTURES / f"camvid_{name}.svg", chart, *SIZE)
    tables = _tables(content)
    print(tables)
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    write_text(PAGE, f"{before}{BEGIN}\n\n{tables}\n{END}{after}")
