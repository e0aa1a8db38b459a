"""The manifest of an extension: `extension.toml`, read without running any of its code."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from webui.domain.errors import WebuiError
from webui.extension_api.markers import API_VERSION

FILE = "extension.toml"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
_REQUIREMENT = r"^[A-Za-z0-9][A-Za-z0-9._-]*( *[<>=!~][^;@\s]*)?$"  # no addresses, no markers
Requirement = Annotated[str, StringConstraints(pattern=_REQUIREMENT, max_length=200)]


class ManifestError(WebuiError):
    """The manifest is missing, damaged, or of a version of the hooks that is not this program's."""


class Manifest(BaseModel):
    """What an extension says of itself.

    Attributes:
        title: how people know it ("Soft glow"); "": its name in plain writing.
        needs: pip requirements beyond those of the program.
        hooks: the version of the hooks (`extension_api.API_VERSION`) it was written for.
        permissions: what it does beside computing, in words ("network", "files"); shown before installing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=rf"^{NAME.pattern}$")]
    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    description: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    title: Annotated[str, StringConstraints(max_length=60)] = ""
    needs: tuple[Requirement, ...] = Field((), max_length=50)
    hooks: int
    permissions: tuple[Word, ...] = Field((), max_length=50)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the extension in a folder.

    Raises:
        ManifestError: in one sentence that names the file and the key.
    """
    path = folder / FILE
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest.model_validate(data)
    except FileNotFoundError:
        raise ManifestError(f"{folder.name} has no {FILE}; docs/extending.md shows one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ManifestError(f"{folder.name}/{FILE} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ManifestError(f"{folder.name}/{FILE}: {key}: {first['msg']}") from None
    if manifest.hooks < API_VERSION:
        raise ManifestError(
            f"{manifest.name} was written for version {manifest.hooks} of the hooks, this program has version "
            f"{API_VERSION}; look for a newer version of the extension"
        )
    if manifest.hooks > API_VERSION:
        raise ManifestError(
            f"{manifest.name} needs version {manifest.hooks} of the hooks, this program has version {API_VERSION}; "
            "update the program"
        )
    return manifest
