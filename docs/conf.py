"""Sphinx's configuration: Markdown pages, nothing from the network. Build: sphinx-build -W docs build/docs"""

import re
from pathlib import Path

_VERSION = Path(__file__).parents[1] / "wsgi_wasm" / "version.py"

project = "wsgi_wasm"
author = "the wsgi_wasm authors"
copyright = author
version = release = re.findall(r'__version__ = "(.+)"', _VERSION.read_text("utf-8"))[0]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["build"]
myst_heading_anchors = 3
highlight_language = "none"

html_theme = "alabaster"
html_theme_options = {"description": "WebAssembly CGI programs behind your web server", "show_powered_by": False}
html_copy_source = False
