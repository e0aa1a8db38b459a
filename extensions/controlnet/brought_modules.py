"""The drawing of preprocessors that other extensions bring."""

import numpy as np
from PIL import Image

from webui.extension_api import Tools

from .maps import Map
from .modules import OF_TOOLS
from .preprocessors import Preprocessor, Settings


def drawing(name: str, tools: Tools) -> Preprocessor:
    """What draws the maps of one."""

    def draw(picture: Map, settings: Settings) -> Map:
        return np.asarray(tools.picture(OF_TOOLS, name, Image.fromarray(picture), settings.resolution))

    return draw
