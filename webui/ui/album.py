"""Stores the pictures that the page shows, in a private folder that may be served, as the files that were saved.

Gradio never gets pictures as pixels, because it would encode them again and lose their infotexts.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from webui.domain.result import GeneratedImage
from webui.output.metadata import encode


@dataclass(frozen=True, slots=True)
class Album:
    """Pictures of finished jobs below `folder`, each in a directory of its own whose name cannot be guessed."""

    folder: Path
    embed_parameters: bool = True  # whether a picture that was not saved contains its infotext

    def add(self, made: GeneratedImage) -> Path:
        """A servable file with this picture and its text; a link to the saved file where there is one.

        The browser has no access to the outputs folder itself, only to pictures that the page has shown.
        """
        saved = Path(made.path) if made.path else None
        if saved is not None and saved.is_file():
            return self.add_file(saved)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = Path(tempfile.mkdtemp(dir=self.folder))
        shown = place / f"{made.index:05d}-{made.request.seed}.png"
        shown.write_bytes(self._png(made))
        return shown

    def add_file(self, saved: Path) -> Path:
        """A servable link to a saved file, or a copy of it. Raises OSError where it is gone."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shown = Path(tempfile.mkdtemp(dir=self.folder)) / saved.name
        try:
            os.link(saved, shown)
        except OSError:  # another disk, or no hard links there
            shutil.copyfile(saved, shown)
        return shown

    def add_picture(self, image: Image.Image) -> Path:
        """A servable PNG of a picture without parameters: such as a detected map, or the result of an action."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shown = Path(tempfile.mkdtemp(dir=self.folder)) / "picture.png"
        image.save(shown, "PNG")
        return shown

    def _png(self, made: GeneratedImage) -> bytes:
        if not self.embed_parameters:
            return encode(made.image, "png").data
        return encode(made.image, "png", infotext=made.infotext, request=made.request).data
