"""Everything wired together: who may call the server that settings describe, and a real server from start to end."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import save_file

from tests.library.small import small_checkpoint, small_vae
from tests.narrowing import known
from webui.domain.errors import WebuiError
from webui.domain.model_folders import ModelFolder
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.domain.settings import BackChoices, BackSettings, Settings
from webui.executors.registry import EXECUTORS
from webui.output.store import ImageStore
from webui.server import app
from webui.server.app import encoded, engine_of, policy_of

ROOT = Path(__file__).parents[1]


def test_a_server_for_others_needs_a_password() -> None:
    with pytest.raises(WebuiError, match="--api-auth"):
        policy_of(Settings(host="0.0.0.0"))
    policy = policy_of(Settings(host="0.0.0.0", api_auth="a:b"))
    assert policy.any_address
    assert policy.users == (("a", "b"),)


def test_a_local_server_answers_to_its_own_names_only() -> None:
    policy = policy_of(Settings(port=1234))
    assert (policy.port, policy.any_address, policy.own_names, policy.cors_origins) == (1234, False, (), ())


def test_the_back_is_told_every_setting_that_it_knows() -> None:
    settings = Settings(
        models_dir=Path("m"),
        model_folders=(ModelFolder(kind="lora", path=Path("l")),),
        data_dir=Path("d"),
        styles_file=Path("s"),
        extensions_dir=Path("e"),
        device="cpu",
        precision="bf16",
        vae_precision="fp32",
        threads=3,
        checkpoints_in_memory=2,
        preview_every=0,
        preview_kind="Full",
        vram="low",
        reserve_vram=1.5,
        fp8_weights=True,
        network="eager",
        tiled_vae=True,
        disabled_extensions=("one",),
        hook_deadline=7.0,
    )
    told = settings.for_back(disabled=("one", "two"), broken=(("three", "no manifest"),))
    assert {name: getattr(told, name) for name in BackChoices.model_fields} == {
        **{name: getattr(settings, name) for name in BackChoices.model_fields},
        "disabled_extensions": ("one", "two"),
    }
    assert told.broken_extensions == (("three", "no manifest"),)
    by_executor = {"whereabouts_file"}  # the executor sets it for each worker
    fields = {name: field for name, field in BackSettings.model_fields.items() if name not in by_executor}
    assert all(getattr(told, name) != field.default for name, field in fields.items())
    assert pickle.loads(pickle.dumps(told)) == told


def _folders(tmp_path: Path) -> dict[str, Path]:
    return {name: tmp_path / name for name in ("models_dir", "outputs_dir", "data_dir", "extensions_dir")}


def test_files_of_flags_are_used_until_others_are_chosen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    away = tmp_path / "away"
    away.mkdir()
    save_file(small_checkpoint(1), away / "mine.safetensors")
    save_file(small_vae(), away / "soft.safetensors")
    settings = Settings(
        executor="inline",
        device="cpu",
        model_folders=(
            ModelFolder(kind="checkpoint", path=away / "mine.safetensors"),
            ModelFolder(kind="vae", path=away / "soft.safetensors"),
        ),
        default_checkpoint="mine.safetensors",
        default_vae="soft.safetensors",
        **_folders(tmp_path),
    )
    with engine_of(settings) as engine:
        starting = engine.starting_values()
        assert (starting.checkpoint, starting.vae) == ("mine.safetensors", "soft.safetensors")
        engine.change_starting_values({"vae": "None"})
    with engine_of(settings) as engine:
        assert engine.starting_values().vae == "None"
    (tmp_path / "data_dir" / "starting_values.json").unlink()
    with engine_of(settings.model_copy(update={"model_folders": ()})) as engine:
        assert engine.starting_values() == GenerationRequest()
    assert "setting default_checkpoint: checkpoint: no 'mine.safetensors'" in caplog.text
    assert "setting default_vae: vae: no 'soft.safetensors'" in caplog.text


def test_front_and_back_read_the_same_folders_and_styles(tmp_path: Path) -> None:
    (tmp_path / "sd" / "models" / "Stable-diffusion").mkdir(parents=True)
    (tmp_path / "sd" / "models" / "Lora").mkdir()
    save_file(small_checkpoint(1), tmp_path / "sd" / "models" / "Stable-diffusion" / "mine.safetensors")
    told: list[BackSettings] = []

    def remembering(settings: BackSettings, on_event: Any) -> Any:
        told.append(settings)
        return EXECUTORS["inline"](settings, on_event)

    settings = Settings(
        device="cpu", use_models_of=(tmp_path / "sd",), styles_file=tmp_path / "mine.csv", **_folders(tmp_path)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "executor_named", lambda name: remembering)
        with engine_of(settings) as engine:
            assert [file.name for file in engine.library.checkpoints()] == ["mine.safetensors"]
            assert told[0].model_folders == engine.library.further
    assert told[0].styles_path == tmp_path / "mine.csv"
    assert Settings(data_dir=Path("d")).styles_path == Path("d") / "styles.csv"


@pytest.mark.parametrize("image_format", ["png", "jpg", "webp"])
@pytest.mark.parametrize("embed", [True, False])
def test_a_saved_image_is_answered_with_the_bytes_of_its_file(tmp_path: Path, image_format: Any, embed: bool) -> None:
    """Those are the bytes that encoding it anew would give; where the file is gone, that is what happens."""
    settings = Settings(outputs_dir=tmp_path, image_format=image_format, embed_parameters=embed, jpeg_quality=60)
    made = GeneratedImage(Image.linear_gradient("L").convert("RGB"), GenerationRequest(prompt="a", seed=5), "a", 0, 0)
    file = ImageStore.from_settings(settings).save(made, folder="txt2img-images")
    saved = replace(made, path=str(file))
    anew = encoded(settings.saving, made)
    assert encoded(settings.saving, saved) == anew
    file.write_bytes(b"seen to be read")
    assert encoded(settings.saving, saved) == replace(anew, data=b"seen to be read")
    other = settings.saving.model_copy(update={"image_format": "jpg" if image_format == "png" else "png"})
    assert encoded(settings.saving, saved, other) == encoded(settings.saving, made, other)
    file.unlink()
    assert encoded(settings.saving, saved) == anew


def _get(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _left_by_the_dead(path: Path) -> Path:
    """A half-written file whose process has ended."""
    code = "import sys, pathlib, webui.library.unfinished as u; p = u.unfinished(pathlib.Path(sys.argv[1]))"
    code += "; p.parent.mkdir(parents=True); p.touch(); print(p)"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return Path(ended.stdout.strip())


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_server_starts_answers_and_ends_with_0(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "webui", "--nowebui", "--port", "0", "--threads", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WEBUI_DATA_DIR": str(tmp_path / "data")}
    left = _left_by_the_dead(tmp_path / "data" / "settings.json")
    server = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        assert _get(f"{url}/health") == 200
        assert _get(f"{url}/sdapi/v1/samplers") == 200
        assert _get(f"{url}/health", Host="evil.example") == 403
        for _ in range(100):
            if not left.exists():
                break
            time.sleep(0.1)
        assert not left.exists()
        body = json.dumps({"steps": 1}).encode()
        no_model = urllib.request.Request(f"{url}/sdapi/v1/txt2img", body, {"Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(no_model, timeout=20)
        refused.value.close()
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.wait()
        known(server.stdout).close()
