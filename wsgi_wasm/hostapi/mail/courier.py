"""The thread that hands on what waits in a spool: one for each process and spool, begun with the
first message, or at the start where something was left."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from wsgi_wasm.config.granted import Mail
from wsgi_wasm.errors import UntrustedFile
from wsgi_wasm.hostapi.mail.delivery import Handing, NoServer, Refused, handing
from wsgi_wasm.hostapi.mail.spool import MailSpool, Waiting
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped, listed

log = package_log("mail")

_LOOK = 1.0  # seconds between two looks while something waits
_REST = 30.0  # the same while nothing does: another process may have ended and left something
_LONGEST_PAUSE = 3600.0  # seconds between two tries


class Courier:
    """Of one spool. `mail` may be replaced, by what a new configuration has."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._swept = False

    def wake(self) -> None:
        """Something waits, or may wait."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="wsgi_wasm-mail", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError as error:
                        log.error("mail waits, as no thread can be started for it: %s", error)
                        return
                    self._thread = thread
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            pause = _REST
            try:
                spool = MailSpool(self.mail.spool)
                if not self._swept:
                    self._swept = True
                    spool.sweep()
                self._round(spool)
                pause = _REST if spool.is_empty() else _LOOK
            except (OSError, UntrustedFile) as error:
                log.error("mail waits, as its spool cannot be used: %s", error)
            except Exception:
                log.exception("mail waits, as handing it on has failed")
            self._wake.wait(pause)

    def _round(self, spool: MailSpool) -> None:
        way: Handing | None = None
        try:
            for name in spool.due():
                with spool.taken(name) as waiting:
                    if waiting is None:
                        continue
                    way = way or handing(self.mail)
                    try:
                        self._settle(spool, waiting, way.hand(waiting))
                    except NoServer as error:
                        self._settle(spool, waiting, dict.fromkeys(waiting.tries.recipients, (False, str(error))))
                        # The others wait for the same server; the next look tries the next of them.
                        return
        finally:
            if way is not None:
                way.close()

    def _settle(self, spool: MailSpool, waiting: Waiting, refused: Refused) -> None:
        """Keep what came of a try. Raises OSError."""
        tries = waiting.tries
        tries.times += 1
        late = time.time() - waiting.made > self.mail.expires
        why = ""
        left = []
        for address, (for_good, said) in refused.items():
            if for_good or late:
                tries.refused[address] = said if for_good else f"not taken for {self.mail.expires:g} s: {said}"
            else:
                left.append(address)
                why = said
        tries.recipients = left
        about = f"{waiting.name} of {waiting.route}, from {waiting.sender}"
        if left:
            pause = min(self.mail.retry * 2 ** min(tries.times - 1, 20), _LONGEST_PAUSE)
            spool.later(waiting, pause)
            log.warning("mail %s to %s waits for %g s: %s", about, listed(left), pause, escaped(why))
            return
        kept = spool.done(waiting)
        if kept is not None:
            texts = [f"{address} ({escaped(text)})" for address, text in tries.refused.items()]
            log.error("mail %s was refused for %s; it is kept as %s", about, listed(texts), kept)
        else:
            log.info("mail %s was handed on", about)


_couriers: dict[Path, Courier] = {}
_making = threading.Lock()


def courier_of(mail: Mail) -> Courier:
    """The one of this process and spool."""
    with _making:
        courier = _couriers.get(mail.spool)
        if courier is None:
            courier = _couriers[mail.spool] = Courier(mail)
        courier.mail = mail
        return courier


def _forget() -> None:
    """After a fork: threads are the parent's."""
    global _making
    _couriers.clear()
    _making = threading.Lock()


os.register_at_fork(after_in_child=_forget)
