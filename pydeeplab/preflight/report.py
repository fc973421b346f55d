"""What a preflight found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from pydeeplab.errors import PydeeplabError, counted

__all__ = ["ERROR", "NOTE", "SEVERITIES", "WARNING", "Finding", "Report", "Watch", "unwatched"]

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)

Watch = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and of how many."""


def unwatched(label: str, done: int, total: int) -> None:
    """A `Watch` that shows nothing."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    severity : {"error", "warning", "note"}
        Training cannot work or will surely stop; it may well disappoint; worth knowing.
    topic : str
        What it is about: "net", "list", "image", "label", "crop", "weights", "memory", "snapshot", "recipe", ...
    message : str
        What was expected and what was found, with file, line and pixel.
    advice : str
        The way out; may be empty.
    net : str
        "train", "test" (or "test 0", "test 1", ...), empty for the solver.
    """

    severity: str
    topic: str
    message: str
    advice: str = ""
    net: str = ""


@dataclass
class Report:
    """Findings, worst first, and facts such as the number of images and epochs.

    Attributes
    ----------
    findings : list of Finding
    facts : dict
        Numbers and strings by name.
    """

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, severity: str, topic: str, message: str, advice: str = "", *, net: str = "") -> None:
        """Add a finding."""
        finding = Finding(severity, topic, message, advice, net)
        if finding not in self.findings:
            self.findings.append(finding)

    def add_error(self, topic: str, error: PydeeplabError, *, net: str = "") -> None:
        """Add an exception as an error; its message holds the way out."""
        self.add(ERROR, topic, str(error), net=net)

    def sort(self) -> Report:
        """Put the worst first, otherwise as found; returns self."""
        self.findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
        return self

    def of(self, severity: str) -> list[Finding]:
        """The findings of a severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.of(ERROR)

    def to_json(self) -> dict[str, Any]:
        """For `json.dump`."""
        return {"ok": self.ok, "findings": [asdict(finding) for finding in self.findings], "facts": self.facts}

    @property
    def summary(self) -> str:
        """``1 error, 2 warnings, 5 notes``."""
        counts = [(len(self.of(severity)), severity) for severity in SEVERITIES]
        return ", ".join(counted(count, name) for count, name in counts)
