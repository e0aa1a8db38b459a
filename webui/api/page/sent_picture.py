"""A picture file that the page sends as a multipart form with the one part `picture`."""

from starlette.datastructures import UploadFile
from starlette.requests import Request

from webui.api.body import InvalidBodyError

FIELD = "picture"


async def sent_picture(request: Request) -> bytes:
    """The file. Raises InvalidBodyError where there is none."""
    async with request.form(max_files=1, max_fields=0) as form:
        file = form.get(FIELD)
        if not isinstance(file, UploadFile):
            raise InvalidBodyError.at((FIELD,), "send the picture as a file of a multipart form", "missing")
        return await file.read()
