"""Set up and start the program; needs nothing but Python 3.11 or newer.

    python launch.py [flags]     make .venv, install what is missing, start the page (flags: python launch.py --help)
    python launch.py setup       the same without starting
    python launch.py doctor      what is there, what does not work, and what to do
    python launch.py test        install what the checks need too, and run every check
    python launch.py test --mutants [words | first-last]
                                 make small faults in a copy, one after another, and list those that no test notices;
                                 with words, only the faults whose names hold one of them, and with a range such as
                                 1-20 those at these places of the list (all take half an hour)
    python launch.py test --crash
                                 the long crash test: workers and servers are killed at random (takes minutes)
    python launch.py test --references DIR
                                 run the tests over reference cases alone, with the cases of a folder that holds
                                 index.json, cases/, inputs/ and models/ (may be given more than once), and say how many
                                 passed in each group; further words are for pytest, such as -k hires
    python launch.py test --ray  install ray as well, and try the executor of several hosts with it
    python launch.py test --schema
                                 beside the checks, 1,500 calls made from the description of the API

Flags are read from the variable COMMANDLINE_ARGS too, as start files of other programs set it.

Only the standard library is used here, because nothing else is there yet.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST = (3, 11)
SCHEMA_CALLS = "1500"
ALONE = "requirements-alone.txt"
RAY = "requirements-ray.txt"
TORCH_BUILDS = "https://download.pytorch.org/whl/"  # PyTorch's own index: below it a folder for each build
OWN_FLAGS = """flags of launch.py itself:
  --skip-install        start with what is installed; install nothing
  --torch-index URL     where pip looks for torch (or the variable WEBUI_TORCH_INDEX), instead of choosing by the card
  --reinstall-torch     install torch again, for the card that is there now
"""


class SetupFailed(Exception):
    """A step of the set-up failed; the text says which and what to do."""


def say(text: str) -> None:
    """Print at once, so that progress is seen also through a pipe."""
    print(f"[launch] {text}", flush=True)


def run(what: str, *command: str | Path, hint: str = "") -> None:
    """Run a command with its output shown; raise `SetupFailed` in words when it fails."""
    say(f"{what} ...")
    began = time.monotonic()
    code = subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode
    if code:
        raise SetupFailed(f"{what} failed (exit code {code}). {hint}".rstrip())
    say(f"{what}: done in {time.monotonic() - began:.0f} s")


def words_in_variable() -> list[str]:
    """The flags in COMMANDLINE_ARGS. Quotation marks that do not fit are the program's to complain about."""
    try:
        return shlex.split(os.environ.get("COMMANDLINE_ARGS", ""), posix=os.name != "nt")
    except ValueError:
        return []


def make_venv() -> None:
    """Make .venv where there is none, or where an interrupted run left half of one."""
    works = PYTHON.exists() and subprocess.run(
        [str(PYTHON), "-m", "pip", "--version"], capture_output=True, check=False
    )
    if not works or works.returncode:
        run("making .venv", sys.executable, "-m", "venv", "--clear", VENV, hint="On Debian: apt install python3-venv.")


def pinned(name: str, requirements: str) -> str:
    """The line that pins `name`."""
    lines = (ROOT / requirements).read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


def install(requirements: str, torch_index: str, *, again: bool = False) -> None:
    """Install a requirements file once; a stamp in .venv holds the hash of what was installed.

    Args:
        torch_index: where pip looks for torch; "": where the build for this machine's card lies.
        again: install torch once more.
    """
    files = ("requirements.txt", ALONE, requirements)
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in files)).hexdigest()
    stamp = VENV / f".installed-{requirements}"
    if not again and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        warn_of_unused_card()
        return
    # Python compiles a module when it is first loaded; pip would compile all that there are, most of which nobody loads
    quiet = ("--disable-pip-version-check", "--quiet", "--progress-bar", "off")
    pip = (PYTHON, "-m", "pip", "install", "--no-compile", *quiet)
    hint = "Is the package index reachable? Run the same command again to go on where it stopped."
    install_torch((*pip, "--force-reinstall", "--no-deps") if again else pip, torch_index, hint)
    run(f"installing {requirements}", *pip, "-r", ROOT / requirements, hint=hint)
    run(f"installing {ALONE}", *pip, "--no-deps", "-r", ROOT / ALONE, hint=hint)
    stamp.write_text(wanted, encoding="utf-8")
    warn_of_unused_card()


def install_torch(pip: Sequence[str | Path], torch_index: str, hint: str) -> None:
    """Install torch from the index that was given, or from the first of those for this machine's card that has it."""
    torch, what = pinned("torch", "requirements.txt"), "installing torch (the largest part)"
    if torch_index:
        run(what, *pip, "--index-url", torch_index, torch, hint=hint)
        return
    from webui.hardware.graphics_cards import cards_here  # needs a Python that is new enough
    from webui.hardware.torch_builds import choose

    choice = choose(cards_here())
    say(choice.told)
    for build in choice.builds:
        try:
            run(f"{what}, build {build}", *pip, "--index-url", f"{TORCH_BUILDS}{build}", torch)
            return
        except SetupFailed as error:
            say(str(error))
    if choice.builds:
        say("none of these could be had: taking torch as the package index has it")
    run(what, *pip, torch, hint=hint)


def warn_of_unused_card() -> None:
    """Say where a card is there that the installed torch cannot use."""
    from webui.hardware.graphics_cards import cards_here
    from webui.hardware.torch_builds import installed_build, unused

    build = installed_build(VENV)
    warning = "" if build else unused(cards_here(), build)  # a build for a card is trusted, so that starts are quick
    if warning:
        say(warning)


