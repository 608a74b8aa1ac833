"""What Perl is built of: the archive of its library, Debian's packages, and the files that call for a new one."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from wsgi_wasm.interpreters import debian_modules, perl5, zeroperl
from wsgi_wasm.interpreters.perl import INTERPRETER, SOURCES
from wsgi_wasm.interpreters.perl5 import library


def test_the_archive_has_every_file_and_equal_ones_once() -> None:
    files = {"/b.pm": b"1;\n", "/a.pm": b"package a;\n", "/zoneinfo/UTC": b"1;\n"}
    data = library.archive(files)
    (count,) = struct.unpack_from("<I", data)
    entries = [struct.unpack_from("<III", data, 4 + 12 * place) for place in range(count)]
    names = [data[name : data.index(b"\0", name)].decode() for name, _, _ in entries]
    assert names == sorted(files)
    assert {name: data[at : at + size] for name, (_, at, size) in zip(names, entries, strict=True)} == files
    assert data.count(b"1;\n") == 1


def test_documentation_at_the_end_is_left_out(tmp_path: Path) -> None:
    module = tmp_path / "It.pm"
    module.write_text("package It;\n1;\n__END__\n\n=head1 NAME\n\nIt\n")
    assert library.text_of(module) == b"package It;\n1;\n__END__\n"
    module.write_text("package It;\nour $data = join '', <DATA>;\n1;\n__DATA__\nkept\n\n=head1 NAME\n")
    assert library.text_of(module) == module.read_bytes()


def test_what_calls_for_another_interpreter_calls_for_another_module() -> None:
    of_npm = (SOURCES, Path(zeroperl.__file__))
    for source in INTERPRETER.sources:
        files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
        if source not in of_npm:
            assert {file for file in files if file.suffix != ".pyc"} <= set(perl5.inputs())
    assert perl5.ZONES in INTERPRETER.packages


def test_apt_is_understood_whatever_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert debian_modules.package_of_perl([]).startswith("perl-modules-5.")
