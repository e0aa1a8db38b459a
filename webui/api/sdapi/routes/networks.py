"""Lists of what a prompt can name: embeddings, LoRA files, hypernetworks. Reads the library, loads nothing."""

from typing import Any

from starlette.responses import JSONResponse

from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.errors import WebuiError
from webui.library.choice import first_choice
from webui.library.embeddings import EmbeddingFacts, facts_of
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.networks import metadata_of, shown_names


def routes(parts: Parts) -> Router:
    """Everything that only lists networks and embeddings."""
    router = Router(prefix="/sdapi/v1")
    library = parts.engine.library

    @router.get("/embeddings")
    def embeddings() -> dict[str, Any]:
        width = _context_width(library, parts.engine.starting_values().checkpoint)
        answer: dict[str, dict[str, Any]] = {"loaded": {}, "skipped": {}}
        for file in library.embeddings():
            facts = facts_of(library, file) if file.usable else None
            fits = file.usable and (facts is None or width is None or facts.width == width)
            answer["loaded" if fits else "skipped"][file.stem] = _embedding(facts)
        return answer

    @router.get("/loras")
    def loras() -> JSONResponse:
        files = tuple(file for file in library.loras() if file.usable)
        names = shown_names(library, files)
        told = [
            {
                "name": file.stem,
                "alias": names[file],
                "path": str(file.path),
                "metadata": dict(metadata_of(library, file)),
            }
            for file in files
        ]
        return JSONResponse(told)  # made in this thread: what trainers wrote into many files is long

    @router.get("/hypernetworks")
    def hypernetworks() -> list[dict[str, str]]:
        return [{"name": file.stem, "path": str(file.path)} for file in library.hypernetworks() if file.usable]

    return router


def _context_width(library: ModelLibrary, alias: str) -> int | None:
    """Channels of the text conditioning of a checkpoint; None where there is none, or it cannot be read."""
    try:
        file: ModelFile = library.checkpoint(alias) if alias else first_choice(library)
        return library.spec(file).unet.context_width
    except WebuiError:
        return None


def _embedding(facts: EmbeddingFacts | None) -> dict[str, Any]:
    """A file that was not converted yet tells nothing; clients expect whole numbers in the last two all the same."""
    return {
        "step": facts.step if facts else None,
        "sd_checkpoint": facts.checkpoint if facts else None,
        "sd_checkpoint_name": facts.checkpoint_name if facts else None,
        "shape": facts.width if facts else 0,
        "vectors": facts.vectors if facts else 0,
    }
