"""The plan of an installation: what it would do, as data and as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from webui.installing.lockfile import Entry
from webui.installing.packages import PackageChange
from webui.plugins.manifest import Manifest

TRUST = "An extension is code with all your rights: go on only if you trust who wrote it."


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of an installation or an update. Everything is fetched and checked; nothing has run or changed.

    Attributes:
        token: the argument of `Installer.apply`. It becomes invalid when the staged files change.
        entry: the new entry of the lock file.
        before: the generation that would be replaced; None for a first installation.
        warnings: sentences that the user should read.
        staging: holds the folder `manifest.name` with the files.
    """

    token: str
    manifest: Manifest
    entry: Entry
    before: Entry | None
    packages: tuple[PackageChange, ...]
    warnings: tuple[str, ...]
    staging: Path

    @property
    def action(self) -> Literal["install", "update"]:
        return "install" if self.before is None else "update"

    @property
    def staged(self) -> Path:
        """The folder with the extension's files."""
        return self.staging / self.manifest.name

    @property
    def wheels(self) -> Path:
        """Where its packages are put before they are installed."""
        return self.staging / "wheels"

    def rows(self) -> list[tuple[str, str]]:
        """The plan for users, as pairs of a heading and a text."""
        manifest, entry = self.manifest, self.entry
        version = f"{self.before.version} -> {manifest.version}" if self.before else manifest.version
        at = f"commit {entry.commit}" if entry.commit else f"content SHA-256 {entry.sha256}"
        return [
            (self.action.capitalize(), f"{manifest.name} {version}"),
            ("What it is", manifest.description),
            ("From", entry.source + (f" ({entry.ref})" if entry.ref else "")),
            ("Exactly", at),
            ("Permissions", ", ".join(manifest.permissions) or "none declared"),
            ("Needs", ", ".join(manifest.needs) or "no further packages"),
            ("Package changes", ", ".join(change.text for change in self.packages) or "none"),
            *(("Note", warning) for warning in self.warnings),
        ]

    def described(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "token": self.token,
            "action": self.action,
            "manifest": self.manifest.model_dump(mode="json"),
            "source": self.entry.source,
            "ref": self.entry.ref,
            "commit": self.entry.commit,
            "sha256": self.entry.sha256,
            "before": generation(self.before),
            "packages": [
                {"name": one.name, "version": one.version, "before": one.before, "sha256": one.sha256}
                for one in self.packages
            ],
            "warnings": list(self.warnings),
            "trust": TRUST,
        }


def generation(entry: Entry | None) -> Mapping[str, Any] | None:
    """A generation as JSON."""
    if entry is None:
        return None
    return {
        "version": entry.version,
        "source": entry.source,
        "ref": entry.ref,
        "commit": entry.commit,
        "sha256": entry.sha256,
        "packages": list(entry.packages),
    }
