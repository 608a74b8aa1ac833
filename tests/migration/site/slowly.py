#!/usr/bin/python3
print("Content-Type: text/plain\n", flush=True)
for number in range(5):
    print("part", number, flush=True)
