"""A new extension with its test, as `python launch.py extensions new NAME` writes it."""

from pathlib import Path

from webui.domain.errors import WebuiError
from webui.extension_api.markers import API_VERSION
from webui.plugins.manifest import NAME

MANIFEST = """\
name = "{name}"
version = "0.1.0"
description = "Brightens pictures"
hooks = {hooks}
needs = []
permissions = []
"""
PLUGIN = '''\
"""The hooks of this extension; the work is in the modules beside it."""

from PIL import Image
from pydantic import Field

from webui.extension_api import JobContext, Options, hookimpl

from .work import brighten


class {title}Options(Options):
    """The form, the API and the check of requests follow from these fields."""

    amount: float = Field(0.2, ge=-1, le=1, description="0 changes nothing, 1 doubles the brightness")


@hookimpl
def request_options() -> type[Options]:
    return {title}Options


@hookimpl
def join_job(job: JobContext) -> object | None:
    return Member(job.options) if isinstance(job.options, {title}Options) else None


class Member:
    """What it does in one job."""

    def __init__(self, options: {title}Options) -> None:
        self._options = options

    @hookimpl
    def edit_image(self, image: Image.Image) -> Image.Image:
        return brighten(image, self._options.amount)
'''
WORK = '''\
"""The work itself; knows no hooks, so that it is easy to test."""

from PIL import Image, ImageEnhance


def brighten(image: Image.Image, amount: float) -> Image.Image:
    """A brighter copy: `amount` 0 is the same, 1 is twice as bright, -1 is black."""
    return ImageEnhance.Brightness(image).enhance(1 + amount)
'''
README = """\
# {name}

What it does, for whom, and what its options mean.
"""
TEST = '''\
"""{name}: it loads, its options are checked, and it does its work."""

from pathlib import Path

import pytest
from PIL import Image
from pydantic import ValidationError

from extensions.{name}.plugin import Member, {title}Options
from webui.plugins.loader import load_all

FOLDER = Path({folder!r})


def test_it_loads() -> None:
    info = next(info for info in load_all(FOLDER).infos if info.folder == "{name}")
    assert info.state == "ok", info.error


def test_options_are_checked() -> None:
    with pytest.raises(ValidationError):
        {title}Options(amount=2)


def test_it_brightens() -> None:
    grey = Image.new("RGB", (2, 2), (100, 100, 100))
    assert Member({title}Options(amount=0.5)).edit_image(grey).getpixel((0, 0)) == (150, 150, 150)
    assert Member({title}Options(amount=0)).edit_image(grey).getpixel((0, 0)) == (100, 100, 100)
'''


def write_skeleton(name: str, extensions_dir: Path, tests_dir: Path) -> tuple[Path, ...]:
    """Write `extensions_dir/name` and `tests_dir/test_name.py`; nothing that is there is touched.

    Raises:
        WebuiError: the name cannot be one, or is taken.
    """
    if not NAME.fullmatch(name):
        raise WebuiError(f"{name!r} cannot be the name of an extension; take a-z, 0-9 and _, a letter first")
    folder = extensions_dir / name
    words = {
        "name": name,
        "title": name.title().replace("_", ""),
        "hooks": API_VERSION,
        "folder": str(extensions_dir),
    }
    files = {
        folder / "extension.toml": MANIFEST,
        folder / "plugin.py": PLUGIN,
        folder / "work.py": WORK,
        folder / "README.md": README,
        tests_dir / f"test_{name}.py": TEST,
    }
    if taken := next((path for path in (folder, *files) if path.exists()), None):
        raise WebuiError(f"{taken} is there already; choose another name")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{folder!r}", repr(words["folder"])).format_map(_Words(words)), encoding="utf-8")
    return tuple(files)


class _Words(dict[str, object]):
    """Leaves braces alone that are none of ours."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"
