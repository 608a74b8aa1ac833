#!/usr/bin/python3
"""A CGI script as people write them: it takes a name from the query and prints a page."""

import html
import os
import sys
from urllib.parse import parse_qs

query = parse_qs(os.environ.get("QUERY_STRING", ""))
name = query.get("name", ["nobody"])[0]
sys.stdout.write("Content-Type: text/html; charset=utf-8\r\n\r\n")
sys.stdout.write(f"<h1>Hello, {html.escape(name)}!</h1>\n")
