#!/usr/bin/env python3
"""Sets up `.venv` and serves the first example: `python3 quickstart.py`, then `curl http://127.0.0.1:8000/hello`.

Needs Python 3.11 or newer and nothing else. Arguments go to `wsgi-wasm serve`:
`python3 quickstart.py --bind 127.0.0.1:9000`.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - said here, before pip says it at length
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    if not PYTHON.exists() or subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode:
        print(f"making {ENVIRONMENT}", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT]).returncode:
            sys.exit("this Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv")
    print("installing wsgi_wasm and what it needs", flush=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT)], check=True)
    site = ROOT / "examples" / "hello" / "site.yaml"
    command = [str(ENVIRONMENT / "bin" / "wsgi-wasm"), "serve", str(site), *sys.argv[1:]]
    os.chdir(ROOT)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
