"""The pip packages of extensions. A dry run finds what would change; packages of the program itself never change."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from webui.domain.errors import WebuiError

TIME_LIMIT = 600.0  # seconds for one call of pip; wheels may be large
_PIP = ("--disable-pip-version-check", "--no-input", "--quiet", "--progress-bar", "off")
_WHEELS = ("--only-binary", ":all:")  # an sdist would run its setup.py
_CONSTRAINT = re.compile(r"The user requested \(constraint\) (\S+)")


class PackagesError(WebuiError):
    """Packages of an extension cannot be installed without changing what others need; the text names them."""


@dataclass(frozen=True, slots=True)
class PackageChange:
    """One package that would be installed.

    Attributes:
        before: the version that is installed now; "" where there is none.
        sha256: of the wheel, in hex; what is installed later must have it.
    """

    name: str
    version: str
    before: str = ""
    sha256: str = ""

    @property
    def text(self) -> str:
        return f"{self.name} {self.before} -> {self.version}" if self.before else f"{self.name} {self.version} (new)"


class Pip(Protocol):
    """Runs `python -m pip`. It is a parameter so that tests can replace it."""

    def __call__(self, *arguments: str) -> None:
        """Raises PackagesError with what pip said when it fails."""


def run_pip(*arguments: str) -> None:
    """Run pip in this program's environment. Raises PackagesError."""
    command = [sys.executable, "-m", "pip", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PackagesError(f"pip took more than {TIME_LIMIT:.0f} s and was stopped") from None
    except OSError as error:
        raise PackagesError(f"pip cannot be started: {error.strerror}") from None
    if done.returncode:
        raise PackagesError(done.stderr.strip() or f"pip ended with exit code {done.returncode}")


class Packages:
    """Plans and makes changes of the environment that this program runs in."""

    def __init__(
        self,
        requirements: Path,
        pip: Pip = run_pip,
        installed: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        """
        Args:
            requirements: the program's requirements.txt; the packages in it, and those that they need, never change.
            installed: versions by canonical name; None: those of the environment.
        """
        self._requirements = requirements
        self._pip = pip
        self._installed = installed or installed_versions

    def plan(self, needs: Sequence[str], others: Mapping[str, Sequence[str]]) -> tuple[PackageChange, ...]:
        """The exact changes that these requirements bring, found by a dry run that installs and runs nothing.

        Args:
            others: the requirements of other extensions, by name; they must still be met afterwards.

        Raises:
            PackagesError: a package of the program or of another extension would change, there is no wheel, or pip
                cannot reach what it looks for.
        """
        installed = self._installed()
        wanted = [_requirement(need) for need in needs]
        if all(_is_met(one, installed) for one in wanted):
            return ()
        held = self.held(installed)
        _refuse_pinned(wanted, held)
        lines = [f"{name}=={version}" for name, version in held.items()]
        lines += [need for name in sorted(others) for need in others[name] if _key(_requirement(need)) not in held]
        report = self._dry_run(needs, lines, others)
        changes = tuple(sorted((_change(item, installed) for item in report), key=lambda change: change.name))
        for change in changes:
            pinned = held.get(canonicalize_name(change.name))
            if pinned is not None and change.version != pinned:
                raise PackagesError(_changes_pinned(change.name, pinned, f"would become {change.version}"))
        return tuple(change for change in changes if change.before != change.version)

    def held(self, installed: Mapping[str, str]) -> dict[str, str]:
        """Versions of the program's own packages, and of all that these need, as installed, by canonical name."""
        pins = dict(self._pins())
        waiting = list(pins)
        while waiting:
            for name in needed_by(waiting.pop()):
                if name not in pins and name in installed:
                    pins[name] = installed[name]
                    waiting.append(name)
        return dict(sorted(pins.items()))

    def download(self, changes: Sequence[PackageChange], folder: Path) -> None:
        """Fetch the wheels of a plan, each with the hash that was planned. Raises PackagesError."""
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "wanted.txt"
        wanted.write_text("".join(f"{one.name}=={one.version} --hash=sha256:{one.sha256}\n" for one in changes))
        self._pip(
            "download", *_PIP, *_WHEELS, "--no-deps", "--require-hashes", "--dest", str(folder), "-r", str(wanted)
        )

    def unpack(self, changes: Sequence[PackageChange], wheels: Path, target: Path) -> None:
        """Install downloaded wheels into a folder of their own, for the check. Raises PackagesError."""
        self._pip("install", *_PIP, *_offline(wheels), "--target", str(target), "--no-compile", *_exact(changes))

    def install(self, changes: Sequence[PackageChange], wheels: Path) -> None:
        """Install downloaded wheels into the program's environment. Raises PackagesError."""
        self._pip("install", *_PIP, *_offline(wheels), *_exact(changes))

    def uninstall(self, names: Iterable[str]) -> None:
        """Remove packages. Raises PackagesError."""
        if wanted := sorted(names):
            self._pip("uninstall", "--disable-pip-version-check", "--quiet", "--yes", *wanted)

    def _dry_run(
        self, needs: Sequence[str], lines: Sequence[str], others: Mapping[str, Sequence[str]]
    ) -> Sequence[Mapping[str, Any]]:
        with tempfile.TemporaryDirectory(prefix="webui-pip-") as folder:
            constraints, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
            constraints.write_text("\n".join(lines) + "\n", encoding="utf-8")
            try:
                self._pip(
                    "install", *_PIP, *_WHEELS, "--dry-run", "--report", str(report), "-c", str(constraints), *needs
                )
            except PackagesError as error:
                raise PackagesError(_explained(str(error), needs, self._pins(), others)) from None
            try:
                found: list[Mapping[str, Any]] = json.loads(report.read_bytes())["install"]
            except (OSError, ValueError, KeyError) as error:
                raise PackagesError(f"pip's report cannot be read ({error}); a pip from 23.0 on is needed") from None
            return found

    def _pins(self) -> Mapping[str, str]:
        try:
            lines = self._requirements.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise PackagesError(f"{self._requirements} cannot be read ({error.strerror})") from None
        wanted = [_requirement(text) for line in lines if (text := line.partition("#")[0].strip())]
        return {_key(one): next((spec.version for spec in one.specifier), "") for one in wanted}


def installed_versions() -> dict[str, str]:
    """Versions of all packages in this environment, by canonical name; a local part (`+cpu`) is left out."""
    return {
        canonicalize_name(one.name): one.version.partition("+")[0]
        for one in importlib.metadata.distributions()
        if one.name
    }


def needed_by(name: str) -> list[str]:
    """Canonical names of the packages that an installed one needs here; none where it is not installed."""
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted = [_requirement(line) for line in lines]
    return [_key(one) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise PackagesError(f"{text!r} is no requirement: {str(error).splitlines()[0]}") from None


def _key(requirement: Requirement) -> str:
    return str(canonicalize_name(requirement.name))


def _is_met(requirement: Requirement, installed: Mapping[str, str]) -> bool:
    version = installed.get(_key(requirement))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _refuse_pinned(wanted: Sequence[Requirement], held: Mapping[str, str]) -> None:
    """Raises PackagesError where a requirement names a package of the program in another version."""
    for one in wanted:
        pinned = held.get(_key(one))
        if pinned is not None and not one.specifier.contains(pinned, prereleases=True):
            raise PackagesError(_changes_pinned(one.name, pinned, f"is needed as {one}"))


def _changes_pinned(name: str, pinned: str, instead: str) -> str:
    return (
        f"the program itself runs on {name} {pinned}, which {instead}; that would break the program, so it is refused. "
        "Ask the author for a version that accepts it"
    )


def _change(item: Mapping[str, Any], installed: Mapping[str, str]) -> PackageChange:
    try:
        name, version = str(item["metadata"]["name"]), str(item["metadata"]["version"])
        archive = item["download_info"].get("archive_info", {})
        sha256 = str(archive.get("hashes", {}).get("sha256", ""))
    except (KeyError, TypeError, AttributeError) as error:
        raise PackagesError(f"pip's report has no {error}") from None
    if not sha256:
        raise PackagesError(f"pip told no SHA-256 of {name} {version}, so what is installed could not be checked")
    return PackageChange(name, version, installed.get(canonicalize_name(name), ""), sha256)


def _explained(told: str, needs: Sequence[str], pins: Mapping[str, str], others: Mapping[str, Sequence[str]]) -> str:
    """One sentence that explains pip's output."""
    for match in _CONSTRAINT.finditer(told):
        name = _key(_requirement(match.group(1)))
        owner = next((who for who, theirs in others.items() if name in map(_key, map(_requirement, theirs))), None)
        if owner is not None and name not in pins:
            return f"{', '.join(needs)} cannot be had together with {match.group(1)}, which the extension {owner} needs"
        return (
            f"{', '.join(needs)} cannot be had together with {match.group(1)}, on which the program runs; that would "
            "break the program, so it is refused"
        )
    errors = [line.removeprefix("ERROR: ") for line in told.splitlines() if line.startswith("ERROR: ")]
    return f"the packages {', '.join(needs)} cannot be had: {' '.join(errors or told.splitlines()[-1:])[:600]}"


def _offline(wheels: Path) -> tuple[str, ...]:
    return (*_WHEELS, "--no-deps", "--no-index", "--find-links", str(wheels))


def _exact(changes: Sequence[PackageChange]) -> list[str]:
    return [f"{one.name}=={one.version}" for one in changes]
