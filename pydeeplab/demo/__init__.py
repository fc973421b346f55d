"""The demo: scenes that the project draws itself, a DeepLab in miniature trained on them, and a page on its scores."""

from pydeeplab.demo.page import Step, score_sheet, write_page
from pydeeplab.demo.scenes import SceneFolder, write_scenes
from pydeeplab.demo.training import NET, read_recipe, train

__all__ = ["NET", "SceneFolder", "Step", "read_recipe", "score_sheet", "train", "write_page", "write_scenes"]
