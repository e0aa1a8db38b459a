"""`generate` with a folder in `--init`, and `upscale` of a folder: one request for each picture, names kept."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from webui.commands.picture_flags import named
from webui.commands.written_pictures import done, numbered, told, write_whole
from webui.domain.batch import BatchOptions
from webui.domain.errors import BadRequestError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.settings import Settings
from webui.engine.batch_door import templated
from webui.engine.batching import BatchWork, SentFiles, batch_work
from webui.engine.folder_access import AT_THE_MACHINE, FolderAccess
from webui.engine.keeping import folder_of
from webui.experiments.picture_batch import BatchFile, BatchPicture, files_in, request_of
from webui.installing.permission import Permission
from webui.output.store import FORMATS, ImageStore

if TYPE_CHECKING:
    from webui.engine.engine import Engine

OK, FAILED = 0, 1


def run(settings: Settings, given: argparse.Namespace, wanted: Callable[["Engine"], Mapping[str, Any]]) -> int:
    """Work through the folder; `wanted` makes the request's fields without a picture.

    Returns:
        Whether every picture came to a result, as an exit code.

    Raises:
        WebuiError: there is nothing to do, or a flag does not fit a folder.
    """
    output: Path | None = getattr(given, "output", None)
    if output is not None and output.suffix:
        raise WebuiError(f"--output {output}: should be a folder, as a folder of pictures is given")
    from webui.server import app

    store, failed = ImageStore.from_settings(settings), 0
    with app.engine_of(settings) as engine:
        work = _work(given, wanted(engine), settings)
        for notice in work.notices:
            sys.stderr.write(f"{notice.text}\n")
        for number, picture in enumerate(work.pictures, 1):
            if _is_there(work, picture, output, store):
                continue
            before = f"{picture.source.name} ({number}/{len(work.pictures)}) "
            try:
                request, remarks = request_of(picture, work.template, work.options)
                result = done(engine, request, save=output is None, saving=work.saving_of(picture), before=before)
            except Cancelled:
                raise
            except WebuiError as error:
                sys.stderr.write(f"{picture.source.name}: {error}\n")
                failed += 1
                continue
            for text in remarks:
                sys.stderr.write(f"{picture.source.name}: {text}\n")
            for index, image in enumerate(result.images):
                path = Path(image.path)
                if output is not None:
                    path = numbered(output / f"{picture.name}.{settings.image_format}", index)
                    write_whole(path, app.encoded(settings.saving, image).data)
                sys.stdout.write(f"{path}\n")
    return FAILED if failed else OK


def _work(given: argparse.Namespace, fields: Mapping[str, Any], settings: Settings) -> BatchWork:
    shown = vars(given)
    paths = named(given)
    if fields.get("task", {}).get("inpainting") is not None and "mask" not in shown:
        raise WebuiError("flags for masks need --mask FILE or FOLDER")
    options = BatchOptions(
        take=tuple(shown.get("take", ())),
        own_size="init" in shown and not ("width" in shown or "height" in shown),
        keep_names=shown.get("keep_names", True),
        skip_existing=shown.get("skip_existing", False),
        output=next((path.resolve().name for path in paths if path.is_dir()), ""),
    )
    infos = _files([shown["info"]]) if shown.get("info") else ()
    sent = SentFiles(_files(paths), _files([shown["mask"]] if shown.get("mask") else []), infos)
    access = FolderAccess(tuple, Permission())
    save = not shown.get("output")
    try:
        template: GenerationRequest = templated(fields)
        return batch_work(template, options, sent, access, AT_THE_MACHINE, save=save, saving=settings.saving)
    except ValidationError as error:
        raise told(error) from None
    except BadRequestError as error:
        raise WebuiError(f"{error.field}: {error.message}") from None


def _files(paths: Iterable[Path]) -> tuple[BatchFile, ...]:
    """The pictures of folders, and files as they are named."""
    found: list[BatchFile] = []
    for path in paths:
        if not path.exists():
            raise WebuiError(f"there is no {path}")
        found += files_in(path)[0] if path.is_dir() else [BatchFile(path.name, path)]
    return tuple(found)


def _is_there(work: BatchWork, picture: BatchPicture, output: Path | None, store: ImageStore) -> bool:
    saving = work.saving_of(picture)
    if not work.options.skip_existing or not work.options.keep_names or saving is None:
        return False
    if output is None:
        return store.has(folder_of(work.template), saving)
    return any((output / f"{picture.name}.{ending}").exists() for ending in FORMATS)
