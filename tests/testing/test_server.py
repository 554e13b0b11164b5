"""The scripted server, driven with raw sockets, httpx and the OpenAI SDK: what it says is what the wire carries."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from magma.testing import server as module
from magma.testing.fault import Fault
from magma.testing.faults import FAULTS
from magma.testing.server import (
    Close,
    Hang,
    Ping,
    Received,
    Reply,
    Reset,
    Server,
    Wait,
    anthropic_events,
    chat_chunks,
)

PLAYED = [
    (fault, stream) for fault in FAULTS.values() for stream in (False, True) if fault.only != ("stream", "call")[stream]
]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running
        assert running.errors == []


def connect(server: Server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5)


def ask(server: Server, path: str = "/v1/chat/completions", *headers: str, body: bytes = b"{}") -> socket.socket:
    """A socket on which one request was sent."""
    lines = [f"POST {path} HTTP/1.1", "host: test", f"content-length: {len(body)}", *headers]
    client = connect(server)
    client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return client


def read_all(client: socket.socket) -> bytes:
    """Everything up to the FIN."""
    with client:
        return b"".join(iter(lambda: client.recv(1 << 20), b""))


def sdk(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test", max_retries=0, timeout=5)


def test_a_keep_alive_client_uses_one_connection(server: Server) -> None:
    """Requests on one client arrive on one connection, whatever the framing of the replies."""
    server.enqueue(Reply.chat(), Reply.stream(), Reply.error(503), Reply.stream().packed())
    with httpx.Client() as client:
        statuses = [client.post(f"{server.url}/x", json={}).status_code for _ in range(4)]
    assert (statuses, server.connections, len(server.requests)) == ([200, 200, 503, 200], 1, 4)
    assert server.wait_for(lambda s: s.open_connections == 0 and s.in_flight == 0)
    assert server.disconnects == 0


def test_connection_close_is_obeyed(server: Server) -> None:
    """A client that asks for the end of the connection gets it after the reply."""
    assert read_all(ask(server, "/v1/models", "connection: close")).startswith(b"HTTP/1.1 200 OK\r\n")


def test_replies_come_in_the_order_of_the_queue_and_then_from_the_default(server: Server) -> None:
    """The queue is used up first; the default answers for ever."""
    server.enqueue(Reply.text("one"), lambda received: Reply.text(received.path))
    server.default = Reply.text("rest")
    assert [httpx.get(f"{server.url}/two").text for _ in range(4)] == ["one", "/two", "rest", "rest"]


def test_the_longest_route_goes_before_the_queue(server: Server) -> None:
    """Routes match by prefix, the most specific first, and leave the queue alone."""
    server.on("/a", Reply.text("a"))
    server.on("/a/b", lambda received: Reply.text("b"))
    server.enqueue(Reply.text("queue"))
    assert [httpx.get(server.url + path).text for path in ("/a/b/c", "/a/c", "/other")] == ["b", "a", "queue"]


def test_a_request_is_recorded_as_it_arrived(server: Server) -> None:
    """Method, path, query, lower-case headers, body and time."""
    before = time.monotonic()
    httpx.put(f"{server.url}/v1/thing?a=1&b", json={"x": "ü"}, headers={"X-Odd": "Yes"})
    (seen,) = server.requests
    assert (seen.method, seen.path, seen.query, seen.headers["x-odd"]) == ("PUT", "/v1/thing", "a=1&b", "Yes")
    assert seen.json() == {"x": "ü"}
    assert before <= seen.at <= time.monotonic()


def test_a_chunked_request_body_is_put_together(server: Server) -> None:
    """Clients that stream their body are understood."""
    httpx.post(f"{server.url}/x", content=iter([b"one ", b"two"]))
    assert server.requests[0].body == b"one two"


def test_a_request_in_pieces_and_two_in_one_are_both_understood(server: Server) -> None:
    """Where the client's writes end does not matter; pipelined requests are answered in order."""
    server.enqueue(Reply.text("1").after(0.01), Reply.text("2"))
    request = b"GET /x HTTP/1.1\r\n\r\n"
    client = connect(server)
    for byte in request:
        client.sendall(bytes((byte,)))
    client.sendall(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    assert re.findall(rb"\r\n\r\n(\d)", read_all(client)) == [b"1", b"2"]


def test_reset_forgets_everything_but_the_default(server: Server) -> None:
    """Queue, routes and records are as new."""
    server.default = Reply.text("default")
    server.on("/x", Reply.text("route"))
    httpx.get(f"{server.url}/x")
    server.enqueue(Reply.text("queue"))
    assert server.wait_for(lambda s: s.in_flight == 0)
    server.reset()
    assert (server.requests, server.connections, server.max_in_flight) == ([], 0, 0)
    assert httpx.get(f"{server.url}/x").text == "default"


def test_requests_in_flight_are_counted(server: Server) -> None:
    """`max_in_flight` is the most there were at once."""
    server.default = Reply.raw(Hang())
    clients = [ask(server) for _ in range(3)]
    assert server.wait_for(lambda s: s.in_flight == 3)
    for client in clients:
        client.close()
    assert server.wait_for(lambda s: s.in_flight == 0)
    assert server.max_in_flight == 3


def test_sequential_requests_are_never_in_flight_together(server: Server) -> None:
    """A reply counts as finished before the client's next request is looked at."""
    server.default = Reply.stream("word " * 20_000)
    with httpx.Client() as client:
        for _ in range(5):
            client.post(server.url)
    assert server.max_in_flight == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply.raw(Hang()),
        Reply.chat(delay=60),
        Reply.stream(gap=60),
        Reply.stream(ping=0.01),
        Reply.stream(cut_after=1, cut="hang"),
        Reply.chat().dripping(60),
        Reply.chat().dripping(60, "headers"),
        Reply.text(b"x" * 50_000_000),
    ],
    ids=["hang", "delay", "gap", "ping", "hang-in-stream", "drip-body", "drip-headers", "unread"],
)
def test_a_client_that_leaves_early_is_counted(server: Server, reply: Reply) -> None:
    """Whatever the server is doing, it notices that the client went away."""
    server.default = reply
    client = ask(server)
    assert server.wait_for(lambda s: s.in_flight == 1)
    client.close()
    assert server.wait_for(lambda s: s.disconnects == 1)
    assert (server.in_flight, server.open_connections) == (0, 0)


