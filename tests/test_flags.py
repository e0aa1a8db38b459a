"""The flags of A1111, Forge and ComfyUI: every one is understood, means what the table says, and stops no start."""

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import launch
from webui.commands import arguments, cli
from webui.commands.arguments import parse
from webui.commands.foreign.known_flag import KnownFlag
from webui.commands.foreign.start_words import words_of
from webui.commands.foreign.translation import KNOWN, table, translated
from webui.domain.errors import WebuiError
from webui.domain.model_folders import ModelFolder
from webui.domain.settings import Settings

ROOT = Path(__file__).parents[1]
BY_NAME = {flag.name: flag for flag in KNOWN}

# Every flag of A1111 1.10.1 and of the extensions that come with it, written down apart from the table.
A1111 = """
f update-all-extensions skip-python-version-check skip-torch-cuda-test reinstall-xformers reinstall-torch update-check
test-server log-startup skip-prepare-environment skip-install dump-sysinfo loglevel do-not-download-clip data-dir
models-dir config ckpt ckpt-dir vae-dir gfpgan-dir gfpgan-model no-half no-half-vae no-progressbar-hiding
max-batch-count embeddings-dir textual-inversion-templates-dir hypernetwork-dir localizations-dir allow-code medvram
medvram-sdxl lowvram lowram always-batch-cond-uncond unload-gfpgan precision upcast-sampling share ngrok ngrok-region
ngrok-options enable-insecure-extension-access codeformer-models-path gfpgan-models-path esrgan-models-path
bsrgan-models-path realesrgan-models-path dat-models-path clip-models-path xformers force-enable-xformers
xformers-flash-attention deepdanbooru opt-split-attention opt-sub-quad-attention sub-quad-q-chunk-size
sub-quad-kv-chunk-size sub-quad-chunk-threshold opt-split-attention-invokeai opt-split-attention-v1 opt-sdp-attention
opt-sdp-no-mem-attention disable-opt-split-attention disable-nan-check use-cpu use-ipex
disable-model-loading-ram-optimization listen port show-negative-prompt ui-config-file hide-ui-dir-config
freeze-settings freeze-settings-in-sections freeze-specific-settings ui-settings-file gradio-debug gradio-auth
gradio-auth-path gradio-img2img-tool gradio-inpaint-tool gradio-allowed-path opt-channelslast styles-file autolaunch
theme use-textbox-seed disable-console-progressbars enable-console-prompts vae-path disable-safe-unpickle api api-auth
api-log nowebui ui-debug-mode device-id administrator cors-allow-origins cors-allow-origins-regex tls-keyfile
tls-certfile disable-tls-verify server-name gradio-queue no-gradio-queue skip-version-check no-hashing
no-download-sd-model subpath add-stop-route api-server-stop timeout-keep-alive disable-all-extensions
disable-extra-extensions skip-load-model-at-start unix-filenames-sanitization filenames-max-length no-prompt-history
lora-dir lyco-dir-backcompat ldsr-models-path scunet-models-path swinir-models-path controlnet-dir
controlnet-annotator-models-path no-half-controlnet controlnet-preprocessor-cache-size controlnet-loglevel
controlnet-tracemalloc
"""

HOME = Path("~/files")


def _folder(*kinds: str) -> dict[str, Any]:
    return {"model_folders": tuple(ModelFolder(kind=kind, path=HOME) for kind in kinds)}


