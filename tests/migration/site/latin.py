#!/usr/bin/python3
import sys

sys.stdout.buffer.write(b"Content-Type: text/plain; charset=iso-8859-1\n\nStra\xdfe\n")
