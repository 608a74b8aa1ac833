"""Names that others chose, in everything that a command reads: each is shown on one line, and a terminal obeys none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from .conftest import TIMEOUT, command_line, environment

EVIL = "e\nFORGED line\r\x1b[31m\x1b]0;x\x07 \x9b31m \x7f \x85 \u2028 \u202e \u2066 \u200b \ufeff\U000e0041 z"
EVIL_FILE = EVIL + "\udcff"  # a byte that is no text
YAML = "e\\nFORGED line\\r\\e[31m \\x9b31m \\x7f \\u2028 \\u202e \\u200b z"
TOML = "e\\nFORGED line\\r\\u001b[31m \\u009b31m \\u007f \\u2028 \\u202e \\u200b z"


def wat(data: bytes) -> str:
    """Bytes as they stand in a text of WebAssembly."""
    return "".join(f"\\{byte:02x}" for byte in data)


WAT = wat(EVIL.encode())


def check(output: bytes, known: Sequence[str] = ()) -> None:
    """Lines that a terminal shows as they are, none of which somebody else began."""
    text = output.decode("utf-8")
    for line in text.split("\n"):
        assert line.replace("\t", "").isprintable(), line
        assert not line.lstrip().startswith("FORGED"), line
    for word in known:
        assert word in text


def saying(output: bytes, errors: bytes) -> str:
    """Writes these bytes to standard output and standard error."""
    sizes = wat(b"".join(number.to_bytes(4, "little") for number in (32, len(output), 4096, len(errors))))
    return f"""(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "{sizes}")
      (data (i32.const 32) "{wat(output)}") (data (i32.const 4096) "{wat(errors)}")
      (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0x3000)))
        (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 0x3000)))))"""


def trapping(name: str) -> str:
    """A module whose start function has this name, in its section of names (core specification, 7.4.1)."""
    names = bytes([1, 0, len(name.encode())]) + name.encode()
    section = bytes([1, len(names)]) + names
    return f"""(module (memory (export "memory") 1) (func (export "_start") unreachable)
      (@custom "name" "{wat(section)}"))"""


def module_importing(path: Path) -> None:
    path.write_text(f'(module (import "{WAT}" "{WAT}" (func)) (memory (export "memory") 1) (func (export "_start")))')


def files(tmp: Path) -> None:
    """A site of hostile modules and scripts, a Spin application and a project of workers."""
    programs = tmp / "programs"
    programs.mkdir()
    module_importing(tmp / "imports.wat")
    (tmp / "exports.wat").write_text(f'(module (memory (export "memory") 1) (func (export "{WAT}")))')
    (tmp / "traps.wat").write_text(trapping(EVIL))
    (tmp / "syntax.wat").write_text(f'(module (func (call $"{WAT}")))')
    (tmp / "garbage.wasm").write_bytes(b"\0asm\1\0\0\0" + EVIL.encode())
    (tmp / "component.wat").write_text('(component (import "a:b/c@0.1.0" (instance (export "f" (func)))))')
    (tmp / "prints.wat").write_text(saying(b"A: b\n\nx", "e\nFORGED\x1b[31m\x9b31m\u202e z\n".encode()))
    (tmp / "head.wat").write_text(saying(b"Bad\x1b[31m name: x\r\nFORGED\n\n", EVIL.encode()))
    (programs / f"{EVIL_FILE}.wat").write_text("(module (unknown))")
    (programs / "ok.wat").write_text(saying(b"A: b\n\nok", b""))
    os.symlink("/nonexistent", programs / f"{EVIL_FILE}link.wasm")


SITE = """\
routes:
  /imports: {module: imports.wat}
  /exports: {module: exports.wat}
  /traps: {module: traps.wat}
  /syntax: {module: syntax.wat}
  /garbage: {module: garbage.wasm}
  /component: {module: component.wat}
  /prints: {module: prints.wat}
  /head: {module: head.wat}
  /p: {directory: programs}
"""

BROKEN = f"""\
routes:
  "/{YAML}": {{module: x.wasm, "{YAML}": 1}}
  /a: {{module: "{YAML}.wasm", methods: ["{YAML}"], timeout: "{YAML}", env: {{"{YAML}": "{YAML}"}}}}
  /b: {{module: x.wasm, dirs: {{"/{YAML}": "{YAML}"}}, allowed_outbound_hosts: ["{YAML}"], redis: ["{YAML}"]}}
  /c: {{spin: "{YAML}", local_redirects: ["{YAML}"], key_value: {{"{YAML}": "{YAML}"}}, variables: {{"{YAML}": "x"}}}}
hosts: {{"{YAML}": {{routes: {{}}}}}}
"{YAML}": 1
engine: {{features: ["{YAML}"]}}
"""

MISSING = f"""\
routes:
  /a: {{module: "{YAML}.wasm"}}
  /b: {{module: imports.wat, env: {{A: "{YAML}"}}, dirs: {{"/x": "{YAML}"}}}}
