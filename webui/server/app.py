"""Composition root: settings become objects, each of which gets only the values that it needs."""

import contextlib
import functools
import logging
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from webui.api.application import create
from webui.api.page.library_door import LibraryDoor
from webui.api.page.page_routes import picture_files
from webui.api.page.picture_by_id import finder_of_pictures
from webui.api.parts import EncodedImage, Parts
from webui.api.sdapi.dialect.chosen import ChosenSettings
from webui.api.webhooks import HookRules, Webhooks
from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.domain.result import GeneratedImage
from webui.domain.saving import Saving
from webui.domain.settings import BackSettings, Settings
from webui.engine.batch_door import BatchDoor
from webui.engine.engine import Engine
from webui.engine.folder_access import FolderAccess
from webui.engine.indexing import indexing
from webui.executors.registry import IN_THE_CALLER, executor_named
from webui.gallery.desktop import has_desktop, reveal
from webui.gallery.gallery import Gallery
from webui.gallery.picture_facts import Origin
from webui.installing.live import InstallDoor, LiveExtensions
from webui.installing.lockfile import FILE as LOCK_FILE
from webui.installing.packages import Packages
from webui.installing.permission import Permission
from webui.installing.service import Installer
from webui.installing.sources import Places
from webui.jobs.store import JobStore
from webui.jobs.watched import Flag
from webui.library.library import ModelLibrary
from webui.library.other_programs import with_all_folders
from webui.library.tag_lists import TagLists, tag_folders
from webui.library.unfinished import remove_abandoned
from webui.output.store import ImageStore, encoded_image
from webui.plugins.catalog import Catalog
from webui.plugins.crashes import FILE as CRASHES
from webui.plugins.crashes import CrashRegister
from webui.plugins.describing import CACHE, describe_all
from webui.plugins.kept_settings import FOLDER as EXTENSION_SETTINGS
from webui.plugins.kept_settings import KeptSettings
from webui.preferences.door import PreferencesDoor
from webui.preferences.preferences import Preferences
from webui.preferences.presets import Presets
from webui.preferences.settings_file import SettingsFile
from webui.prompt.style_book import StyleBook
from webui.server.credentials import parse_users
from webui.server.datalock import DataLock
from webui.server.default_models import choose_defaults
from webui.server.guard import Application, Guard, Policy, is_loopback
from webui.server.live_settings import live, program_options
from webui.server.subpath import below, without
from webui.server.upload_quota import UploadQuota
from webui.weights.families.registry import FAMILIES

ROOT = Path(__file__).resolve().parents[2]  # of the program, where its requirements and bundled extensions are
SETTINGS_FILE = "settings.json"  # in the data folder
OPTIONS_FILE = "a1111_options.json"  # in the data folder: settings that clients of the API posted
LOCALIZATIONS = "localizations"  # folder of dictionaries, beside the program and in the data folder
PRESETS_FILE = "presets.json"  # in the data folder: named sets of values of the page's form
SECRETS = frozenset({"api_auth", "webhook_secret"})


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """A running program: the engine and the ASGI application in front of it."""

    engine: Engine
    asgi: Application
    closing: Flag = field(default_factory=Flag)
    stopping: "Stopping" = field(default_factory=lambda: Stopping())


class Stopping:
    """The wish of a client that the program ends, until somebody serves who can end it."""

    def __init__(self) -> None:
        self._act: Callable[[bool], None] = _not_serving

    def connect(self, act: Callable[[bool], None]) -> None:
        """From now on `act(at_once)` ends the program; it returns soon."""
        self._act = act

    def __call__(self, *, at_once: bool) -> None:
        self._act(at_once)


def _not_serving(at_once: bool) -> None:
    log.warning("a client wants the program to end, but nothing is being served")


@dataclass(frozen=True, slots=True)
class Wired:
    """The engine, and what installs extensions into it."""

    engine: Engine
    live: LiveExtensions
    installer: Installer
    images: ImageStore
    gallery: Gallery
    preferences: Preferences
    in_force: Callable[[], Settings]


@contextlib.contextmanager
def engine_of(settings: Settings, *, resume: bool = False) -> Iterator[Engine]:
    """`wired` for those who want nothing but the engine."""
    with wired(settings, resume=resume) as parts:
        yield parts.engine


