"""Guests in processes of their own (`isolate`): the gateway keeps the request, and a child has the
engine. Read `guest.py` for the gateway's side, `spawner.py` and `child.py` for the others."""
