#!/usr/bin/python3
import json
import os
import sys

answer = {"method": os.environ["REQUEST_METHOD"], "path": os.environ.get("PATH_INFO", "")}
if os.environ.get("CONTENT_TYPE") == "application/json":
    answer["got"] = json.load(sys.stdin)
print("Content-Type: application/json\n")
print(json.dumps(answer, sort_keys=True))
