#!/usr/bin/python3
# Counts lines, words and bytes of the request body, like wc(1).
import os
import sys

body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0))
sys.stdout.write("Content-Type: text/plain\r\n\r\n")
sys.stdout.flush()
sys.stdout.buffer.write(b"%d %d %d\n" % (body.count(b"\n"), len(body.split()), len(body)))
