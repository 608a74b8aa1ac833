#!/bin/sh
printf 'Status: 410 Gone\nContent-Type: text/plain\n\ngone\n'
