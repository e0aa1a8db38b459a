"""`python launch.py models`: which model files there are, and where each lies."""

import sys

from webui.domain.settings import Settings
from webui.library.files import FOLDERS, folders_of
from webui.library.library import ModelLibrary
from webui.library.other_programs import with_all_folders
from webui.weights.families.registry import FAMILIES

OK = 0


def run(settings: Settings) -> int:
    """Write every kind with its folders and files to standard output."""
    settings = with_all_folders(settings)
    library = ModelLibrary(settings.models_dir, settings.data_dir / "cache", FAMILIES, further=settings.model_folders)
    for kind in FOLDERS:
        there = [one for one in folders_of(library.models_dir, kind, library.further) if one.exists()]
        files = library.files(kind)
        sys.stdout.write(f"{kind}: {len(files)} in {', '.join(map(str, there)) or 'no folder'}\n")
        for file in files:
            said = f"\n      {file.reason}" if file.reason else ""
            sys.stdout.write(f"  {'' if file.usable else 'unusable '}{file.name}: {file.path}{said}\n")
    return OK