@contextlib.contextmanager
def wired(
    settings: Settings, *, resume: bool = False, given: Mapping[str, str] = MappingProxyType({})
) -> Iterator["Wired"]:
    """The engine with what belongs to it; closed at the end.

    Args:
        resume: take up the jobs that an earlier run left. A single picture on the command line does not.
        given: the settings that a flag or a variable gives, each with its name.

    Raises:
        WebuiError: the data folder is in use, or there is no such executor.
    """
    make_executor = executor_named(settings.executor)
    writing = threading.Lock()
    preferences = Preferences(settings, SettingsFile(settings.data_dir / SETTINGS_FILE, writing), given=given)
    settings = with_all_folders(settings)
    with contextlib.ExitStack() as stack:
        lock = DataLock(settings.data_dir)
        stack.callback(lock.close)
        library = ModelLibrary(
            settings.models_dir, settings.data_dir / "cache", FAMILIES, further=settings.model_folders
        )
        images = ImageStore.from_settings(settings)
        store = JobStore(settings.data_dir / "webui.sqlite3")
        gallery = _gallery(settings, store, lambda: bool(engine.running()))
        stack.callback(gallery.close)
        installing = installer(settings)
        installing.recover()
        # beside the start: an outputs folder may hold very many files
        threading.Thread(target=remove_abandoned, args=(written_folders(settings),), name="sweep", daemon=True).start()
        extensions = catalog(settings, writing)
        library.take_upscalers(lambda: extensions.tools("upscaler"))

        def in_force() -> Settings:
            return preferences.running.model_copy(update={"model_folders": settings.model_folders})

        extensions_live = _live(in_force, extensions, installing, lambda renewed: engine.renew(renewed))
        back = settings.for_back(disabled=settings.disabled_extensions, broken=extensions.broken())
        engine = Engine(
            functools.partial(make_executor, back),
            library,
            store,
            images,
            data_dir=settings.data_dir,
            max_queue=settings.max_queue,
            resume=resume,
            extensions=extensions,
            on_picture=indexing(gallery),
            writes_beside=settings.executor not in IN_THE_CALLER,
        )
        stack.callback(engine.close)
        extensions_live.open()
        choose_defaults(engine, settings)
        yield Wired(engine, extensions_live, installing, images, gallery, preferences, in_force)


@contextlib.contextmanager
def make(settings: Settings, given: Mapping[str, str] = MappingProxyType({})) -> Iterator[App]:
    """Everything, wired together; what was opened is closed at the end.

    Args:
        settings: `port` is the one that is really listened on.
        given: the settings that a flag or a variable gives, each with its name.

    Raises:
        WebuiError: the data folder is in use, or the server would be open to others without a password.
    """
    policy = policy_of(settings)
    with wired(settings, resume=True, given=given) as parts:
        closing, stopping = Flag(), Stopping()
        parts.gallery.trash.purge_old()
        parts.gallery.scanner.start()
        inner = below(settings.subpath, _application(settings, parts, closing, stopping))
        yield App(parts.engine, without(settings.subpath, Guard(inner, policy)), closing, stopping)


def written_folders(settings: Settings) -> tuple[Path, ...]:
    """The folders that this program writes to, each once and none inside another."""
    folders = sorted({Path(one).resolve() for one in (settings.data_dir, settings.models_dir, settings.outputs_dir)})
    return tuple(one for one in folders if not any(other in one.parents for other in folders))


def policy_of(settings: Settings) -> Policy:
    """Who may call this server.

    Raises:
        WebuiError: reachable from other machines without a password.
    """
    users = parse_users(settings.api_auth)
    local = is_loopback(settings.host)
    if not local and not users:
        raise WebuiError(f"host {settings.host} can be reached by others; set --api-auth user:password")
    return Policy(
        usual_port=443 if settings.tls_certfile else 80,
        port=settings.port,
        own_names=() if local else (settings.host.strip("[]"), socket.gethostname()),
        allowed_hosts=settings.allowed_hosts,
        any_address=not local,
        cors_origins=settings.cors_origins,
        cors_pattern=settings.cors_origin_pattern,
        users=users,
    )


def installer(settings: Settings, *, typed_paths: bool = False) -> Installer:
    """What installs extensions; `typed_paths` is for the command line, where the user writes the source."""
    return Installer(
        settings.extensions_dir,
        settings.data_dir / LOCK_FILE,
        Packages(ROOT / "requirements.txt"),
        Places(tuple(Path(folder) for folder in settings.extension_sources), typed_paths),
        bundled_dir=ROOT / "extensions",
    )


def _live(
    in_force: Callable[[], Settings], known: Catalog, installing: Installer, renew: Callable[[BackSettings], None]
) -> LiveExtensions:
    def start(disabled: tuple[str, ...], broken: tuple[tuple[str, str], ...]) -> None:
        renew(in_force().for_back(disabled=disabled, broken=broken))

    settings = in_force()
    return LiveExtensions(
        known,
        installing,
        settings.disabled_extensions,
        forget=CrashRegister(settings.extensions_dir, settings.data_dir / CRASHES).forget,
        describe=functools.partial(_infos, settings),
        renew=start,
    )


def catalog(settings: Settings, writing: contextlib.AbstractContextManager[bool] | None = None) -> Catalog:
    """What is known of the extensions, without running their code in this process.

    Args:
        writing: held by whoever writes the file of settings.
    """
    kept = KeptSettings(settings.data_dir / EXTENSION_SETTINGS)
    infos = _infos(settings, settings.disabled_extensions)
    return Catalog(infos, settings.data_dir / SETTINGS_FILE, writing, kept)


