#!/usr/bin/python3
from house import style

print("Content-Type: text/html\n")
print(style.page("From a module beside the script"))
