#!/bin/sh
printf 'Content-Type: text/plain\n\n%s\n' "$QUERY_STRING"