def _infos(settings: Settings, disabled: Collection[str]) -> tuple[ExtensionInfo, ...]:
    infos = describe_all(settings.extensions_dir, settings.data_dir / CACHE, disabled)
    for info in infos:
        if info.state == "failed":
            log.warning("extension %s: %s", info.folder, info.error)
    return infos


def install_door(settings: Settings, wired: Wired) -> InstallDoor:
    """Who may install what through page and API. Further names mean that others can reach the server."""
    return InstallDoor(wired.installer, wired.live, Permission(settings.allow_extension_install, _is_local(settings)))


def batch_door(settings: Settings, wired: Wired) -> BatchDoor:
    """Who may name which folders of this machine: those of the library everybody, and any folder from here."""
    roots = wired.gallery.roots
    access = FolderAccess(lambda: [root.path for root in roots.all()], Permission(loopback_only=_is_local(settings)))
    return BatchDoor(wired.engine, access, lambda: wired.preferences.running.saving)


def _is_local(settings: Settings) -> bool:
    """Whether the server is reached from this machine only."""
    called_from_here = not (settings.allowed_hosts or settings.cors_origins or settings.cors_origin_pattern)
    return is_loopback(settings.host) and called_from_here


def _gallery(settings: Settings, store: JobStore, is_busy: Callable[[], bool]) -> Gallery:
    """The library of pictures. Those that jobs made before there was one get their owners from the jobs."""

    def origins() -> dict[str, Origin]:
        return {path: Origin(owner, job, position) for path, job, position, owner in store.origins()}

    return Gallery(settings.data_dir, settings.outputs_dir, origins=origins, is_busy=is_busy)


def _application(settings: Settings, wired: Wired, closing: Flag, stopping: Stopping) -> Application:
    """The API, and the page beside it where it is wanted. `--nowebui` never loads gradio."""
    engine, door, preferences = wired.engine, install_door(settings, wired), wired.preferences
    styles = StyleBook(settings.styles_path)
    shared = len(parse_users(settings.api_auth)) > 1
    unload = functools.partial(_unload, wired)
    chosen = ChosenSettings(program_options(settings), settings.data_dir / OPTIONS_FILE)
    preferences.connect(live(engine, wired.images, chosen, unload))

    def encode(image: GeneratedImage, saving: Saving | None = None) -> EncodedImage:
        return encoded(preferences.running.saving, image, saving)

    parts = Parts(
        engine=engine,
        encode=encode,
        styles=styles.read,
        style_book=styles,
        chosen=chosen,
        save_grid=wired.images.save,
        webhooks=Webhooks(HookRules(settings.webhook_hosts, settings.webhook_secret, settings.webhook_private)),
        unload=unload,
        stop_server=stopping if settings.api_server_stop else None,
        flags=settings.model_dump(mode="json", exclude=set(SECRETS)),
        save_always=settings.save_api_images,
        closing=closing,
        installing=door,
        preferences=PreferencesDoor(
            preferences,
            Presets(settings.data_dir / PRESETS_FILE),
            Permission(loopback_only=door.permission.loopback_only).allows,
        ),
        library=LibraryDoor(
            wired.gallery,
            engine,
            single_user=not shared,
            local=_is_local(settings),
            reveal=reveal if has_desktop() else None,
        ),
        batches=batch_door(settings, wired),
        tags=TagLists(tag_folders(settings.data_dir, settings.use_models_of)),
        cache_dir=settings.data_dir / "cache",
        is_shared=shared,
    )
    pictures = picture_files(parts)
    application = create(parts, with_api=settings.api or not settings.webui, pictures=pictures)
    if settings.webui:
        from webui.ui.mount import mount

        application = mount(
            application,
            engine,
            temp_dir=settings.data_dir / "temp",
            outputs_dir=settings.outputs_dir,
            saves=lambda: preferences.running.save_images,
            installing=door,
            look=lambda: (preferences.running.theme, preferences.running.language),
            localizations=(ROOT / LOCALIZATIONS, settings.data_dir / LOCALIZATIONS),
            root_path=settings.subpath,
            find_picture=finder_of_pictures(parts, pictures),
            first_run=True,
            batches=parts.batches,
        )
        return UploadQuota(application, settings.data_dir / "temp" / "gradio")
    return application


def _unload(wired: Wired) -> None:
    """Give up the worker and its models; another starts, which loads when it has to."""
    known = wired.engine.extensions
    off = tuple(info.name for info in known.infos if info.state == "disabled")
    wired.engine.renew(wired.in_force().for_back(disabled=off, broken=known.broken()))


def encoded(usual: Saving, image: GeneratedImage, saving: Saving | None = None) -> EncodedImage:
    """An image as a file, written as is usual where nothing else is asked for.

    One that was saved is that very file: it was written in the same way.
    """
    way = saving or usual
    media_type = "image/jpeg" if way.image_format == "jpg" else f"image/{way.image_format}"
    if image.path.endswith(f".{way.image_format}"):
        with contextlib.suppress(OSError):  # it was moved or removed since
            return EncodedImage(Path(image.path).read_bytes(), media_type)
    return EncodedImage(encoded_image(image, way).data, media_type)
