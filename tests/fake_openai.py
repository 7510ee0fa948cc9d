"""A language model's server for tests: real HTTP, and every answer comes from a function of the request.

    with FakeServer(lambda request: '{"name": "shop"}') as server:
        settings = Settings(model="any", base_url=server.url)

The function gets the JSON of the request and answers a `Reply`, or a text. What it raises is raised again where the
server is left. Spoken are /chat/completions (also with stream=true), /embeddings and /models, and Azure's addresses.
"""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

DIMENSIONS = 64  # of an embedding


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    Attributes:
        text: the words of the answer.
        finish: why it ends; "tool_calls" of itself if there are calls.
        refusal: the reason why the model refuses.
        calls: tool calls, as (id, name, arguments).
        usage: tokens of prompt and completion; None leaves them out, as some servers do.
        extra: more keys of the message.
        status: of HTTP; other than 200 with `error` as the error object.
        error: message, param, code, type.
        headers: more of them.
        body: bytes to send as they are, instead of any of these.
        seconds: to wait before answering.
        dropped: whether the connection is closed without an answer.
    """

    text: str | None = ""
    finish: str = "stop"
    refusal: str | None = None
    calls: tuple[tuple[str, str, str], ...] = ()
    usage: tuple[int, int] | None = (10, 5)
    extra: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    error: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    seconds: float = 0.0
    dropped: bool = False


def failure(status: int, message: str, *, param: str | None = None, code: str | None = None, **headers: str) -> Reply:
    """An error of HTTP; `retry_after="1"` is the header retry-after."""
    error = {"message": message, "type": "error", "param": param, "code": code}
    return Reply(status=status, error=error, headers={name.replace("_", "-"): text for name, text in headers.items()})


def embedding(text: str) -> list[float]:
    """A vector of length 1 by the words of a text: texts that share words are near each other."""
    vector = [0.0] * DIMENSIONS
    for word in text.lower().split() or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        vector[digest[0] % DIMENSIONS] += 1 if digest[1] % 2 else -1
    length = sum(number * number for number in vector) ** 0.5 or 1.0
    return [number / length for number in vector]


Answer = Callable[[dict[str, Any]], Reply | str]
Embed = Callable[[dict[str, Any]], Reply | None]


class FakeServer:
    """The server, as a context manager.

    Args:
        answer: makes a `Reply` or a text of the JSON of a request to /chat/completions.
        embed: likewise for /embeddings; where it makes None, texts get their `embedding`.

    Attributes:
        url: what a client takes as its base URL.
        endpoint: what a client takes as its Azure endpoint.
        requests: the JSON of every request to /chat/completions, in the order of arrival.
        embedded: the inputs of every request to /embeddings.
        paths: the address of every request, with its query.
        headers: the headers of every request, with names in lower case.
        busiest: the most requests that were in flight at a time.
    """

    def __init__(self, answer: Answer, embed: Embed | None = None) -> None:
        self._answer, self._embed = answer, embed
        self.requests: list[dict[str, Any]] = []
        self.embedded: list[list[str]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.busiest = 0
        self._busy = 0
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._faults: list[BaseException] = []
        self._http = _Http(self)
        self.endpoint = f"http://127.0.0.1:{self._http.server_port}"
        self.url = f"{self.endpoint}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> "FakeServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self._faults:
            raise self._faults[0]

    def reply(self, path: str, request: dict[str, Any]) -> Reply:
        """Note a request, and make its reply."""
        with self._lock:
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        try:
            reply = self._scripted(path, request)
            self._leaving.wait(reply.seconds)
            return reply
        except BaseException as fault:
            self._faults.append(fault)
            return failure(404, f"the test's own function failed: {fault!r}")
        finally:
            with self._lock:
                self._busy -= 1

    def _scripted(self, path: str, request: dict[str, Any]) -> Reply:
        if path.endswith("/embeddings"):
            with self._lock:
                self.embedded.append(request["input"])
            made = self._embed(request) if self._embed else None
            return made or Reply(body=json.dumps(_embeddings(request)).encode())
        if not path.endswith("/chat/completions"):
            return failure(404, f"no such address: {path}")
        with self._lock:
            self.requests.append(request)
        reply = self._answer(request)
        reply = Reply(reply) if isinstance(reply, str) else reply
        return replace(reply, finish="tool_calls") if reply.calls and reply.finish == "stop" else reply

    def note(self, path: str, headers: Mapping[str, str]) -> None:
        """Note the address and the headers of a request."""
        with self._lock:
            self.paths.append(path)
            self.headers.append({name.lower(): value for name, value in headers.items()})


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: FakeServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: _Http

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.owner.note(self.path, self.headers)
        self._send(200, json.dumps({"object": "list", "data": [{"id": "fake", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.owner.note(self.path, self.headers)
        reply = self.server.owner.reply(urlsplit(self.path).path, request)
        if reply.dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif reply.body is not None:
            self._send(reply.status, reply.body, reply.headers)
        elif reply.status != 200:
            self._send(reply.status, json.dumps({"error": reply.error}).encode(), reply.headers)
        elif request.get("stream"):
            self._send(200, _stream(reply), {"content-type": "text/event-stream"})
        else:
            self._send(200, json.dumps(_completion(reply)).encode(), reply.headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.refusal is not None:
        message |= {"content": None, "refusal": reply.refusal}
    if reply.calls:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in reply.calls
        ]
    return message | dict(reply.extra)


def _usage(reply: Reply) -> dict[str, Any]:
    if reply.usage is None:
        return {}
    prompt, completion = reply.usage
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"usage": tokens}


def _completion(reply: Reply) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": reply.finish, "message": _message(reply)}
    about = {"id": "c", "object": "chat.completion", "created": 0, "model": "fake"}
    return {**about, "choices": [choice], **_usage(reply)}


def _stream(reply: Reply) -> bytes:
    about = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "fake"}
    delta = _message(reply)
    delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(delta.get("tool_calls", ()))]
    chunks = (
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish}]},
        {"choices": [], **_usage(reply)},
    )
    return b"".join(f"data: {json.dumps(about | chunk)}\n\n".encode() for chunk in chunks) + b"data: [DONE]\n\n"


def _embeddings(request: Mapping[str, Any]) -> dict[str, Any]:
    vectors = [
        {"object": "embedding", "index": number, "embedding": embedding(text)}
        for number, text in enumerate(request["input"])
    ]
    tokens = sum(len(text.split()) for text in request["input"])
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": "fake", "data": vectors, "usage": usage}
