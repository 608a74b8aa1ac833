"""A handler of wasi:http in Python: says what is posted, and hashes it piece by piece while it comes."""

import hashlib
import json

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.environment import get_environment
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam

PIECE = 65536


class IncomingHandler(exports.IncomingHandler):
    """The component's one export."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        """Answers one request."""
        algorithm = dict(get_environment()).get("ALGORITHM", "sha256")
        digest = hashlib.new(algorithm)
        size = 0
        with request.consume() as body, body.stream() as pieces:
            while True:
                try:
                    piece = pieces.blocking_read(PIECE)
                except Err as error:
                    if not isinstance(error.value, StreamError_Closed):
                        raise
                    break
                size += len(piece)
                digest.update(piece)
        answer = {"path": request.path_with_query(), "bytes": size, algorithm: digest.hexdigest()}
        send(response_out, json.dumps(answer).encode() + b"\n")


def send(response_out: ResponseOutparam, text: bytes) -> None:
    """A JSON answer."""
    response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        stream.blocking_write_and_flush(text)
    OutgoingBody.finish(body, None)
