"""All rows of the table."""

from __future__ import annotations

from .rows_clients import CLIENTS
from .rows_found import FOUND
from .rows_guests import GUESTS
from .rows_hosts import HOSTS
from .table import by_id

ROWS = by_id(*GUESTS, *CLIENTS, *HOSTS, *FOUND)
