"""The variables of DeepLab's driver script, and templates filled in with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydeeplab.experiment.layout import Layout
from pydeeplab.experiment.spec import Experiment
from pydeeplab.proto.positions import SourceText
from pydeeplab.proto.templates import substitute
from pydeeplab.proto.text import load_text

__all__ = ["expand", "variables_of"]


def variables_of(experiment: Experiment, layout: Layout, classes: int | None, data_root: str) -> dict[str, str]:
    """The values of the driver's variables; those that the experiment's file gives come first.

    ``TRAIN_SET`` is the list of the stage whose net is tested; ask with another layout for the other stage's.
    """
    known = {
        "DATA_ROOT": data_root,
        "EXP": layout.exp,
        "NET_ID": layout.net_id,
        "TRAIN_SET": layout.train_set,
        "TEST_SET": layout.test_set,
        "FEATURE_DIR": layout.feature_dir.as_posix(),
        "TRAIN_STEP": "2" if layout.stage_2 else "1",
    }
    if classes is not None:
        known["NUM_LABELS"] = str(classes)
    if experiment.net.batch_size is not None:
        known["BATCH_SIZE"] = str(experiment.net.batch_size)
    return {**known, **experiment.variables}


def expand(template: Path, variables: Mapping[str, str]) -> str:
    """The text of a template with every ``${NAME}`` replaced.

    Raises
    ------
    PrototxtError
        The template cannot be read, or a variable has no value; the message names it and where it stands.
    """
    text = load_text(template)
    return substitute(text, variables, SourceText(str(template), text).place)[0]
