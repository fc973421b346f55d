"""What `pydeeplab experiment` prints: tables of experiments, plans, results."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydeeplab.cli._tables import format_table, paint
from pydeeplab.experiment.report import source_of
from pydeeplab.experiment.running import missing_of, states_of
from pydeeplab.experiment.stage import Stage, State
from pydeeplab.experiment.subject import Subject

__all__ = ["entry_of", "list_lines", "plan_lines", "plan_of", "result_lines"]

_COLOURS = {"done": "green", "found": "green", "changed": "yellow", "begun": "yellow", "missing": "red"}


def _per_cent(before: float | None, after: float | None) -> str:
    """``62.25 / 67.64``; a dash for what is not there."""
    if before is None and after is None:
        return ""
    return " / ".join("-" if value is None else f"{value:.2f}" for value in (before, after))


def _status(states: Sequence[tuple[Stage, State]]) -> str:
    """What is to be done next, in few words."""
    left = [(stage, state) for stage, state in states if not state.settled]
    if not left:
        return "done"
    done = [stage.name for stage, state in states if state.settled]
    words = {"begun": "interrupted", "changed": "again, as its inputs changed"}
    stage, state = next(((g, s) for g, s in left if s.word != "missing"), left[0])
    missing = {"data" if stage.name == "prepare" else "weights" for stage, state in left if state.word == "missing"}
    if missing and not done:
        return f"needs {' and '.join(sorted(missing))}"
    suffix = f" ({words[state.word]})" if state.word in words else ""
    return f"{', '.join(done)} done; next {stage.name}{suffix}" if done else f"next {stage.name}{suffix}"


def entry_of(subject: Subject) -> dict[str, Any]:
    """What `list` says of an experiment."""
    experiment, numbers = subject.experiment, subject.numbers()
    states = states_of(subject)
    return {
        "name": experiment.name,
        "title": experiment.title,
        "source": source_of(experiment.expected),
        "net": experiment.net.name,
        "data": experiment.data.dataset,
        "base": experiment.base,
        "paper": {"before_crf": experiment.expected.before_crf, "after_crf": experiment.expected.after_crf},
        "ours": {n.variant.replace(" CRF", "_crf"): n.ours for n in numbers},
        "stages": {stage.name: state.word for stage, state in states},
        "needs": missing_of(subject),
        "status": _status(states),
    }


def list_lines(entries: Sequence[dict[str, Any]], colours: bool) -> list[str]:
    """A table of experiments."""
    rows = [
        [
            e["name"], e["source"], e["net"], _per_cent(e["paper"]["before_crf"], e["paper"]["after_crf"]),
            _per_cent(e["ours"].get("before_crf"), e["ours"].get("after_crf")), e["status"],
        ]
        for e in entries
    ]  # fmt: skip
    header = ["experiment", "where", "net", "paper", "ours", "status"]
    note = "paper, ours: mean IoU in per cent before / after the CRF. `show NAME` says what an experiment needs."
    return [*format_table(header, rows, right=[3, 4], colours=colours), "", note]


def _stage_entry(stage: Stage, state: State) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "state": state.word,
        "why": list(state.why),
        "commands": [["pydeeplab", *command] for command in stage.commands],
        "does": stage.does,
        "reads": [path.as_posix() for path in stage.inputs],
        "leaves": [path.as_posix() for path in stage.outputs],
    }


def plan_of(subject: Subject) -> dict[str, Any]:
    """All that `show` says of an experiment; errors in templates show here."""
    return {
        **entry_of(subject),
        "file": str(subject.experiment.path),
        "settings": {k: v for k, v in subject.settings().items() if v},
        "writes": [path.as_posix() for path in subject.texts()],
        "stages": [_stage_entry(stage, state) for stage, state in states_of(subject)],
    }


def plan_lines(plan: dict[str, Any], folder: Path, colours: bool) -> list[str]:
    """A plan for people."""
    where = f" ({plan['source']})" if plan["source"] else ""
    lines = [paint(f"{plan['name']}: {plan['title']}{where}", "bold", colours), f"declared in {plan['file']}"]
    paper = _per_cent(plan["paper"]["before_crf"], plan["paper"]["after_crf"])
    ours = _per_cent(plan["ours"].get("before_crf"), plan["ours"].get("after_crf"))
    lines += [f"  {name}: {value}" for name, value in plan["settings"].items()]
    lines += [f"  mean IoU before / after the CRF: paper {paper or '-'}, ours {ours or '-'}"]
    lines += [f"  needs {line}" for line in plan["needs"]]
    lines += ["", "Prototxts, written at first:", *(f"  {path}" for path in plan["writes"])]
    lines += ["", f"Stages, in {folder}:"]
    for entry in plan["stages"]:
        state = paint(entry["state"], _COLOURS.get(entry["state"], "dim"), colours)
        lines.append(f"  {entry['stage']}: {state}{': ' if entry['why'] else ''}{'; '.join(entry['why'])}")
        lines += [f"    {shlex.join(command)}" for command in entry["commands"]]
        lines += [f"    {entry['does']}"] if entry["does"] else []
        leaves = entry["leaves"]
        more = f" and {len(leaves) - 1} more" if len(leaves) > 3 else ""
        lines.append(f"    leaves {', '.join(leaves if not more else leaves[:1])}{more}")
    return lines


def result_lines(
    entries: Sequence[dict[str, Any]], failed: dict[str, str], comparable: bool, colours: bool
) -> list[str]:
    """Ours beside the paper's."""
    rows = []
    for entry in entries:
        paper, ours = entry["paper"], entry["ours"]
        differences = [
            f"{ours[k] - paper[k]:+.2f}" if ours.get(k) is not None and paper[k] is not None else "-" for k in paper
        ]
        state = "failed" if entry["name"] in failed else entry["status"]
        rows.append(
            [
                entry["name"], entry["source"], _per_cent(ours.get("before_crf"), ours.get("after_crf")),
                _per_cent(paper["before_crf"], paper["after_crf"]),
                " / ".join(differences) if comparable and set(differences) != {"-"} else "", state,
            ]
        )  # fmt: skip
    header = ["experiment", "where", "ours", "paper", "difference", "status"]
    return format_table(header, rows, right=[2, 3, 4], colours=colours)