def test_closing_by_the_server_is_no_disconnect(server: Server) -> None:
    """Only the client's leaving counts."""
    server.enqueue(Reply.raw(b"x", Close()), Reply.raw(Reset()))
    assert read_all(ask(server)) == b"x"
    with pytest.raises(ConnectionResetError):
        read_all(ask(server))
    assert server.wait_for(lambda s: s.open_connections == 0)
    assert (server.disconnects, server.in_flight) == (0, 0)


def test_a_reset_is_econnreset_after_what_was_written(server: Server) -> None:
    """The bytes before it arrive, then the RST."""
    server.default = Reply.stream(cut_after=1, cut="reset")
    client = ask(server)
    head = client.recv(1 << 20)
    assert head.startswith(b"HTTP/1.1 200 OK")
    with pytest.raises(ConnectionResetError):
        read_all(client)


def test_a_hang_ends_when_the_server_stops() -> None:
    """Leaving the `with` block frees every client, however many hang, and ends the thread."""
    with Server() as server:
        server.default = Reply.raw(b"HTTP/1.1 200 OK\r\n", Hang())
        clients = [ask(server) for _ in range(20)]
        idle = [connect(server) for _ in range(5)]
        assert server.wait_for(lambda s: s.in_flight == 20 and s.open_connections == 25)
        thread = server._thread
    assert thread is not None
    assert not thread.is_alive()
    assert {read_all(client) for client in clients} == {b"HTTP/1.1 200 OK\r\n"}
    assert {read_all(client) for client in idle} == {b""}
    assert (server.errors, server.disconnects, server.in_flight, server.open_connections) == ([], 0, 0, 0)


def test_a_server_can_be_started_again() -> None:
    """start() and stop() may be repeated; the URL exists only in between."""
    server = Server()
    for _ in range(2):
        assert httpx.get(f"{server.start().url}/v1/models").status_code == 200
        with pytest.raises(RuntimeError, match="running already"):
            server.start()
        server.stop()
        server.stop()
    with pytest.raises(RuntimeError, match="start"):
        _ = server.url


def test_what_goes_wrong_inside_is_kept() -> None:
    """A callable that raises answers 500 and a request that is not HTTP is dropped; both are in `errors`."""
    with Server() as server:
        server.enqueue(lambda received: Reply.text(str(1 / 0)))
        assert httpx.get(server.url).status_code == 500
        client = connect(server)
        client.sendall(b"nonsense\r\n\r\n")
        assert read_all(client) == b""
    assert [type(error) for error in server.errors] == [ZeroDivisionError, ValueError]


