"""Programs that other projects test their own runtimes with, under the gateway: `python -m tests.upstream --help`."""
