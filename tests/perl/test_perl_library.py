"""A site's own modules: found by every script, and loaded in a snapshot of the site's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from perl.cases import interpreter
from wsgi_wasm.interpreters import Additions
from wsgi_wasm.interpreters.build import build
from wsgi_wasm.interpreters.perl import INTERPRETER

SCRIPT = """\
use Shop::Prices qw(price);
print "Content-Type: text/plain\\n\\n", price('tea'), ' ', $Shop::Prices::loaded == $$ ? 'now' : 'before';
print " $INC{'Shop/Prices.pm'}";
print ' ', join(',', grep { m{^/} && !m{^/(?:zeroperl|usr/(?:local/)?share/perl)} } grep { !ref } @INC), "\\n";
"""
MODULE = """\
package Shop::Prices;
use strict;
use Exporter 'import';
our @EXPORT_OK = ('price');
our $loaded = $$;
my %prices = (tea => 3);
sub price { $prices{$_[0]} }
1;
"""
PLACE = "/usr/lib/perl/library"


@pytest.fixture
def served(tmp_path: Path, make_client: Callable[..., Client]) -> Callable[..., Client]:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.pl").write_text(SCRIPT)
    (tmp_path / "lib" / "Shop").mkdir(parents=True)
    (tmp_path / "lib" / "Shop" / "Prices.pm").write_text(MODULE)

    def serve(**additions: Any) -> Client:
        entry = {"module": "perl", "library": str(tmp_path / "lib"), **additions}
        route = {"directory": str(tmp_path / "scripts"), "interpreters": {".pl": entry}, "queue_timeout": "100s"}
        return make_client({"/": {**route, "env": {"PERL5LIB": "/first"}}})

    return serve


def test_a_library(served: Callable[..., Client]) -> None:
    interpreter()
    answer = served().get("/script.pl")
    assert answer.text == f"3 now {PLACE}/Shop/Prices.pm /first,{PLACE}\n"


@pytest.mark.corpus
def test_a_preload(served: Callable[..., Client], tmp_path: Path) -> None:
    additions = Additions(library=tmp_path / "lib", preload=("Shop::Prices", "Text::Template"))
    made = build(INTERPRETER, Path(os.environ["WSGI_WASM_CACHE"]), additions=additions)
    try:
        answer = served(preload=["Shop::Prices", "Text::Template"]).get("/script.pl")
        assert answer.text == f"3 before {PLACE}/Shop/Prices.pm /first,{PLACE}\n"
    finally:
        made.unlink()