def test_the_default_answers_by_path(server: Server) -> None:
    """Chat, messages and models are known, the rest is 404."""
    chat = httpx.post(f"{server.url}/v1/chat/completions", json={"stream": False}).json()
    assert chat["choices"][0]["message"]["content"] == "Hello there!"
    assert httpx.post(f"{server.url}/v1/messages", json={}).json()["content"][0]["text"] == "Hello there!"
    assert httpx.get(f"{server.url}/v1/models").json()["data"][0]["id"] == "gpt-4o"
    assert httpx.get(f"{server.url}/v1/nothing").status_code == 404
    events = httpx.post(f"{server.url}/v1/messages", json={"stream": True}).text
    assert re.findall(r"event: (\w+)", events)[-2:] == ["message_delta", "message_stop"]


def test_the_openai_sdk_understands_chat_and_stream(server: Server) -> None:
    """Text, finish reason, usage, tool calls and a stream of as many deltas as there are words."""
    with sdk(server) as client:
        server.enqueue(Reply.chat("Hi", tool_calls=[("f", {"a": 1})]), Reply.stream("one two three", usage=(4, 5)))
        whole = client.chat.completions.create(model="m", messages=[])
        chunks = list(client.chat.completions.create(model="m", messages=[], stream=True))
    call = (whole.choices[0].message.tool_calls or [])[0]
    assert (whole.choices[0].message.content, call.to_dict()["function"]) == (
        "Hi",
        {"name": "f", "arguments": '{"a": 1}'},
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [piece for piece in pieces if piece] == ["one", " two", " three"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 9


def test_a_redirect_names_its_target(server: Server) -> None:
    """A client that follows it is seen at the target."""
    server.enqueue(Reply.redirect("/elsewhere", 308), Reply.text("there"))
    assert httpx.post(server.url, follow_redirects=True).text == "there"
    assert [received.path for received in server.requests] == ["/", "/elsewhere"]


def test_a_cut_stream_ends_after_so_many_content_chunks() -> None:
    """`cut_after` counts content, and nothing that comes after it is sent."""
    for count, expected in ((0, ""), (1, "one"), (2, "one two"), (9, "one two three")):
        for reply in (
            Reply.stream("one two three", cut_after=count),
            Reply.anthropic_stream("one two three", cut_after=count),
        ):
            text = b"".join(step for step in reply.body if isinstance(step, bytes)).decode()
            assert "".join(re.findall(r'"(?:content|text)":"([^"]*)"', text)) == expected
            assert not re.search("stop_reason.:.end_turn|message_delta|finish_reason.:.stop|DONE", text)


def test_tool_calls_and_reasoning_are_streamed_in_their_own_deltas() -> None:
    """In both wires."""
    chunks = chat_chunks(None, tool_calls=[("f", {"a": 1})], reasoning="Hm so", usage=None)
    keys = [key for chunk in chunks for key in chunk["choices"][0]["delta"]]
    assert keys == ["role", "content", "reasoning_content", "reasoning_content", "tool_calls", "tool_calls"]
    events = anthropic_events("Hi", thinking="Hm", tool_use=[("f", {"a": 1})])
    deltas = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == ["thinking_delta", "signature_delta", "text_delta", "input_json_delta"]


def test_replies_are_values() -> None:
    """Methods return changed copies; equal replies are equal, and a repr is short."""
    plain = Reply.chat("x" * 10_000)
    changed = plain.with_headers({"X-A": "1"}, x_b="2").with_headers(x_a="3").after(1).dripping(0).then(Hang())
    assert dict(changed.headers) == {"content-type": "application/json", "x-b": "2", "x-a": "3"}
    assert plain == Reply.chat("x" * 10_000) != changed
    assert repr(changed) == f"<Reply 200 {len(plain.body[0])} bytes Hang()>"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="raw"):
        Reply.raw(b"").with_headers(a="b")


def test_packing_and_dripping_change_the_writes_and_not_the_bytes() -> None:
    """The same stream in one write, as scripted, or byte by byte."""
    stream = Reply.stream()
    joined = [
        b"".join(s for s in r.script if isinstance(s, bytes)) for r in (stream, stream.packed(), stream.dripping(0))
    ]
    assert len(set(joined)) == 1
    assert stream.packed().script == (joined[0],)
    dripped = Reply.error(500).dripping(0.5, "headers").script
    assert dripped[1] == Wait(0.5)
    assert isinstance(dripped[-1], bytes)
    assert "error" in json.loads(dripped[-1])


@pytest.mark.parametrize(("fault", "stream"), PLAYED, ids=[f"{f.name}-{'stream' if s else 'call'}" for f, s in PLAYED])
def test_every_fault_plays_its_bytes(server: Server, fault: Fault, stream: bool) -> None:
    """All bytes of the script reach the client, in order, and nothing fails inside the server."""
    sent: list[Reply] = []
    answer = fault.reply(stream)

    def remember(received: Received) -> Reply:
        sent.append(answer if isinstance(answer, Reply) else answer(received))
        return sent[-1]

    server.default = remember
    client = ask(server, "/v1/chat/completions", "connection: close", "authorization: Bearer sk-secret")
    if fault.needs_timeout:
        assert server.wait_for(lambda s: s.in_flight == 1)
        client.close()
        assert server.wait_for(lambda s: s.disconnects == 1)
        return
    script = sent_script(sent, server)
    got = b""
    try:
        while data := client.recv(1 << 20):
            got += data
    except ConnectionResetError:
        assert Reset() in script
    client.close()
    assert got == b"".join(step for step in script if isinstance(step, bytes))
    assert not any(isinstance(step, Hang | Ping) for step in script)
    assert (b"sk-secret" in got) == fault.echoes_key
    assert server.wait_for(lambda s: s.open_connections == 0)
    assert server.disconnects == 0


def sent_script(sent: list[Reply], server: Server) -> tuple[object, ...]:
    assert server.wait_for(lambda _: sent)
    return sent[0].script


def test_a_fault_that_passes_works_the_second_time(server: Server) -> None:
    """`reply` makes a new sequence each time; its last reply repeats."""
    for _ in range(2):
        server.default = FAULTS["retry-after-ms"].reply(stream=False)
        assert [httpx.post(server.url).status_code for _ in range(3)] == [429, 200, 200]


def test_the_catalogue_is_plain_data_that_agrees_with_itself() -> None:
    """A value has no error, an endless fault is a timeout, and the error names are magma's."""
    names = "Authentication PermissionDenied NotFound BadRequest ContextWindow ContentFilter RateLimit Timeout Connection Server"
    known = {f"{name}Error" for name in [*names.split(), "StreamInterrupted"]} | {None}
    assert len(FAULTS) >= 85
    for name, fault in FAULTS.items():
        assert name == fault.name
        assert {fault.error, fault.streamed_error} <= known
        assert not fault.needs_timeout or (fault.error == "TimeoutError" and not fault.retried)
        assert fault.error is None or (fault.finish_reason, fault.usage) == (None, None)
        assert fault.only != "stream" or fault.error == fault.streamed_error


@pytest.mark.parametrize(
    "name", ["plain", "gzip", "unicode", "chunk-extensions", "103-early-hints-first", "tiny-writes"]
)
def test_an_oddity_is_a_value_for_the_openai_sdk(server: Server, name: str) -> None:
    """What the catalogue calls a value is one for a client that we did not write."""
    fault = FAULTS[name]
    server.default = fault.reply(stream=False)
    with sdk(server) as client:
        choice = client.chat.completions.create(model="m", messages=[]).choices[0]
        server.default = fault.reply(stream=True)
        chunks = list(client.chat.completions.create(model="m", messages=[], stream=True))
    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert (choice.message.content, choice.finish_reason) == (fault.content, fault.finish_reason)
    assert "".join(deltas) == fault.content


def test_it_runs_in_the_foreground() -> None:
    """`python -m magma.testing.server` prints its URL first and streams `--delta-count` content chunks."""
    command = [sys.executable, "-m", "magma.testing.server", "--delta-count", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            text = httpx.post(f"{url}/v1/chat/completions", json={"stream": True}).text
        finally:
            process.terminate()
    assert text.count('{"content":"word "}') == 7
    assert process.returncode != 0


def test_everything_public_is_listed() -> None:
    """`__all__` names what there is; that it is sorted is the linter's business."""
    assert all(hasattr(module, name) for name in module.__all__)
