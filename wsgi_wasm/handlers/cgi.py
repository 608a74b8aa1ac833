"""CGI programs (RFC 3875): meta-variables and body in, head and body out, a fresh instance each time."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.admission import Admission
from wsgi_wasm.answer import Answer
from wsgi_wasm.body import Body, read_body
from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.cgi.metavars import MetaVariables
from wsgi_wasm.cgi.query import query_arguments
from wsgi_wasm.config.model import Dir, Interpreter, Route
from wsgi_wasm.engine.guest import Guest, Linked, Preopen
from wsgi_wasm.engine.modules import Module, ModuleStore
from wsgi_wasm.engine.outcome import Outcome
from wsgi_wasm.request import LocalRedirect, Request
from wsgi_wasm.scripts import find_script
from wsgi_wasm.stderr import ErrorLog
from wsgi_wasm.wsgi_server import Connection

log = logging.getLogger("wsgi_wasm.gateway")

MODULE_SUFFIXES = (".wasm", ".wat")
_KEPT_PROGRAMS = 1024  # programs of a directory route whose linking is remembered


class Program:
    """A module with what one route grants it: run for every request that names it."""

    def __init__(
        self, module: Module, route: Route, arguments: Sequence[str], dirs: Sequence[Dir], variables: MetaVariables
    ) -> None:
        self.module = module
        self.variables = variables
        self.arguments = tuple(os.fsencode(text) for text in (module.path.name, *arguments))
        self._limits = route.limits
        self._preopens = tuple(Preopen(os.fsencode(d.guest), os.fsencode(d.host), d.writable) for d in dirs)
        self._guest: Guest | None = None

    def guest(self, wait: float) -> Guest:
        """The guest, linked anew when its module has changed. Raises ModuleError, Unavailable."""
        linked: Linked = self.module.get(wait)
        guest = self._guest
        if guest is None or guest.linked is not linked:
            guest = self._guest = Guest(linked, self._limits, self._preopens)
        return guest


class Invocation(NamedTuple):
    """What a request asks to run: the program, and what its path means to it."""

    program: Program
    script_name: str
    path_info: str
    script_filename: str | None


class CgiHandler:
    """Serves one route. Everything that does not depend on the request is worked out here, once."""

    def __init__(self, route: Route, modules: ModuleStore) -> None:
        self.route = route
        self.name = route.name
        self.methods = frozenset(route.methods) if route.methods is not None else None
        self.local_redirects = frozenset(f"{route.host or ''}{path}" for path in route.local_redirects)
        self._modules = modules
        self._limits = route.limits
        self._allowed = frozenset(name.lower() for name in route.response_fields)
        self._admission = (
            Admission(route.limits.concurrency, route.limits.queue_timeout) if route.limits.concurrency else None
        )
        self._document_root = route.document_root or ("/" if route.directory is not None else None)
        self._variables = self._prepare(route.env)
        self._programs: OrderedDict[tuple[Path, str], Program] = OrderedDict()
        self._changing = threading.Lock()
        self._directory = Path(os.path.realpath(route.directory)) if route.directory is not None else None
        self._suffixes = frozenset((*MODULE_SUFFIXES, *route.interpreters))
        self._program = (
            Program(modules.module(route.module), route, route.args, route.dirs, self._variables)
            if route.module is not None
            else None
        )

    def modules(self) -> list[Path]:
        """The module files that are known before a request comes."""
        known = [interpreter.module for interpreter in self.route.interpreters.values()]
        return known if self.route.module is None else [self.route.module, *known]

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """Run the request's program. Raises RequestError for what becomes a status, Cut where the answer broke off."""
        return self.run(request, self._find(request))

    def serve_file(self, request: Request, file: Path) -> Iterable[bytes] | LocalRedirect:
        """The same for a module file that the front server has chosen (a dropped-in file)."""
        program = self._remembered(file, "", lambda: self._direct(file))
        filename = guest_path(file, self.route.dirs)
        return self.run(request, Invocation(program, request.script_name, request.path_info, filename))

    # --- which program ---

    def _prepare(self, env: Mapping[str, str]) -> MetaVariables:
        route = self.route
        return MetaVariables(
            env=env,
            pass_env=route.pass_env,
            pass_headers=route.pass_headers,
            pass_authorization=route.pass_authorization,
            document_root=self._document_root,
        )

    def _find(self, request: Request) -> Invocation:
        if self._program is not None:
            filename = guest_path(self._program.module.path, self.route.dirs)
            return Invocation(self._program, request.script_name, request.path_info, filename)
        assert self._directory is not None
        script = find_script(self._directory, request.path_info, self.route.index, self._suffixes)
        interpreter = self.route.interpreters.get(script.file.suffix)
        if interpreter is None:
            program = self._remembered(script.file, "", lambda: self._direct(script.file))
        else:
            program = self._remembered(script.file, script.name, lambda: self._interpreted(interpreter, script.name))
        return Invocation(program, request.script_name + script.wsgi_name, script.path_info, script.name)

    def _direct(self, file: Path) -> Program:
        return Program(self._modules.module(file), self.route, self.route.args, self.route.dirs, self._variables)

    def _interpreted(self, interpreter: Interpreter, script: str) -> Program:
        arguments = [argument.replace("{script}", script) for argument in interpreter.args]
        assert self._directory is not None
        # The scripts are what an interpreter reads, so it sees them as the root of its file system.
        dirs = (Dir(guest="/", host=self._directory, writable=False), *self.route.dirs, *interpreter.dirs)
        variables = self._prepare({**self.route.env, **interpreter.env})
        return Program(self._modules.module(interpreter.module), self.route, arguments, dirs, variables)

    def _remembered(self, file: Path, script: str, make: Callable[[], Program]) -> Program:
        key = (file, script)
        program = self._programs.get(key)
        if program is None:
            with self._changing:
                program = self._programs.get(key)
                if program is None:
                    program = self._programs[key] = make()
                    if len(self._programs) > _KEPT_PROGRAMS:
                        self._programs.popitem(last=False)
        return program

    # --- running it ---

    def run(self, request: Request, invocation: Invocation) -> Iterable[bytes] | LocalRedirect:
        """Body in, guest, answer out."""
        limits = self._limits
        guest = invocation.program.guest(limits.queue_timeout)
        body = read_body(request.environ, limits.max_body, limits.body_timeout, self.route.stream_request)
        errors = ErrorLog(self.route.name, request.identity, limits.max_stderr)
        parser = HeadParser(limits.max_head, self._allowed)
        answer = Answer(request, parser, Connection(request.environ), limits.send_timeout, errors)
        try:
            environment = invocation.program.variables.build(
                request.environ,
                script_name=invocation.script_name,
                path_info=invocation.path_info,
                request_id=request.identity,
                content_length=body.length if body is not None else None,
                script_filename=invocation.script_filename,
                streamed_body=body is not None,
            )
            arguments = invocation.program.arguments
            if self.route.query_args:
                arguments += query_arguments(request.environ.get("QUERY_STRING", ""))
            outcome = self._admitted(guest, arguments, environment, body, answer, request.spent)
        finally:
            errors.close()
            if body is not None:
                body.close()
        self._note(request, outcome)
        result = answer.finish(outcome)
        self._report(request, outcome, answer)
        head = answer.head
        if head is not None and head.local_redirect is not None:
            spent = (request.spent[0] + outcome.wall, request.spent[1] + outcome.cpu)
            return LocalRedirect(head.local_redirect, spent)
        return result

    def _admitted(
        self,
        guest: Guest,
        arguments: Sequence[bytes],
        environment: Sequence[bytes],
        body: Body | None,
        answer: Answer,
        spent: tuple[float, float],
    ) -> Outcome:
        """Admission comes before instantiation: a full pool is a 503, never an error of the engine."""
        admission, engine = self._admission, guest.linked.engine
        if admission is not None:
            admission.enter()
        try:
            slot = engine.take_slot(self._limits.queue_timeout)
            try:
                return guest.run(slot, arguments, environment, body.stream if body else None, answer, spent)
            finally:
                engine.slots.put(slot)
        finally:
            if admission is not None:
                admission.leave()

    def _note(self, request: Request, outcome: Outcome) -> None:
        """Fields for the server's access log, gunicorn's `%({wsgi_wasm.cpu_us}e)s` for one."""
        environ = request.notes
        environ["wsgi_wasm.route"] = self.route.name
        environ["wsgi_wasm.outcome"] = outcome.end.name.lower()
        environ["wsgi_wasm.cpu_us"] = int(outcome.cpu * 1e6)
        environ["wsgi_wasm.guest_us"] = int(outcome.wall * 1e6)

    def _report(self, request: Request, outcome: Outcome, answer: Answer) -> None:
        """What an operator should know of an answer that went out."""
        if outcome.code:
            log.warning("%s [%s] the guest %s", self.route.name, request.identity, outcome)
        if answer.mismatch is not None:
            log.warning("%s [%s] %s", self.route.name, request.identity, answer.mismatch)


def guest_path(file: Path, dirs: Sequence[Dir]) -> str | None:
    """Where a guest with these directories sees a file of the host; None where it does not."""
    best: tuple[int, str] | None = None
    for d in dirs:
        if file.is_relative_to(d.host):
            depth = len(d.host.parts)
            if best is None or depth > best[0]:
                best = (depth, f"{d.guest.rstrip('/')}/{file.relative_to(d.host).as_posix()}")
    return best[1] if best is not None else None
