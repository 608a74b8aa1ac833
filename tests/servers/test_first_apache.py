"""docs/first-apache.md, as it is written: with this machine's httpd in directories of the test's own, and from nothing
in a Debian that was made for it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import walk

from .fixtures import PROJECT
from .packages import package_parent
from .test_apache_enable import serving

PAGE = PROJECT / "docs" / "first-apache.md"
INSTALL = "Install"
OF_THE_MACHINE = ("a2enmod ", "apachectl ")


def test_the_page_with_a_server_of_the_tests(open_tmp: Path) -> None:
    with serving(open_tmp) as place:
        command = open_tmp / "bin" / "wsgi-wasm"
        command.parent.mkdir()
        own = f"--conf-dir {place.etc} --apachectl {open_tmp / 'apachectl'}"
        command.write_text(
            f"""#!/bin/sh
            [ "$1" = apache ] && set -- "$@" {own}
            [ "$2" = enable ] && set -- "$@" --python-home {place.apache.python_home}
            exec {sys.executable} -P -m wsgi_wasm "$@"
            """
        )
        command.chmod(0o755)
        places = {
            "/opt/wsgi-wasm/bin/wsgi-wasm": str(command),
            "/usr/lib/cgi-bin": str(place.bin),
            "/etc/wsgi-wasm": str(open_tmp / "etc-wasm"),
            "/srv/wasm": str(open_tmp / "modules"),
            "http://localhost": f"http://127.0.0.1:{place.apache.port}",
        }
        text = PAGE.read_text("utf-8")
        for written, ours in places.items():
            assert written in text
            text = text.replace(written, ours)
        environ = {**os.environ, "PYTHONPATH": str(package_parent())}
        taken = [step for step in walk.steps(text) if step.heading != INSTALL]
        assert len(taken) == 4
        for step in taken:
            lines = [line for line in step.commands.splitlines() if not line.startswith(OF_THE_MACHINE)]
            walk.take(replace(step, commands="\n".join(lines)), environ, open_tmp)


@pytest.mark.corpus
def test_the_page_from_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The time is printed, and bounds nothing."""
    machine = PROJECT / ".ci" / "fresh-machine"
    if subprocess.run([machine, "--prepare"], check=False).returncode:
        pytest.skip("no fresh Debian can be made here")
    done = subprocess.run(
        [machine, "python3", "-m", "tests.walk", PAGE.relative_to(PROJECT)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    with capfd.disabled():
        print(f"\n{done.stdout}")
    assert done.returncode == 0


def test_what_a_page_says() -> None:
    """Blocks of other languages are not run, and a block without an answer is a step too."""
    text = "# A\n```sh\none\n```\nor\n```yaml\nno\n```\n## B\n```sh\ntwo\nthree\n```\n```text\nx\n```\n"
    text += "```text\nno\n```\n"
    assert list(walk.steps(text)) == [walk.Step("A", "one\n"), walk.Step("B", "two\nthree\n", ("x",))]
    assert not walk.missing(["a", "c"], "a\nb\nc\n")
    assert walk.missing(["c", "a"], "a\nb\nc\n") == "a"
    with pytest.raises(walk.StepError, match="status 3"):
        walk.take(walk.Step("A", "exit 3\necho x"), dict(os.environ))
