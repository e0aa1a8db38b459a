"""Installs, updates and removes extensions: each change is planned, checked in another process, made, and undone when
it fails.
"""

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.installing import git
from webui.installing.archive import copy_folder, unpack
from webui.installing.lockfile import Entry, LockFile, Record
from webui.installing.packages import PackageChange, Packages, PackagesError
from webui.installing.plans import Plan
from webui.installing.sources import GitSource, Places, Source, ZipSource, local_path, parse_source
from webui.installing.swap import Generations
from webui.installing.tree import Limits, delete_tree, tree_hash
from webui.plugins.describing import TIME_LIMIT, describe_folder
from webui.plugins.loader import folders, peek
from webui.plugins.manifest import Manifest, read_manifest

KEPT_PLANS = 4
PLAN_AGE = 1800.0  # seconds

Say = Callable[[str], None]  # called before each step; an exception from it stops the work there

log = logging.getLogger(__name__)


def silent(text: str) -> None:
    """A `Say` that does nothing."""


class InstallError(WebuiError):
    """An extension cannot be installed, updated or removed as asked."""


class Installer:
    """The installer that page, API and command line use. It is thread-safe and makes one change at a time. No code of
    an extension ever runs in this process.
    """

    def __init__(
        self,
        extensions_dir: Path,
        lock_file: Path,
        packages: Packages,
        places: Places,
        *,
        bundled_dir: Path | None = None,
        limits: Limits = Limits(),
        check_limit: float = TIME_LIMIT,
    ) -> None:
        """
        Args:
            lock_file: see `installing.lockfile`.
            places: the folders of this machine from which sources may come.
            bundled_dir: the program's own extensions, whose names are taken also where `extensions_dir` is another.
            check_limit: seconds that loading an extension may take when it is checked.
        """
        self._dir = extensions_dir
        self._generations = Generations(extensions_dir, LockFile(lock_file))
        self._packages = packages
        self._places = places
        self._bundled_dir = bundled_dir
        self._limits = limits
        self._check_limit = check_limit
        self._busy = threading.RLock()
        self._plans: dict[str, tuple[Plan, float]] = {}
        self._changed: list[Callable[[], None]] = []

    def when_changed(self, listener: Callable[[], None]) -> None:
        """`listener` is called after every change of the installed files, in the thread that made it."""
        self._changed.append(listener)

    def recover(self) -> None:
        """Finish or undo a change that a kill has interrupted. Call it at the start, before extensions are loaded.

        Raises:
            WebuiError: the lock file or the folder cannot be read or written.
        """
        with self._busy, _as_error("the extensions folder"):
            self._generations.recover()

    def records(self) -> Mapping[str, Record]:
        """The installed extensions by name, without bundled ones and those that the user copied there."""
        return self._generations.lock().records

    def plan_install(self, source: str, ref: str = "", say: Say = silent) -> Plan:
        """Fetch an extension and say what installing it would do.

        Raises:
            WebuiError: the source is refused, its manifest is wrong, its name is taken, or packages would conflict.
        """
        with self._busy:
            return self._plan(parse_source(source, ref, self._places), ref, say, updating="")

    def plan_update(self, name: str, ref: str | None = None, say: Say = silent) -> Plan | None:
        """The same for a newer version from the same source; None where the extension is up to date.

        Args:
            ref: another branch, tag or commit from now on; None keeps the one it was installed with.

        Raises:
            WebuiError: as `plan_install`, or it was not installed by this program.
        """
        with self._busy:
            now = self._installed(name)
            say(f"looking for a newer version of {name}")
            wanted = now.ref if ref is None else ref
            source = parse_source(now.source, wanted, self._again(now))
            if isinstance(source, GitSource) and git.newest(source) == now.commit:
                return None
            plan = self._plan(source, wanted, say, updating=name)
            if plan.entry.sha256 == now.sha256:
                self.discard(plan.token)
                return None
            return plan

    def planned(self, token: str) -> Plan:
        """The plan of a token. Raises WebuiError where it does not exist any more."""
        with self._busy:
            if token not in self._plans:
                raise InstallError("there is no such plan (any more); plan it again")
            return self._plans[token][0]

    def apply(self, token: str, say: Say = silent) -> Entry:
        """Carry out a plan: check the extension in a process of its own, install its packages, exchange the folder.

        Raises:
            WebuiError: the plan is gone or its files changed, the extension does not load, or packages cannot be
                installed. The earlier state is then kept.
        """
        with self._busy:
            plan = self._take(token)
            try:
                self._apply(plan, say)
            finally:
                self._drop(plan)
        self._tell()
        return plan.entry

    def try_out(self, token: str) -> list[str]:
        """Load the planned extension without installing anything. Returns what is wrong, nothing where it loads."""
        with self._busy:
            plan = self._take(token)
            try:
                self._check(plan, silent)
            except WebuiError as error:
                return [str(error)]
            finally:
                self._drop(plan)
        return []

    def discard(self, token: str) -> None:
        """Throw a plan away."""
        with self._busy:
            if (known := self._plans.pop(token, None)) is not None:
                self._drop(known[0])

    def check(self, name: str) -> list[str]:
        """The problems of an installed extension, such as changed files, or that it does not load; empty where there
        are none.

        Raises:
            WebuiError: there is none of that name.
        """
        folder = self._generations.folder(name)
        if folder not in folders(self._dir):
            raise InstallError(f"there is no extension {name!r} in {self._dir}")
        problems = []
        record = self.records().get(name)
        if record is not None and record.now is not None and tree_hash(folder) != record.now.sha256:
            problems.append(f"the files of {name} are not those that were installed; update or install it again")
        info = describe_folder(folder, time_limit=self._check_limit)
        return [*problems, f"{name} {info.error}"] if info.state == "failed" else problems

    def remove(self, name: str) -> tuple[str, ...]:
        """Remove an installed extension.

        Returns:
            Packages that were installed for it and that no other extension names; they are left in place.

        Raises:
            WebuiError: it was not installed by this program, or cannot be removed.
        """
        with self._busy, _as_error(name):
            now = self._installed(name)
            self._generations.remove(name)
            others = {package for record in self.records().values() if record.now for package in record.now.packages}
        self._tell()
        return tuple(package for package in now.packages if package not in others)

    def roll_back(self, name: str, why: str = "by the user") -> Entry:
        """Put the earlier generation back. Raises WebuiError where there is none."""
        with self._busy, _as_error(name):
            now = self._installed(name)
            entry = self._generations.roll_back(name, f"version {now.version} was rolled back: {why}")
        log.warning("extension %s: version %s was rolled back: %s", name, now.version, why)
        self._tell()
        return entry

    def settle(self, infos: Iterable[ExtensionInfo]) -> None:
        """Act on what the worker has loaded: new generations that work are kept, others are replaced by those
        before.
        """
        states = {info.name: info for info in infos} | {info.folder: info for info in infos}
        failed: dict[str, str] = {}
        with self._busy, _as_error("the extensions folder"):
            for name, record in self.records().items():
                info = states.get(name)
                if record.previous is None or info is None or info.version != (record.now or record.previous).version:
                    continue
                if info.state == "ok":
                    self._generations.settle(name)
                elif info.state in ("failed", "aside"):
                    failed[name] = info.error
        for name, why in failed.items():
            self.roll_back(name, why)

    def _plan(self, source: Source, ref: str, say: Say, *, updating: str) -> Plan:
        self._forget_old()
        staging = self._generations.staging()
        try:
            files = staging / "files"
            say(f"fetching {source.text}")
            commit = self._fetch(source, files, say)
            manifest = read_manifest(files)
            before = self._checked_name(manifest.name, updating)
            say(f"looking which packages {manifest.name} needs")
            packages = self._packages.plan(manifest.needs, self._needs_of_others(manifest.name))
            files.rename(staging / manifest.name)
            entry = Entry(
                manifest.version, source.text, ref, commit, tree_hash(staging / manifest.name), _told(packages)
            )
            plan = Plan(
                secrets.token_urlsafe(16), manifest, entry, before, packages,
                self._warnings(manifest, before), staging,
            )  # fmt: skip
        except BaseException:
            delete_tree(staging)
            raise
        self._plans[plan.token] = (plan, time.monotonic())
        return plan

    def _again(self, now: Entry) -> Places:
        """The places from which an update may come, including the source of the extension, which the user has
        confirmed.
        """
        path = local_path(now.source)
        return self._places if path is None else replace(self._places, folders=(*self._places.folders, path))

    def _fetch(self, source: Source, target: Path, say: Say) -> str:
        if isinstance(source, GitSource):
            return git.fetch(source, target, self._limits, say=say)
        if isinstance(source, ZipSource):
            unpack(source.path, target, self._limits)
        else:
            copy_folder(source.path, target, self._limits)
        return ""

    def _checked_name(self, name: str, updating: str) -> Entry | None:
        """The generation that it would replace. Raises InstallError where the name is another's."""
        if updating and name != updating:
            raise InstallError(f"the update of {updating} calls itself {name}; remove {updating} and install {name}")
        if updating:
            return self._installed(name)
        if self._bundled_dir is not None and self._bundled_dir.resolve() != self._dir.resolve():
            self._refuse_taken(name, self._bundled_dir, "a bundled extension")
        if name in self.records():
            raise InstallError(f"{name} is installed already; use update, or remove it first")
        self._refuse_taken(name, self._dir, "an extension that is bundled or was put there by hand")
        return None

    def _refuse_taken(self, name: str, folder: Path, what: str) -> None:
        for other in folders(folder):
            if name in (other.name.lower().replace("-", "_"), peek(other).name):
                raise InstallError(f"the name {name} is that of {what} ({other.name}) and would hide it")

    def _installed(self, name: str) -> Entry:
        record = self.records().get(name)
        if record is not None and record.now is not None:
            return record.now
        if any(name in (folder.name, peek(folder).name) for folder in folders(self._dir)):
            raise InstallError(f"{name} was not installed by this program (it is bundled, or was put there by hand)")
        names = ", ".join(self.records()) or "none"
        raise InstallError(f"there is no installed extension {name!r}; installed: {names}")

    def _needs_of_others(self, name: str) -> dict[str, tuple[str, ...]]:
        infos = [peek(folder) for folder in folders(self._dir)]
        return {info.name: info.needs for info in infos if info.needs and name not in (info.name, info.folder)}

    def _warnings(self, manifest: Manifest, before: Entry | None) -> tuple[str, ...]:
        if before is None:
            return ()
        folder = self._generations.folder(manifest.name)
        warnings = []
        if folder.is_dir() and tree_hash(folder) != before.sha256:
            warnings.append("its files were changed by hand since it was installed; the update replaces them")
        more = set(manifest.permissions) - set(peek(folder).permissions)
        if more:
            warnings.append(f"it asks for more than before: {', '.join(sorted(more))}")
        return tuple(warnings)

    def _apply(self, plan: Plan, say: Say) -> None:
        name = plan.manifest.name
        if self._checked_name(name, name if plan.before else "") != plan.before:
            raise InstallError(f"{name} was changed since this was planned; plan it again")
        self._check(plan, say)
        say(f"installing {name}")
        with self._with_packages(plan.packages, plan.wheels), _as_error(name):
            self._generations.put(name, plan.staged, plan.entry)

    def _check(self, plan: Plan, say: Say) -> None:
        """Load it in a process of its own, with its packages beside it. Raises InstallError where that fails."""
        name, wheels, unpacked = plan.manifest.name, plan.wheels, plan.staging / "packages"
        if plan.packages:
            say(f"fetching {', '.join(change.name for change in plan.packages)}")
            self._packages.download(plan.packages, wheels)
            self._packages.unpack(plan.packages, wheels, unpacked)
        say(f"loading {name} in a process of its own")
        info = describe_folder(plan.staged, time_limit=self._check_limit, packages=(unpacked,) if plan.packages else ())
        if info.state != "ok":
            kept = f"; version {plan.before.version} stays" if plan.before else ""
            raise InstallError(f"{name} {plan.manifest.version} {info.error}; nothing was installed{kept}")
        if tree_hash(plan.staged) != plan.entry.sha256:
            raise InstallError(f"the files of {name} changed while they were checked; nothing was installed")

    @contextlib.contextmanager
    def _with_packages(self, changes: Collection[PackageChange], wheels: Path) -> Iterator[None]:
        """While entered, packages are installed. New ones are removed again when the code inside fails."""
        if not changes:
            yield
            return
        new = [change.name for change in changes if not change.before]
        try:
            self._packages.install(tuple(changes), wheels)
            yield
        except BaseException:
            try:
                self._packages.uninstall(new)
            except PackagesError:
                log.exception("packages that were installed in vain stay: %s", ", ".join(new))
            raise

    def _take(self, token: str) -> Plan:
        self._forget_old()
        known = self._plans.pop(token, None)
        if known is None:
            raise InstallError("there is no such plan (any more); plan it again")
        plan = known[0]
        if tree_hash(plan.staged) != plan.entry.sha256:
            self._drop(plan)
            raise InstallError("the fetched files have changed since they were planned; plan it again")
        return plan

    def _forget_old(self) -> None:
        """Drop plans that are too old."""
        oldest_first = sorted(self._plans.values(), key=lambda known: known[1])
        for number, (plan, made) in enumerate(oldest_first):
            if time.monotonic() - made > PLAN_AGE or number < len(oldest_first) - KEPT_PLANS:
                self.discard(plan.token)

    def _drop(self, plan: Plan) -> None:
        try:
            delete_tree(plan.staging)
        except OSError as error:
            log.warning("%s cannot be deleted (%s); the next start tries again", plan.staging, error.strerror)

    def _tell(self) -> None:
        for listener in self._changed:
            listener()


@contextlib.contextmanager
def _as_error(what: str) -> Iterator[None]:
    """Turn an OSError into an InstallError with a sentence."""
    try:
        yield
    except OSError as error:
        raise InstallError(f"{what}: {error.filename or 'a file'} cannot be changed ({error.strerror})") from error


def _told(packages: Iterable[PackageChange]) -> tuple[str, ...]:
    return tuple(f"{change.name}=={change.version}" for change in packages)
