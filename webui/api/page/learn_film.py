"""`internal/page/learn/<job>/film/<row>.<kind>`: the recorded steps of a run as a file that somebody takes along."""

import json
from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webui.api.late_routes import Router
from webui.imaging.step_film import MEDIA_TYPES, MOST_STEPS, Film, FilmKind, FilmRow, film_file

FindParts = Callable[[Request, str], Mapping[str, bytes]]


def add_films(router: Router, find: FindParts) -> None:
    """Add the route.

    Args:
        find: gives the parts of a job's recording to who may see them, or raises HTTPException.
    """

    @router.get("/{job}/film/{row}.{kind}")
    def film(request: Request, job: str, row: FilmRow, kind: FilmKind) -> Response:
        """A strip, an animation or a film of what is recorded by now."""
        kept = find(request, job)
        steps = json.loads(kept["run"])["steps"]
        name = "clean" if row == "clean" else "latents"
        strips = [kept[f"{name}_{at}"] for at in range(min(len(steps), MOST_STEPS)) if f"{name}_{at}" in kept]
        try:
            data = film_file(Film(row, strips, [float(step["top"]) for step in steps]), kind)
        except ValueError as error:
            raise HTTPException(422, f"the recorded run {error}") from None
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="run-{row}-{len(strips)}-steps.{kind}"',
        }
        return Response(data, 200, headers, MEDIA_TYPES[kind])
