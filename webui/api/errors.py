"""From exceptions to answers: one table for every route. The forms are those that clients of A1111 read."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from webui.api.body import InvalidBodyError
from webui.domain.errors import (
    BackUnavailableError,
    BadRequestError,
    BusyError,
    NotFiniteError,
    UnknownModelError,
    UnusableFileError,
    WebuiError,
    WorkerDiedError,
    WrongStateError,
)

log = logging.getLogger(__name__)

STATUS: Mapping[type[WebuiError], int] = MappingProxyType(
    {
        UnknownModelError: 404,
        UnusableFileError: 422,
        BusyError: 503,
        BackUnavailableError: 503,
        WrongStateError: 409,
        NotFiniteError: 500,
        WorkerDiedError: 500,
        WebuiError: 500,
    }
)
RETRY_AFTER = "5"  # seconds
CLIENT_GONE = 499


def install(app: FastAPI) -> None:
    """Give the application its exception handlers."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(InvalidBodyError, _invalid)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(BadRequestError, _bad_request)
    app.add_exception_handler(WebuiError, _expected)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


def status_of(error: WebuiError) -> int:
    """The HTTP status of an expected failure."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def four_keys(error: str, detail: str, errors: str = "") -> dict[str, str]:
    """A1111's error object."""
    return {"error": error, "detail": detail, "body": "", "errors": errors}


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(getattr(error, "detail", error))
    plain = status in (404, 405) and detail in ("Not Found", "Method Not Allowed")
    headers = getattr(error, "headers", None)
    return JSONResponse({"detail": detail} if plain else four_keys("HTTPException", detail), status, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": error.problems if isinstance(error, InvalidBodyError) else []}, 422)


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    items = error.errors() if isinstance(error, RequestValidationError) else ()
    return await _invalid(request, InvalidBodyError((item["loc"], item["msg"], item["type"]) for item in items))


async def _bad_request(request: Request, error: Exception) -> Response:
    field, message = (error.field, error.message) if isinstance(error, BadRequestError) else ("", str(error))
    return await _invalid(request, InvalidBodyError.at(tuple(field.split(".")), message))


async def _expected(request: Request, error: Exception) -> Response:
    status = status_of(error) if isinstance(error, WebuiError) else 500
    headers = {"Retry-After": RETRY_AFTER} if status == 503 else None
    text = str(error)
    return JSONResponse(four_keys(type(error).__name__, text, text), status, headers)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)  # nobody reads it; a number for the log


async def _unexpected(request: Request, error: Exception) -> Response:
    """A bug. The traceback is in the server's log (Starlette raises it again); the client gets the kind of error."""
    return JSONResponse(four_keys(type(error).__name__, "", "unexpected error; see the server's log"), 500)
