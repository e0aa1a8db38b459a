"""Sources of extensions: parses what the user wrote to a git repository, a zip or a folder, or refuses it."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from webui.installing.tree import SourceError

REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+@-]{0,199}")
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True)
class GitSource:
    """A repository; `ref` is a branch, a tag or a whole commit, "" for its default branch.

    Attributes:
        url: `https://...`, or `file://...` of a repository on this machine.
    """

    url: str
    ref: str = ""

    @property
    def text(self) -> str:
        return self.url

    @property
    def protocol(self) -> str:
        return urlsplit(self.url).scheme


@dataclass(frozen=True, slots=True)
class ZipSource:
    path: Path

    @property
    def text(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class FolderSource:
    path: Path

    @property
    def text(self) -> str:
        return str(self.path)


Source = GitSource | ZipSource | FolderSource


@dataclass(frozen=True, slots=True)
class Places:
    """The places on this machine from which extensions may be installed.

    Attributes:
        folders: folders that are allowed with everything below them.
        typed_paths: also any path that is written as a path (on the command line, where the user types it); `file://`
            addresses, which are copied from elsewhere, stay bound to `folders`.
    """

    folders: tuple[Path, ...] = ()
    typed_paths: bool = False

    def check(self, path: Path, *, is_url: bool) -> None:
        """Raises SourceError where the path is not allowed."""
        if self.typed_paths and not is_url:
            return
        real = path.resolve()
        if any(real.is_relative_to(folder.resolve()) for folder in self.folders):
            return
        where = ", ".join(str(folder) for folder in self.folders) or "none is set"
        raise SourceError(
            f"{path} lies outside the folders from which extensions may be installed ({where}); "
            "name its folder with --extension-sources"
        )


def parse_source(text: str, ref: str, places: Places) -> Source:
    """The source that a text names.

    Args:
        text: `https://host/path`, `file:///path`, or the path of a repository, a zip or a folder.
        ref: a branch, tag or commit, only for repositories.

    Raises:
        SourceError: another protocol, a place that is not allowed, nothing there, a ref that cannot be one.
    """
    text = text.strip()
    if ref and (not REF.fullmatch(ref) or ".." in ref or ref.endswith((".lock", "/", "."))):
        raise SourceError(f"{ref[:100]!r} is no branch, tag or commit")
    if not text or len(text) > 2000 or not text.isprintable() or text.startswith("-"):
        raise SourceError(f"{text[:100]!r} is no source; give the https address of a git repository, a zip or a folder")
    if "://" in text and not _WINDOWS_DRIVE.match(text):
        return _from_url(text, ref, places)
    if re.match(r"[\w.-]+::|[\w.-]+@[\w.-]+:", text):
        raise SourceError(f"{text[:100]!r}: repositories are fetched over https only")
    if text.startswith(("//", "\\\\")):
        raise SourceError(f"{text[:100]!r} lies on another machine; copy it to this one first")
    path = Path(text).expanduser()
    places.check(path, is_url=False)
    return _from_path(path, ref)


def local_path(text: str) -> Path | None:
    """The path that the text of a source names; None where it is not on this machine."""
    if "://" not in text or _WINDOWS_DRIVE.match(text):
        return Path(text)
    parts = urlsplit(text)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _from_url(text: str, ref: str, places: Places) -> Source:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError as error:
        raise SourceError(f"{text[:100]!r} is no address: {error}") from None
    if parts.scheme == "file":
        if host not in (None, "", "localhost"):
            raise SourceError(f"{text[:100]!r} lies on another machine; copy it to this one first")
        path = Path(unquote(parts.path))
        places.check(path, is_url=True)
        return _from_path(path, ref)
    if parts.scheme != "https" or not host:
        raise SourceError(f"{text[:100]!r}: repositories are fetched over https only")
    if parts.username is not None or parts.password is not None:
        raise SourceError(f"the address of {host} holds a name or password, which would be kept; leave them out")
    if parts.query or parts.fragment:
        raise SourceError(f"{text[:100]!r}: the address of a repository has no '?' and no '#'")
    return GitSource(text, ref)


def _from_path(path: Path, ref: str) -> Source:
    if path.is_file() and path.suffix.lower() == ".zip":
        source: Source = ZipSource(path.resolve())
    elif path.is_dir() and ((path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir())):
        return GitSource(path.resolve().as_uri(), ref)
    elif path.is_dir():
        source = FolderSource(path.resolve())
    else:
        raise SourceError(f"{path} is no folder, no git repository and no .zip")
    if ref:
        raise SourceError(f"{path} is not a git repository, so it has no {ref!r}")
    return source
