#!/usr/bin/python3
import hashlib
import os
import sys
from email.parser import BytesParser

print("Content-Type: text/plain\n")
head = b"Content-Type: " + os.environ.get("CONTENT_TYPE", "text/plain").encode() + b"\r\n\r\n"
for part in BytesParser().parsebytes(head + sys.stdin.buffer.read()).walk():
    if part.get_filename():
        data = part.get_payload(decode=True)
        print(part.get_filename(), len(data), hashlib.sha256(data).hexdigest())