def check(*, schema: bool = False) -> int:
    """Run every check, all of them even when one fails; 0 when all are well.

    Args:
        schema: make many calls from the description of the API, too.
    """
    bin_dir = PYTHON.parent
    processes = min(6, (os.cpu_count() or 2) + 1)
    checks: dict[str, list[str | Path]] = {
        "ruff (style)": [bin_dir / "ruff", "check", "."],
        "ruff (layout)": [bin_dir / "ruff", "format", "--check", "."],
        "import-linter (layers)": [bin_dir / "lint-imports"],
        # whole files are handed to the processes, so that what a file sets up once is set up once. Tests with a browser
        # or a server wait now and then, so there is one more than there are cores; each holds a torch, a browser and
        # models of its own, hence no more than six. tests/conftest.py puts the long files first
        "pytest": [PYTHON, "-m", "pytest", "-q", "-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"],
    }
    if schema:
        calls: list[str | Path] = [
            PYTHON,
            "-m",
            "pytest",
            "-q",
            "tests/api/test_schema_fuzz.py",
            "--schema-calls",
            SCHEMA_CALLS,
        ]
        checks["schemathesis (API)"] = calls
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    failed = []
    with ThreadPoolExecutor(1) as pool:
        types = pool.submit(printed, bin_dir / "mypy")  # takes a minute at first: beside the others, told at the end
        compile_once()
        for name, command in checks.items():
            try:
                run(name, *command)
            except SetupFailed as error:
                say(str(error))
                failed.append(name)
        code, text, seconds = types.result()
    print(text, end="", flush=True)
    say(f"mypy (types): {f'failed (exit code {code})' if code else 'done'} in {seconds:.0f} s")
    failed += ["mypy (types)"] if code else []
    say("every check passed" if not failed else f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def compile_once() -> None:
    """Let Python compile every test, and all that tests load, before several processes load them at the same time:
    each would compile all of it for itself. What cannot be loaded is told by the run of the tests.
    """
    say("loading every test (compiles it once) ...")
    began = time.monotonic()
    command = [str(PYTHON), "-m", "pytest", "-qq", "--collect-only"]
    subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    say(f"loading every test: done in {time.monotonic() - began:.0f} s")


def printed(program: Path) -> tuple[int, str, float]:
    """Run a program; its exit code, what it printed, and how many seconds it took."""
    began = time.monotonic()
    ran = subprocess.run(
        [str(program)],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    return ran.returncode, ran.stdout, time.monotonic() - began


def main(arguments: list[str]) -> int:
    if sys.version_info < OLDEST:
        say(f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version.split()[0]}.")
        return 1
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--skip-install", action="store_true")
    own.add_argument("--torch-index", default=os.environ.get("WEBUI_TORCH_INDEX", ""))
    own.add_argument("--reinstall-torch", action="store_true")
    flags, _ = own.parse_known_args([*words_in_variable(), *arguments])
    _, rest = own.parse_known_args(arguments)  # the program reads the variable by itself
    task = rest[0] if rest and rest[0] in ("setup", "test", "doctor") else "start"
    if {"-h", "--help"} & set(rest):
        print(__doc__, OWN_FLAGS, sep="\n")
        if not PYTHON.exists():
            say("the other flags are listed once it is set up: python launch.py setup")
            return 0
    elif task == "doctor" and not PYTHON.exists():
        from webui.hardware.graphics_cards import cards_here
        from webui.hardware.torch_builds import choose

        say(choose(cards_here()).told)
        say("nothing is set up yet; do it with: python launch.py setup")
        return 1
    elif not flags.skip_install and task != "doctor":
        try:
            make_venv()
            requirements = "requirements-dev.txt" if task == "test" else "requirements.txt"
            install(requirements, flags.torch_index, again=flags.reinstall_torch)
            if task == "test" and "--ray" in rest:
                install(RAY, flags.torch_index)
        except SetupFailed as error:
            say(str(error))
            return 1
    if task == "setup":
        say("ready: python launch.py starts the page")
        return 0
    if task == "test" and "--mutants" in rest:
        words = [word for word in rest[1:] if word != "--mutants"]
        return subprocess.run([str(PYTHON), "-m", "tools.mutants", *words], cwd=ROOT, check=False).returncode
    if task == "test" and "--crash" in rest:
        further = [argument for argument in rest[1:] if argument != "--crash"]
        return subprocess.run([str(PYTHON), "-m", "tests.crash.long", *further], cwd=ROOT, check=False).returncode
    if task == "test" and any(word.partition("=")[0] == "--references" for word in rest):
        over_references = [
            str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "@over_" in path.read_text("utf-8")
        ]
        # each process loads the checkpoints of its cases; a case may be one of minutes
        several = ["-n", str(max(2, os.cpu_count() or 2)), "--timeout", "1800"]
        trial = [str(PYTHON), "-m", "pytest", "-q", *several, *rest[1:], *over_references]
        return subprocess.run(trial, cwd=ROOT, check=False).returncode
    if task == "test" and "--ray" in rest:
        trial = [str(PYTHON), "-m", "pytest", "-q", "tests/executors/real_ray.py"]
        return subprocess.run(trial, cwd=ROOT, check=False).returncode
    if task == "test":
        return check(schema="--schema" in rest)
    python = str(PYTHON if PYTHON.exists() else sys.executable)
    command = [python, "-m", "webui", *rest]
    os.chdir(ROOT)
    if os.name == "nt":  # exec on Windows leaves the console to two processes at once
        return subprocess.run(command, check=False).returncode
    os.execv(python, command)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
