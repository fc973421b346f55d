"""The plan of an experiment: its stages, made from what is there now."""

from __future__ import annotations

from collections.abc import Iterator

from pydeeplab.experiment.result_stages import report, score
from pydeeplab.experiment.stage import Stage
from pydeeplab.experiment.subject import Subject
from pydeeplab.experiment.testing_stages import crf, search, test
from pydeeplab.experiment.training_stages import copied_init, init, prepare, train

__all__ = ["stages_of"]


def stages_of(subject: Subject) -> Iterator[Stage]:
    """The stages in their order; each is made when it is asked for, as it depends on what those before it leave."""
    experiment = subject.experiment
    yield prepare(subject)
    if copied_init(subject) is not None:
        yield init(subject)
    yield train(subject, "train")
    if subject.layout.stage_2:
        yield train(subject, "train2")
    yield test(subject)
    if experiment.crf is not None:
        if not experiment.crf.params:
            yield search(subject)
        yield crf(subject)
    if experiment.data.truth:
        yield score(subject)
    yield report(subject)
