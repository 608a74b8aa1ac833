#!/usr/bin/python3
print("Status: 301 Moved\nLocation: /cgi-bin/greet.py?name=moved\nContent-Type: text/plain\n\nmoved")
