#!/usr/bin/python3
import csv
import os

print("Content-Type: text/plain\n")
with open(os.path.join(os.environ["DATA"], "prices.csv"), newline="") as file:
    print("total:", sum(float(row["price"]) for row in csv.DictReader(file)))
