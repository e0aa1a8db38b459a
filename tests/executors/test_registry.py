"""The executors by name: what the program chooses from."""

from pathlib import Path

import pytest
from PIL import Image

from tests.narrowing import untyped
from webui.domain.errors import WebuiError
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.domain.settings import BackSettings, Settings
from webui.domain.upscale import Upscale
from webui.executors import registry
from webui.executors.pool import devices_here
from webui.executors.registry import EXECUTORS, executor_named
from webui.server.app import engine_of


def test_the_default_is_a_process_for_each_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LocalExecutor", lambda settings, on_event: "one")
    monkeypatch.setattr(registry, "PoolExecutor", lambda settings, on_event, crew: crew)
    make = executor_named(Settings().executor)
    assert make is EXECUTORS["local"]
    made = [
        untyped(make(BackSettings(device=name), lambda event: None)) for name in ("auto", "cuda:1", "cpu,cpu", "all")
    ]
    assert made == ["one", "one", devices_here, devices_here]


def test_an_unknown_name_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    settings = Settings(executor="nowhere", data_dir=tmp_path / "data")
    with pytest.raises(WebuiError, match="setting executor: there is no 'nowhere'; choose one of: local, inline, ray"):
        engine_of(settings).__enter__()
    assert not settings.data_dir.exists()


def test_the_setting_decides_where_jobs_run(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("models_dir", "outputs_dir", "data_dir", "extensions_dir")}
    picture = Picture.of(Image.new("RGB", (8, 8)), clear=True)
    request = GenerationRequest(task=Upscale(images=(picture,), upscaler="Lanczos", scale=2.0))
    with engine_of(Settings(executor="inline", device="cpu", precision="fp32", **folders)) as engine:
        job = engine.submit(request, save=False)
        assert job.state == "done"  # as soon as `submit` has returned, which no other process could promise
        assert job.result().images[0].image.size == (16, 16)
