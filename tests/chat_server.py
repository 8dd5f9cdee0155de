"""A server on loopback that speaks the OpenAI chat protocol, or Anthropic's, and says what a test's script tells it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Said(NamedTuple):
    """An answer with its own count of tokens, as a real model gives it."""

    text: str
    tokens_in: int
    tokens_out: int
    finish: str = "stop"
    """`length` when it was cut off"""


Script = Callable[[dict[str, Any]], str | int | Said]
"""From a request's body to the answer's text, or to an HTTP status to fail with."""


class ChatServer:
    """Its address, and every request that it got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        """what each request had under Authorization"""


@contextmanager
def chat_server(script: Script) -> Iterator[ChatServer]:
    """Serve while the block runs. A plain text counts 100 tokens in and 20 out."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> object:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.requests.append(body)
            served.keys.append(self.headers["Authorization"])
            said = script(body)
            n_in, n_out = (said.tokens_in, said.tokens_out) if isinstance(said, Said) else (100, 20)
            finish = said.finish if isinstance(said, Said) else "stop"
            said = said.text if isinstance(said, Said) else said
            status = said if isinstance(said, int) else 200
            if status == 200 and body.get("stream"):
                return self._stream(body, str(said))
            message = {"role": "assistant", "content": said}
            answer: dict[str, Any] = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                "usage": {"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out},
            }
            if self.path.endswith("/messages"):
                answer = self._anthropic(body, str(said), n_in, n_out)
            data = json.dumps(answer if status == 200 else {"error": {"message": "the script says no"}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return self.wfile.write(data)

        def _anthropic(self, body: dict[str, Any], said: str, n_in: int, n_out: int) -> dict[str, Any]:
            content: dict[str, Any] = {"type": "text", "text": said}
            if forced := body.get("tool_choice", {}).get("name"):
                content = {"type": "tool_use", "id": "t1", "name": forced, "input": json.loads(said)}
            usage = {"input_tokens": n_in, "output_tokens": n_out}
            shared = {"id": "1", "type": "message", "role": "assistant", "model": body["model"]}
            return shared | {"content": [content], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}

        def _stream(self, body: dict[str, Any], said: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            head = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
            pieces = [said[i : i + 7] for i in range(0, len(said), 7)]
            deltas = [{"content": piece} for piece in pieces]
            for delta in deltas:
                self._event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            self._event(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
            self._event(head | {"choices": [], "usage": usage})
            self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, value: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = ChatServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
