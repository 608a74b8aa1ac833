#!/usr/bin/python3
import calendar
import os

year, month = os.environ["QUERY_STRING"].split("-")
print("Content-Type: text/plain\n")
print(calendar.TextCalendar().formatmonth(int(year), int(month)))
