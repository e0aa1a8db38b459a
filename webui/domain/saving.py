"""How pictures become files: format, quality, names, what is written into them. Never a pixel of the picture itself.

The program's settings give one such value; a client of the API may ask for another for one job.
"""

from typing import Literal

from pydantic import Field

from webui.domain.fields import Frozen

ImageFormat = Literal["png", "jpg", "webp"]
PATTERN_LENGTH = 200  # characters


class Saving(Frozen):
    """One way to write files. Patterns are those of `webui/output/filenames.py`.

    Attributes:
        folder_pattern: of the folder inside the one for the kind of picture; "" saves without it.
        embed_parameters: whether generation parameters are written into the file.
        sidecar_text: whether the infotext is also written beside each image.
        number_digits: how many digits `[number]` has at least.
        literal: whether the patterns are the names themselves, as those of files that keep their names are.
    """

    image_format: ImageFormat = "png"
    jpeg_quality: int = Field(80, ge=1, le=100)
    webp_lossless: bool = False
    filename_pattern: str = Field("[number]-[seed]", max_length=PATTERN_LENGTH)
    folder_pattern: str = Field("[date]", max_length=PATTERN_LENGTH)
    embed_parameters: bool = True
    sidecar_text: bool = False
    number_digits: int = Field(5, ge=1, le=9)
    literal: bool = False
