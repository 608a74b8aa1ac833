#!/usr/bin/python3
import os
import sys
from urllib.parse import parse_qsl

print("Content-Type: text/plain; charset=utf-8\n")
body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0))
for name, value in parse_qsl(body.decode(), keep_blank_values=True):
    print(f"{name}: {value!r}")
