"""What may be with a picture of the index, as its column `state` has it."""

from typing import Final

HERE: Final = 0  # its file lies where the index says
MISSING: Final = 1  # its file is gone; the row is kept for its stars, tags and notes
TRASHED: Final = 2  # its file lies in the trash folder
DAMAGED: Final = 3  # there is a file, but no picture that can be shown; `texts.fault` says why
