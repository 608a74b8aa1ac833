#!/usr/bin/env python3
import cgi
import html
import os
import sys

form = cgi.FieldStorage()
name = form.getfirst("name", "stranger")

print("Content-Type: text/html; charset=utf-8")
print("Set-Cookie: visited=yes; Path=" + os.environ.get("SCRIPT_NAME", "/"))
print()
print("<h1>Hello, %s!</h1>" % html.escape(name))
print("<p>You used %s.</p>" % os.environ["REQUEST_METHOD"])
if "upload" in form and form["upload"].filename:
    data = form["upload"].file.read()
    print("<p>%s has %d bytes.</p>" % (html.escape(form["upload"].filename), len(data)))
