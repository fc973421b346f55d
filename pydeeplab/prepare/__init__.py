"""From the devkits of data sets to the label maps and lists that nets are trained and tested on."""

from pydeeplab.prepare.lists import SetCount
from pydeeplab.prepare.preparation import DATASETS, Prepared, prepare

__all__ = ["DATASETS", "Prepared", "SetCount", "prepare"]
