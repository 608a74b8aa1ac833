#!/usr/bin/python3
raise ValueError("no head was printed")
