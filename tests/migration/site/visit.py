#!/usr/bin/python3
import os
from http.cookies import SimpleCookie

seen = SimpleCookie(os.environ.get("HTTP_COOKIE", "")).get("seen")
cookie = SimpleCookie()
cookie["seen"] = str(int(seen.value) + 1 if seen else 1)
cookie["seen"]["path"] = "/"
print("Content-Type: text/plain")
print(cookie)
print()
print("visits before:", seen.value if seen else 0)
