"""Line charts as SVG, PNG or CSV, and the training logs that they show; no plotting library is needed."""

from pydeeplab.plotting.chart import Chart, Series
from pydeeplab.plotting.logs import TrainingLog, read_log
from pydeeplab.plotting.write import to_csv, to_png, to_svg, write_chart

__all__ = ["Chart", "Series", "TrainingLog", "read_log", "to_csv", "to_png", "to_svg", "write_chart"]
