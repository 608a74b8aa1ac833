"""A program of the host, as good or bad as its first argument says."""

from __future__ import annotations

import os
import signal
import sys
import time


def main(how: str, *more: str) -> int:
    match how:
        case "args":
            print("|".join(more))
        case "env":
            print(*sorted(f"{name}={value}" for name, value in os.environ.items()), os.getcwd())
        case "upper":
            sys.stdout.write(sys.stdin.read().upper())
        case "status":
            return int(more[0])
        case "errors":
            print("to the log", file=sys.stderr)
            print("printed")
        case "yes":
            while True:
                os.write(1, b"y" * 65536)
        case "sleep":
            print("asleep", flush=True)
            time.sleep(60)
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print(os.getpid(), flush=True)
            time.sleep(60)
        case "daemon":
            # Leaves its group and session, as daemons do, and tells where it is.
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    with open(more[0], "w", encoding="ascii") as file:
                        file.write(str(os.getpid()))
                    time.sleep(60)
                os._exit(0)
            while not os.path.exists(more[0]) or not os.path.getsize(more[0]):
                time.sleep(0.01)
            print("done")
        case "closes":
            os.close(1)
            time.sleep(60)
        case "memory":
            print(len(bytearray(1 << 30)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
