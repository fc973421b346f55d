"""The experiments of the paper's tables, declared in files and run in stages that can be resumed."""

from pydeeplab.experiment.catalog import experiment_names, find_experiment, find_experiments
from pydeeplab.experiment.spec import Experiment

__all__ = ["Experiment", "experiment_names", "find_experiment", "find_experiments"]
