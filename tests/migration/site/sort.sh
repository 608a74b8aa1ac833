#!/bin/sh
printf 'Content-Type: text/plain\n\n'
tail -n +2 "$DATA/prices.csv" | sort -t, -k2 -n
