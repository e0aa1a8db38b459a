"""Uploads together: bounded, and the oldest make room."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from webui.server.upload_quota import UploadQuota


async def taken(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"taken"})


def upload(quota: UploadQuota, size: int) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=quota), base_url="http://x") as client:
            return await client.post("/upload", files={"file": ("a.png", b"x" * size)})

    return asyncio.run(ask())


def kept(folder: Path, name: str, size: int, age: float) -> Path:
    path = folder / name / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_what_fits_is_taken_and_what_does_not_is_refused(tmp_path: Path) -> None:
    quota = UploadQuota(taken, tmp_path, quota=10_000)
    kept(tmp_path, "new", 8_000, age=10)
    assert upload(quota, 1_000).status_code == 200
    answer = upload(quota, 3_000)
    assert answer.status_code == 413
    assert "MiB together" in answer.json()["detail"]


@pytest.mark.parametrize(("age", "status"), [(10.0, 413), (7200.0, 200)])
def test_only_files_that_nobody_used_for_long_make_room(tmp_path: Path, age: float, status: int) -> None:
    old = kept(tmp_path, "old", 8_000, age)
    newer = kept(tmp_path, "newer", 1_000, 5)
    assert upload(UploadQuota(taken, tmp_path, quota=10_000), 3_000).status_code == status
    assert old.exists() is (status == 413)
    assert newer.exists()


def test_other_requests_are_not_looked_at(tmp_path: Path) -> None:
    async def ask() -> int:
        quota = UploadQuota(taken, tmp_path, quota=0)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=quota), base_url="http://x") as client:
            return (await client.post("/x", json={})).status_code

    assert asyncio.run(ask()) == 200
