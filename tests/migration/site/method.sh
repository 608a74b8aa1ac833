#!/bin/sh
printf 'Content-Type: text/plain\nX-Method: %s\n\n%s %s\n' "$REQUEST_METHOD" "$SCRIPT_NAME" "$PATH_INFO"