# What a flag sets, given the values behind it; a flag that is not here is without effect.
MEANT: dict[str, tuple[list[str], dict[str, Any]]] = {
    "--listen": ([], {"host": "0.0.0.0"}),
    "--port": (["8000"], {"port": 8000}),
    "--server-name": (["10.0.0.1"], {"host": "10.0.0.1"}),
    "--api": ([], {"api": True}),
    "--api-server-stop": ([], {"api_server_stop": True}),
    "--nowebui": ([], {"webui": False, "api": True}),
    "--api-auth": (["a:b"], {"api_auth": "a:b"}),
    "--gradio-auth": (["a:b,c:d"], {"api_auth": "a:b,c:d"}),
    "--gradio-auth-path": (["users.txt"], {"api_auth": "a:b,c:d,e:f"}),
    "--subpath": (["sd/one/"], {"subpath": "/sd/one"}),
    "--tls-keyfile": (["key.pem"], {"tls_keyfile": Path("key.pem")}),
    "--tls-certfile": (["cert.pem"], {"tls_certfile": Path("cert.pem")}),
    "--timeout-keep-alive": (["5"], {"timeout_keep_alive": 5}),
    "--cors-allow-origins": (["http://a.example,https://b.example/"], {
        "cors_origins": ("http://a.example", "https://b.example")
    }),
    "--cors-allow-origins-regex": (["https://.*"], {"cors_origin_pattern": "https://.*"}),
    "--autolaunch": ([], {"open_browser": True}),
    "--theme": (["light"], {"theme": "light"}),
    "--enable-insecure-extension-access": ([], {"allow_extension_install": True}),
    "--disable-all-extensions": ([], {"disabled_extensions": ("bundled", "installed")}),
    "--disable-extra-extensions": ([], {"disabled_extensions": ("installed",)}),
    "--data-dir": (["elsewhere"], {"data_dir": Path("elsewhere")}),
    "--models-dir": (["elsewhere"], {"models_dir": Path("elsewhere")}),
    "--styles-file": (["mine.csv"], {"styles_file": Path("mine.csv")}),
    "--ckpt": (["~/files"], {**_folder("checkpoint"), "default_checkpoint": "files"}),
    "--vae-path": (["~/files"], {**_folder("vae"), "default_vae": "files"}),
    **{name: (["~/files"], _folder(kind)) for name, kind in (
        ("--ckpt-dir", "checkpoint"), ("--vae-dir", "vae"), ("--lora-dir", "lora"), ("--lyco-dir", "lora"),
        ("--lyco-dir-backcompat", "lora"), ("--embeddings-dir", "embedding"), ("--hypernetwork-dir", "hypernetwork"),
        ("--controlnet-dir", "controlnet"), ("--controlnet-annotator-models-path", "preprocessor"),
        ("--controlnet-preprocessor-models-dir", "preprocessor"), ("--esrgan-models-path", "upscaler"),
        ("--bsrgan-models-path", "upscaler"), ("--realesrgan-models-path", "upscaler"),
        ("--swinir-models-path", "upscaler"), ("--scunet-models-path", "upscaler"),
        ("--dat-models-path", "upscaler"), ("--hat-models-path", "upscaler"), ("--gfpgan-model", "gfpgan"),
        ("--codeformer-models-path", "codeformer"),
    )},
    "--gfpgan-models-path": (["~/files"], _folder("gfpgan", "detector")),
    "--gfpgan-dir": (["~/files"], _folder("gfpgan", "detector")),
    **{name: (["home"], {"use_models_of": (Path("home"),)}) for name in (
        "--forge-ref-a1111-home", "--a1111-home", "--comfyui-home"
    )},
    "--extra-model-paths-config": (["a.yaml"], {"extra_model_paths": (Path("a.yaml"),)}),
    "--precision": (["full"], {"precision": "fp32"}),
    **{name: ([], {"precision": "fp32"}) for name in ("--no-half", "--all-in-fp32")},
    "--unet-in-bf16": ([], {"precision": "bf16"}),
    **{name: ([], {"vae_precision": "fp32"}) for name in ("--no-half-vae", "--vae-in-fp32")},
    **{name: ([], {}) for name in ("--medvram", "--medvram-sdxl", "--always-normal-vram")},
    **{name: ([], {"vram": "low"}) for name in (
        "--lowvram", "--always-low-vram", "--always-no-vram", "--always-offload-from-vram"
    )},
    **{name: ([], {"vram": "high"}) for name in ("--always-gpu", "--always-high-vram")},
    **{name: ([], {"fp8_weights": True}) for name in ("--unet-in-fp8-e4m3fn", "--unet-in-fp8-e5m2")},
    "--use-cpu": (["all"], {"device": "cpu"}),
    "--always-cpu": ([], {"device": "cpu"}),
    **{name: (["1"], {"device": "cuda:1"}) for name in ("--device-id", "--gpu-device-id")},
    "--skip-install": ([], {}),
    "--reinstall-torch": ([], {}),
    "--torch-index": (["somewhere"], {}),
}  # fmt: skip
PARSERS = cache(arguments._parsers)  # the program makes them once, at its start
SAMPLE = {"nothing": [], "a value": ["8"], "perhaps a value": [], "values": ["all"]}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "EXTRA_PATHS", tmp_path / "beside.yaml")
    monkeypatch.setattr(arguments, "_parsers", PARSERS)
    for name in list(os.environ):
        if name.startswith("WEBUI_"):
            monkeypatch.delenv(name)
    (tmp_path / "users.txt").write_text("a:b, c:d\n\ne:f\n")
    for name in ("bundled", "installed"):
        (tmp_path / "extensions" / name).mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "extensions.lock.json").write_text('{"installed": {}}')


def _settings(*arguments: str, **variables: str) -> Settings:
    return cli.settings_of(parse(arguments, variables))


def _changed(settings: Settings) -> dict[str, Any]:
    default = Settings()
    return {name: value for name, value in settings if value != getattr(default, name)}


