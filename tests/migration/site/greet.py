#!/usr/bin/python3
import os
from html import escape
from urllib.parse import parse_qs

name = parse_qs(os.environ["QUERY_STRING"]).get("name", ["nobody"])[0]
print("Content-Type: text/html; charset=utf-8\n")
print(f"<p>Hello, {escape(name)}!</p>")
