"""Finding out before a training starts what would go wrong in it: files, labels, crops, weights, memory, recipe."""

from pydeeplab.preflight.report import Finding, Report
from pydeeplab.preflight.training import check_net, check_training

__all__ = ["Finding", "Report", "check_net", "check_training"]