@pytest.mark.parametrize("flag", KNOWN, ids=lambda flag: flag.name)
def test_every_known_flag_starts_and_means_what_it_should(flag: KnownFlag) -> None:
    values, meant = MEANT.get(flag.name, (SAMPLE[flag.takes], {}))
    meant = {name: _at_home(value) for name, value in meant.items()}
    given = parse([flag.name, *values], {})
    assert _changed(cli.settings_of(given)) == meant
    remarks = translated(given).remarks
    if flag.name in MEANT:
        assert remarks == ()
    else:
        assert remarks == (f"without effect here: {flag.name} ({flag.says})",)
    assert flag.has_effect == (flag.name in MEANT)


def _at_home(value: Any) -> Any:
    if isinstance(value, tuple) and value and isinstance(value[0], ModelFolder):
        return tuple(ModelFolder(kind=folder.kind, path=HOME.expanduser()) for folder in value)
    return value


def test_no_flag_of_a1111_is_forgotten() -> None:
    names = {f"-{name}" if len(name) == 1 else f"--{name}" for name in A1111.split()}
    assert names <= BY_NAME.keys()
    assert len(BY_NAME) == len(KNOWN)


def test_all_of_them_at_once_are_understood(tmp_path: Path) -> None:
    words = [word for flag in KNOWN for word in (flag.name, *MEANT.get(flag.name, (SAMPLE[flag.takes], {}))[0])]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "extensions.lock.json").write_text("{}")
    settings = _settings(*words)
    assert settings.api_auth == "a:b,a:b,c:d,a:b,c:d,e:f"
    assert len(settings.model_folders) == len([flag for flag in MEANT.values() if "model_folders" in flag[1]]) + 2


def test_a_usual_start_file() -> None:
    settings = _settings(
        COMMANDLINE_ARGS='--listen --port 7861 --xformers --medvram --no-half-vae --ckpt-dir "/data/my models" --api '
        "--gradio-auth me:secret --api-auth you:secret --cors-allow-origins=http://localhost:3000 --theme light"
    )
    assert _changed(settings) == {
        "host": "0.0.0.0",
        "port": 7861,
        "vae_precision": "fp32",
        "model_folders": (ModelFolder(kind="checkpoint", path=Path("/data/my models")),),
        "api": True,
        "api_auth": "you:secret,me:secret",
        "cors_origins": ("http://localhost:3000",),
        "theme": "light",
    }


def test_the_command_line_goes_over_the_variable() -> None:
    given = parse(["--port", "2", "generate", "a cat"], {"COMMANDLINE_ARGS": "--port 1 --use-cpu all interrogate"})
    assert (given.command, given.prompt) == ("generate", "a cat")
    settings = cli.settings_of(given)
    assert (settings.port, settings.device) == (2, "cpu")


@pytest.mark.parametrize("arguments", [("--use-cpu", "all", "models"), ("models", "--use-cpu", "SD"), ("models",)])
def test_values_do_not_swallow_the_command(arguments: tuple[str, ...]) -> None:
    given = parse(arguments, {})
    assert given.command == "models"
    assert cli.settings_of(given).device == ("cpu" if len(arguments) > 1 else "auto")


def test_the_variable_is_split_as_shells_do() -> None:
    assert words_of({"COMMANDLINE_ARGS": " --a 'b c' --d=\"e f\" # g "}) == ["--a", "b c", "--d=e f", "#", "g"]
    assert words_of({"COMMANDLINE_ARGS": r'--a D:\models\sd "C:\my files"'}, backslashes=True) == [
        "--a",
        r"D:\models\sd",
        r"C:\my files",
    ]
    assert words_of({}) == []
    with pytest.raises(WebuiError, match="COMMANDLINE_ARGS: cannot be split into flags"):
        words_of({"COMMANDLINE_ARGS": "--a 'b"})