"""

SPIN = f"""\
spin_manifest_version = 2
[application]
name = "{TOML}"
version = "{TOML}"
"{TOML}" = 1
[variables]
v = {{ default = "{TOML}" }}
[[trigger.http]]
id = "{TOML}"
route = "/{TOML}"
component = "{TOML}"
[[trigger.http]]
route = "/a/..."
component = "a"
[component.a]
source = "{TOML}.wasm"
allowed_outbound_hosts = ["{TOML}", "http://{{{{ {TOML} }}}}"]
key_value_stores = ["{TOML}"]
files = ["{TOML}", {{ source = "{TOML}", destination = "{TOML}" }}]
[component.a.variables]
x = "{{{{ {TOML} }}}}"
[component."{TOML}"]
source = {{ url = "{TOML}", digest = "{TOML}" }}
"""

# Hostile where anything may stand.
VALID = f"""\
spin_manifest_version = 2
[application]
name = "shop"
description = "{TOML}"
authors = ["{TOML}"]
[variables]
v = {{ default = "{TOML}" }}
[[trigger.http]]
id = "{TOML}"
route = "/a/..."
component = "a"
[[trigger.http]]
id = "static"
route = "/s"
static_response = {{ body = "{TOML}" }}
[component.a]
source = "a.wasm"
description = "{TOML}"
environment = {{ A = "{TOML}" }}
exclude_files = ["{TOML}"]
ai_models = ["{TOML}"]
[component.a.variables]
x = "{TOML}"
[component.a.build]
command = "{TOML}"
"""

COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "a site": (
        ("check", "site.yaml"),
        ("check", "--json", "site.yaml"),
        ("compile", "site.yaml"),
        *(("run", "site.yaml", f"/{name}") for name in ("imports", "exports", "traps", "syntax", "prints", "head")),
        ("run", "site.yaml", f"/p/{EVIL}"),
        ("run", "site.yaml", f"/p/{EVIL}.wat"),
        ("run", "site.yaml", "/p/ok.wat", "-X", "A\x1bB"),
        ("run", "site.yaml", "/p/ok.wat", "-H", "User-Agent: a\x1b[31mb"),
        ("run", "site.yaml", "/p/ok.wat", "-H", f"Host: {EVIL}"),
        ("run", "site.yaml", "/p/ok.wat", "--host", EVIL),
    ),
    "what is broken": (("check", "broken.yaml"), ("check", "--json", "broken.yaml"), ("serve", "broken.yaml")),
    "what is missing": (("check", "missing.yaml"), ("compile", "missing.yaml"), ("run", "missing.yaml", "/a")),
    "names of files": (
        *((command, f"{EVIL}.yaml") for command in ("check", "compile", "serve")),
        ("compile", f"{EVIL_FILE}.wasm"),
        ("check", f"{EVIL_FILE}.wat"),
        ("run", f"{EVIL_FILE}.wat", "/"),
        ("serve", f"{EVIL_FILE}"),
        ("build", f"{EVIL_FILE}.c", "-o", "out.wasm"),
        ("cache", "list", "--cache", EVIL_FILE),
        ("interpreter", "list", "--cache", EVIL_FILE),
        ("interpreter", "build", EVIL),
        (EVIL,),
        ("check", f"--{EVIL}"),
    ),
    "Spin": (
        ("check", "spin.toml"),
        ("compile", "spin.toml"),
        ("import", "spin", "spin.toml"),
        ("import", "spin", f"{EVIL_FILE}/spin.toml"),
        ("import", "spin", "spin.toml", "-o", f"{EVIL_FILE}/x.yaml"),
        *((command, "valid/spin.toml") for command in ("check", "compile")),
        ("import", "spin", "valid/spin.toml"),
        ("run", "valid/spin.toml", f"/{EVIL}"),
        ("run", "valid/spin.toml", f"/a/{EVIL}"),
    ),
    "workers": (("import", "wws", "workers"), ("check", "workers.yaml"), ("run", "workers.yaml", f"/{EVIL}")),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    files(tmp_path)
    for name, text in {"site": SITE, "broken": BROKEN, "missing": MISSING}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "spin.toml").write_text(SPIN, encoding="utf-8")
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "spin.toml").write_text(VALID, encoding="utf-8")
    (tmp_path / "valid" / "a.wasm").write_bytes(b"\0asm\1\0\0\0" + EVIL.encode())
    (tmp_path / "valid" / EVIL_FILE).write_bytes(b"")
    workers = tmp_path / "workers"
    (workers / EVIL_FILE).mkdir(parents=True)
    (workers / EVIL_FILE / "index.wat").write_text("(module)")
    (workers / f"{EVIL_FILE}.wasm").write_bytes(b"\0asm\1\0\0\0")
    (workers / f"{EVIL_FILE}.toml").write_text(
        f'name = "{TOML}"\nversion = "1"\n[vars]\n"{TOML}" = "{TOML}"\n[[folders]]\nfrom = "{TOML}"\nto = "{TOML}"'
    )
    (tmp_path / "workers.yaml").write_text("routes: {/: {directory: workers, interface: wws}}")
    (tmp_path / f"{EVIL_FILE}.wat").write_text("(module (unknown))")
    return tmp_path


def run(place: Path, *arguments: str) -> bytes:
    done = subprocess.run(
        command_line(*arguments),
        cwd=place,
        env=environment(None, {"NO_COLOR": "1", "PYTHONUTF8": "1"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert b"this is a bug" not in done.stderr, done.stderr.decode("utf-8", "replace")
    assert done.returncode in (0, 1, 2)
    return done.stdout + b"\n" + done.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", COMMANDS)
def test_names_that_others_chose(place: Path, what: str) -> None:
    for arguments in COMMANDS[what]:
        check(run(place, *arguments))


def test_a_trap_names_a_hostile_function(place: Path) -> None:
    check(run(place, "run", "site.yaml", "/traps"), ["unreachable instruction", "e\\x0aFORGED line"])


def test_what_a_guest_prints_is_escaped(place: Path) -> None:
    check(run(place, "run", "site.yaml", "/prints"), ["e", "FORGED\\x1b[31m\\x9b31m\\u202e z"])
