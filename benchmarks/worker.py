"""One contestant in a process of its own, waiting to be told what to do.

    python -m benchmarks.worker NAME TASK.json FOLDER [--check]

Reads ``run`` and ``save FILE`` from the standard input, one line at a time, and answers each with a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def _memory(field: str) -> float:
    """VmRSS or VmHWM of this process in MiB."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) / 1024


def _forget_peak() -> None:
    """Count the peak of the memory from here on."""
    Path("/proc/self/clear_refs").write_text("5")


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _save(path: str, results: dict[str, Any]) -> None:
    import numpy as np

    np.savez(path, **results)


def main() -> None:
    """Load, warm up, and obey."""
    name, task_text, folder, *rest = sys.argv[1:]
    fields = json.loads(task_text)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: fields["threads"]])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get among the answers

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    from benchmarks.contestants import CONTESTANTS, load
    from benchmarks.tasks import Task

    contestant = CONTESTANTS[name]
    try:
        cls = load(name)
        imported = _memory("VmRSS")
        start = time.perf_counter()
        worker = cls(Task(**fields), Path(folder), "--check" in rest, **dict(contestant.options))
        built = time.perf_counter() - start
        worker.run()
    except Exception as error:
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        answer(cannot=f"{type(error).__name__}: {lines[-1].strip()}"[:300])
        return
    answer(ready=True, imported_mib=imported, built_s=built, versions=_versions(contestant.packages))
    loading_peak = _memory("VmHWM")
    _forget_peak()
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "save":
            _save(argument, worker.results())
            _forget_peak()
            answer(saved=argument)
            continue
        start, cpu_start = time.perf_counter(), time.process_time()
        worker.run()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        running_peak = _memory("VmHWM")
        answer(
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            peak_mib=max(loading_peak, running_peak),
            running_peak_mib=running_peak,
        )


if __name__ == "__main__":
    main()