@pytest.mark.parametrize(
    ("word", "meant"), [("--no-halff", "--no-half"), ("--lisen", "--listen"), ("--modles-dir=x", "--models-dir")]
)
def test_an_unknown_flag_is_an_error_with_a_suggestion(
    word: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([word], {})
    assert ended.value.code == cli.USAGE
    assert f"there is no flag {word}; did you mean {meant}?" in capsys.readouterr().err


def test_nothing_is_suggested_where_nothing_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--qqqqqqqq"], {})
    assert capsys.readouterr().err.endswith("there is no flag --qqqqqqqq\n")


def test_a_variable_makes_unknown_flags_harmless(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert _settings("--no-halff", "--port", "5", IGNORE_CMD_ARGS_ERRORS="1").port == 5
    assert "there is no flag --no-halff" in caplog.text


def test_flags_without_effect_are_named_once_by_reason() -> None:
    remarks = translated(parse(["--xformers", "--lowram", "--opt-sdp-attention", "--vae-in-cpu"], {})).remarks
    assert len(remarks) == 2
    assert sum("--xformers, --opt-sdp-attention (attention" in remark for remark in remarks) == 1
    assert sum("--lowram, --vae-in-cpu (" in remark for remark in remarks) == 1


@pytest.mark.parametrize(
    ("words", "set_", "remark"),
    [
        (["--theme", "pink"], {}, "there are the themes light and dark, not 'pink'"),
        (["--use-cpu", "interrogate", "gfpgan"], {}, "the whole program is on one device"),
        (["--device-id", "x"], {}, "expected the number of a card"),
        (["--cors-allow-origins", "*"], {}, "an origin with `*` opens nothing"),
        (["--cors-allow-origins", "*,http://a"], {"cors_origins": ("http://a",)}, "an origin with `*` opens nothing"),
        (["--styles-file", "a*.csv", "--styles-file", "b.csv"], {"styles_file": Path("a*.csv")}, "the first is read"),
    ],
)
def test_what_is_understood_in_part_is_said(words: list[str], set_: dict[str, Any], remark: str) -> None:
    given = parse(words, {})
    assert _changed(cli.settings_of(given)) == set_
    assert [text.partition(": ")[0] for text in translated(given).remarks] == [words[0]]
    assert remark in translated(given).remarks[0]


@pytest.mark.parametrize("word", ["half", "autocast"])
def test_words_of_a1111_for_precision_leave_it_to_the_other_flags(word: str) -> None:
    assert _settings("--precision", word).precision == "auto"
    assert _settings("--precision", word, "--no-half").precision == "fp32"
    assert _settings("--precision", "bf16", "--no-half").precision == "bf16"


def test_a_file_of_passwords_that_is_not_there_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--gradio-auth-path", "nowhere", "models"]) == cli.FAILED
    assert "--gradio-auth-path nowhere: cannot be read" in capsys.readouterr().err


def test_models_of_an_a1111_in_the_data_folder_are_used(tmp_path: Path) -> None:
    assert _settings("--data-dir", "data").use_models_of == ()
    (tmp_path / "data" / "models" / "Stable-diffusion").mkdir(parents=True)
    assert _settings("--data-dir", "data").use_models_of == (Path("data"),)
    assert _settings("--data-dir", "data", "--models-dir", "m").use_models_of == ()


def test_the_file_beside_the_launcher_is_read_unless_another_is_named(tmp_path: Path) -> None:
    assert _settings().extra_model_paths == ()
    (tmp_path / "beside.yaml").write_text("a:\n  loras: .\n")
    assert _settings().extra_model_paths == (tmp_path / "beside.yaml",)
    assert _settings("--extra-model-paths", "other.yaml").extra_model_paths == (Path("other.yaml"),)


def test_folders_are_settings_of_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBUI_MODEL_FOLDERS", "lora=/a,vae=/b")
    monkeypatch.setenv("WEBUI_USE_MODELS_OF", "/x,/y")
    settings = _settings()
    assert [(folder.kind, str(folder.path)) for folder in settings.model_folders] == [("lora", "/a"), ("vae", "/b")]
    assert settings.use_models_of == (Path("/x"), Path("/y"))


@pytest.mark.parametrize("arguments", [("--subpath", "a b"), ("--subpath", ".."), ("--cors-allow-origins-regex", "(")])
def test_wrong_values_are_one_sentence(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*arguments, "models"]) == cli.FAILED
    assert capsys.readouterr().err.count("\n") == 1


def test_models_are_listed_with_their_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "ink.safetensors").write_bytes(b"broken")
    assert cli.main(["models", "--lora-dir", "loras", "--xformers"]) == cli.OK
    told = capsys.readouterr().out
    assert "lora: 1 in loras\n" in told
    assert "unusable ink.safetensors: loras/ink.safetensors\n      ink.safetensors: " in told
    assert cli.main(["--model-folder", "loras=x", "models"]) == cli.FAILED
    assert "no kind loras" in capsys.readouterr().err


def test_the_documented_table_is_the_real_one() -> None:
    assert table() in (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("variable", "arguments", "installs"),
    [("", [], True), ("--skip-install --xformers", [], False), ("", ["--skip-install"], False), ("'", [], True)],
)
def test_the_launcher_reads_the_variable_for_its_own_flags(
    monkeypatch: pytest.MonkeyPatch, variable: str, arguments: list[str], installs: bool
) -> None:
    did: list[Any] = []
    monkeypatch.setenv("COMMANDLINE_ARGS", variable)
    monkeypatch.setattr(launch, "make_venv", lambda: None)
    monkeypatch.setattr(launch, "install", lambda *given, **named: did.append("install"))
    monkeypatch.setattr(os, "execv", lambda program, command: did.append(command[1:]))
    monkeypatch.setattr(os, "chdir", lambda path: None)
    launch.main([*arguments, "--port", "5"])
    assert did == ["install"] * installs + [["-m", "webui", "--port", "5"]]
