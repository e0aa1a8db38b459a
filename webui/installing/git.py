"""Fetches a commit with git, as objects only. This module writes the files from the objects, so that nothing of the
repository (hooks, filters, attributes, submodules, links, its configuration) ever takes effect.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from webui.installing.sources import GitSource
from webui.installing.tree import CHUNK, Limits, SourceError, TreeWriter

TIME_LIMIT = 120.0  # seconds for one git command
COMMIT = re.compile(r"[0-9a-f]{40}")
LOOK = 0.1  # seconds between two checks of the size of what was fetched
_KEPT = re.compile(r"(PATH|SYSTEMROOT|TEMP|TMP|TMPDIR|LANG|LC_ALL|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL)_PROXY)", re.I)
_FLAGS = (
    "core.hooksPath=" + os.devnull,
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.askPass=",
    "credential.helper=",
    "protocol.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "transfer.bundleURI=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.followRedirects=initial",
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a tree."""

    mode: str
    kind: str
    sha: str
    size: int
    name: str


def fetch(
    source: GitSource,
    target: Path,
    limits: Limits = Limits(),
    *,
    time_limit: float = TIME_LIMIT,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Write the files of the source's commit into a new folder and return the commit (40 hex digits).

    Args:
        say: called now and then with how much has been fetched. An exception from it ends git.

    Raises:
        SourceError: git is missing or fails, the ref is unknown, an entry is refused (its name is told), or it is too
            large or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="webui-git-") as folder:
        git = _Git(Path(folder), source.protocol, time_limit, limits.total, say)
        git.run("init", "--quiet", "--bare", "--template=", ".")
        wanted = _wanted(git, source)
        git.run("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", source.url, wanted)
        commit = git.run("rev-parse", "--verify", "FETCH_HEAD^{commit}").decode().strip()
        _write(git, commit, target, limits)
    return commit


def newest(source: GitSource, *, time_limit: float = TIME_LIMIT) -> str:
    """The commit that the source's ref has now; nothing is fetched. Raises SourceError as `fetch`."""
    if COMMIT.fullmatch(source.ref):
        return source.ref
    with tempfile.TemporaryDirectory(prefix="webui-git-") as folder:
        git = _Git(Path(folder), source.protocol, time_limit, 2**20, lambda text: None)
        git.run("init", "--quiet", "--bare", "--template=", ".")
        return _listed(git, source)[1]


def _wanted(git: "_Git", source: GitSource) -> str:
    """The full name of a ref, or the commit, to request from the server."""
    return source.ref if COMMIT.fullmatch(source.ref) else _listed(git, source)[0]


def _listed(git: "_Git", source: GitSource) -> tuple[str, str]:
    """Full name and commit of the ref, as the server lists them. A branch is preferred to a tag of the same name."""
    names = [f"refs/heads/{source.ref}", f"refs/tags/{source.ref}"] if source.ref else ["HEAD"]
    peeled = [f"{name}^{{}}" for name in names[1:]]  # the commit behind an annotated tag
    lines = git.run("ls-remote", "--", source.url, *names, *peeled).decode(errors="replace").splitlines()
    found = {name: sha for sha, _, name in (line.partition("\t") for line in lines)}
    for name in names:
        if name in found:
            return name, found.get(f"{name}^{{}}", found[name])
    if re.fullmatch(r"[0-9a-f]{7,39}", source.ref):
        raise SourceError(f"{source.url} has no branch or tag {source.ref!r}; give a commit with all its 40 digits")
    raise SourceError(f"{source.url} has no branch or tag {source.ref!r}" if source.ref else f"{source.url} is empty")


def _write(git: "_Git", commit: str, target: Path, limits: Limits) -> None:
    entries = [_entry(line) for line in git.run("ls-tree", "-r", "-z", "--long", commit).split(b"\0") if line]
    for entry in entries:
        if entry.kind == "commit":
            raise SourceError(f"the entry {entry.name!r} is a submodule; submodules are not fetched, so it is refused")
        if entry.mode == "120000":
            raise SourceError(f"the entry {entry.name!r} is a link; links may lead out of the folder and are refused")
        if entry.kind != "blob" or entry.mode not in ("100644", "100755", "100664"):
            raise SourceError(f"the entry {entry.name!r} is neither a file nor a folder (mode {entry.mode})")
    writer = TreeWriter(target, limits)
    with git.objects() as contents:
        for entry in entries:
            contents.ask(entry.sha, entry.size)
            writer.write(entry.name, entry.size, contents.read(entry.size))


