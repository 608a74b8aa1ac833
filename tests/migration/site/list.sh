#!/bin/sh
printf 'Content-Type: text/plain\n\n'
cd "$DATA" && ls