def _entry(line: bytes) -> _Entry:
    head, _, name = line.partition(b"\t")
    try:
        mode, kind, sha, size = head.decode("ascii").split()
        return _Entry(mode, kind, sha, int(size) if size != "-" else 0, name.decode("utf-8"))
    except ValueError:
        raise SourceError(f"the entry {name[:200]!r} cannot be read; names must be UTF-8") from None


class _Objects:
    """`git cat-file --batch`: the content of one object after another."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._left = 0

    def ask(self, sha: str, size: int) -> None:
        for _ in self.read(self._left):  # the part of the last object that was not read
            pass
        self._stdin.write(f"{sha}\n".encode())
        self._stdin.flush()
        told = self._stdout.readline().split()
        if not told:
            raise SourceError("git ended before it had told everything")
        if told[-1:] != [str(size).encode()]:
            raise SourceError(f"the repository is damaged at object {sha}")
        self._left = size + 1  # a newline follows

    def read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            chunk = self._stdout.read(min(size, CHUNK))
            if not chunk:
                raise SourceError("git ended before it had told everything")
            size -= len(chunk)
            self._left -= len(chunk)
            yield chunk


class _Git:
    """Runs git in an empty bare repository of its own, with a clean environment."""

    def __init__(self, folder: Path, protocol: str, time_limit: float, most: int, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._time_limit = time_limit
        self._most = most
        self._say = say
        self._flags = [*_FLAGS, f"protocol.{protocol}.allow=always"]
        self._environment = _environment(os.environ, folder, protocol)

    def run(self, *arguments: str) -> bytes:
        """The output of a command. Raises SourceError when it fails, takes too long or fetches too much."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._start(arguments, subprocess.DEVNULL, out, err)
            try:
                self._watch(process, arguments[0])
            finally:
                _end(process)
                process.wait()
            out.seek(0)
            err.seek(0)
            if process.returncode:
                told = err.read(4000).decode(errors="replace").strip().splitlines()
                reason = next((line for line in told if line.startswith(("fatal:", "error:"))), " ".join(told[-1:]))
                raise SourceError(f"git {arguments[0]} failed: {reason.partition(': ')[2] or reason or 'no reason'}")
            return out.read()

    @contextlib.contextmanager
    def objects(self) -> Iterator[_Objects]:
        """A process that gives objects, ended afterwards."""
        process = self._start(("cat-file", "--batch"), subprocess.PIPE, subprocess.PIPE, subprocess.DEVNULL)
        alarm = threading.Timer(self._time_limit, _end, [process])
        alarm.start()
        try:
            if process.stdin is None or process.stdout is None:
                raise SourceError("git cannot be talked to")
            yield _Objects(process.stdin, process.stdout)
        except BrokenPipeError:
            raise SourceError("git ended before it had told everything") from None
        finally:
            alarm.cancel()
            _end(process)
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

    def _start(
        self, arguments: tuple[str, ...], stdin: int, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        flags = [part for flag in self._flags for part in ("-c", flag)]
        command = ["git", *flags, "--no-pager", "--no-replace-objects", *arguments]
        try:
            return subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdin=stdin, stdout=stdout, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            text = f"git cannot be started ({error.strerror}); install it, or use a zip or a folder"
            raise SourceError(text) from None

    def _watch(self, process: "subprocess.Popen[bytes]", what: str) -> None:
        end = time.monotonic() + self._time_limit
        while True:
            try:
                process.wait(LOOK)
                return
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    raise SourceError(f"git {what} took more than {self._time_limit:.0f} s and was stopped") from None
                size = _size(self._folder)
                self._say(f"git {what}: {size / 2**20:.1f} MiB")
                if size > self._most:
                    raise SourceError(f"the repository is larger than {self._most // 2**20} MiB") from None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End git and the helper processes that it started."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if sys.platform != "win32" else process.kill()


def _environment(given: Mapping[str, str], folder: Path, protocol: str) -> dict[str, str]:
    """An environment without the user's git configuration, prompts and helpers, and with one protocol. The user's
    proxies and certificates stay.
    """
    return {name: value for name, value in given.items() if _KEPT.fullmatch(name)} | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "GIT_DIR": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": protocol,
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # git renames its temporary files
                total += Path(root, name).lstat().st_size
    return total
