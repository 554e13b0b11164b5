"""`FAULTS`: what goes wrong, or merely looks odd, in the field. A catalogue for tests, by name."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from time import time
from typing import Any, Literal

from .bodies import chat_body, encode, error_body, sse
from .fault import Fault, fails, half, ok, same, works
from .oddities import anthropic_faults, echo_faults, odd_answers, odd_bytes, odd_streams
from .wire import AnyReply, Close, Hang, Ping, Reply, Reset, Wait


def status_faults() -> list[Fault]:
    """Statuses that say no."""
    refused = {401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError"}
    refused |= dict.fromkeys((400, 402, 405, 406, 410, 411, 413, 414, 415, 418, 422, 425, 451), "BadRequestError")
    passing = {408: "TimeoutError", 409: "BadRequestError", 429: "RateLimitError", 504: "TimeoutError"}
    passing |= dict.fromkeys((500, 502, 503, *range(520, 530), 599), "ServerError")
    faults = [fails(f"status-{status}", Reply.error(status), error) for status, error in refused.items()]
    faults += [fails(f"status-{status}", Reply.error(status), error, retried=True) for status, error in passing.items()]

    def moved(status: int) -> AnyReply:
        return lambda received: Reply.redirect(f"http://{received.headers['host']}/elsewhere", status)

    no, yes = {"x-should-retry": "false"}, {"x-should-retry": "true"}
    return [
        *faults,
        fails("503-do-not-retry", Reply.error(503, headers=no), "ServerError"),
        fails("429-do-not-retry", Reply.error(429, headers=no), "RateLimitError"),
        fails("400-do-retry", Reply.error(400, headers=yes), "BadRequestError", retried=True),
        *(fails(f"redirect-{status}", same(moved(status)), "ConnectionError") for status in (301, 302, 303, 307, 308)),
    ]


def error_body_faults() -> list[Fault]:
    """What providers write into their refusals."""

    def coded(status: int, code: str, type: str = "invalid_request_error") -> Reply:
        return Reply.error(status, f"Refused: {code}.", type=type, code=code)

    llama = {"code": 400, "message": "the request exceeds the available context size", "n_prompt_tokens": 9000}
    llama |= {"type": "exceed_context_size_error", "n_ctx": 8192}
    html = "<html><body><h1>502 Bad Gateway</h1></body></html>"
    bodies: dict[str, Reply] = {
        "500-html": Reply.text(html, 500, "text/html"),
        "500-empty": Reply.text(b"", 500),
        "500-not-utf8": Reply.text(b"\xff\xfe\xfa boom", 500, "application/json"),
        "500-json-list": Reply.json(["boom", 1], 500),
        "500-json-string": Reply.json("boom", 500),
        "500-json-null": Reply.json(None, 500),
        "500-error-is-string": Reply.json({"error": "boom"}, 500),
        "500-error-is-null": Reply.json({"error": None}, 500),
        "500-detail-only": Reply.json({"detail": [{"msg": "boom"}]}, 500),
        "500-huge": Reply.error(500, "x" * 200_000),
        "500-closed-in-body": Reply.error(500).with_headers(content_length="9999").then(Close()),
    }
    return [
        fails("400-context-length", coded(400, "context_length_exceeded"), "ContextWindowError"),
        fails("400-context-llama", Reply.json({"error": llama}, 400), "ContextWindowError"),
        fails("400-content-filter", coded(400, "content_filter"), "ContentFilterError"),
        fails("400-content-policy", coded(400, "content_policy_violation"), "ContentFilterError"),
        fails("401-html", Reply.text(html, 401, "text/html"), "AuthenticationError"),
        fails("401-empty", Reply.text(b"", 401), "AuthenticationError"),
        fails("404-plain", Reply.text("404 page not found\n", 404), "NotFoundError"),
        fails("429-quota", coded(429, "insufficient_quota", "insufficient_quota"), "RateLimitError"),
        *(fails(name, reply, "ServerError", retried=True) for name, reply in bodies.items()),
    ]


def retry_after_faults() -> list[Fault]:
    """The spellings of Retry-After; the next answer works."""

    def then_works(name: str, first: AnyReply) -> Fault:
        return works(name, lambda stream: [first, ok(stream)], retried=True)

    def dated(seconds: float) -> AnyReply:
        return lambda received: Reply.error(429, retry_after=formatdate(time() + seconds, usegmt=True))

    return [
        then_works("retry-after-integer", Reply.error(429, retry_after=1)),
        then_works("retry-after-float", Reply.error(429, retry_after=0.05)),
        then_works("retry-after-ms", Reply.error(429, headers={"retry-after-ms": "50"})),
        then_works("retry-after-date-past", dated(-3600)),
        then_works("retry-after-date-ahead", dated(1)),
        then_works("retry-after-nonsense", Reply.error(429, retry_after="soon")),
        then_works("retry-after-negative", Reply.error(429, retry_after=-5)),
        then_works("503-then-works", Reply.error(503)),
        then_works("reset-then-works", Reply.raw(Reset())),
    ]


def connection_faults() -> list[Fault]:
    """Connections that break, hang or drip, and bytes that are no HTTP."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    broken = {
        "close-before-any-byte": Reply.raw(Close()),
        "reset-before-any-byte": Reply.raw(Reset()),
        "close-in-headers": Reply.raw(head, Close()),
        "reset-in-headers": Reply.raw(head, Wait(0.1), Reset()),
        "garbage": Reply.raw(b"\x00\xffgarbage, not HTTP\r\n\r\n", Close()),
        "tls-bytes": Reply.raw(b"\x15\x03\x03\x00\x02\x02\x28", Close()),
        "bad-status-line": Reply.raw(b"HTTP/1.1 OK 200\r\n\r\n", Close()),
        "bad-chunk-size": Reply.raw(head + b"transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", Close()),
    }
    endless = {
        "hang-before-headers": Reply.raw(Hang()),
        "hang-in-headers": Reply.raw(head, Hang()),
    }
    word = "word " * 2_000
    # h11 lets 100 KB pass if they come at once, aiohttp 8 KB: this is too much for both.
    long, pad = {"x-long": "h" * 300_000}, {"x-pad": "p" * 5_000}
    timeout: dict[str, Any] = {"error": "TimeoutError", "needs_timeout": True}
    return [
        *(fails(name, reply, "ConnectionError", retried=True) for name, reply in broken.items()),
        *(fails(name, reply, **timeout) for name, reply in endless.items()),
        fails("close-in-body", half(Close()), "ConnectionError", retried=True, only="call"),
        fails("reset-in-body", half(Wait(0.1), Reset()), "ConnectionError", retried=True, only="call"),
        fails("hang-in-body", lambda stream: Reply.sse(Hang()) if stream else half(Hang()), **timeout),
        fails("header-line-huge", lambda stream: ok(stream).with_headers(long), "ConnectionError", retried=True),
        fails("drip-headers", lambda stream: ok(stream).with_headers(pad).dripping(0.05, "headers"), **timeout),
        fails("drip-body", lambda stream: ok(stream, word).dripping(0.05), **timeout),
    ]


def malformed_faults() -> list[Fault]:
    """Good statuses whose body is no answer."""
    empty_choice = {"index": 0, "finish_reason": "stop"}
    bodies = {
        "invalid-json": b'{"id": "chatcmpl-1", "choi',
        "not-utf8": b'{"choices": "\xff\xfe"}',
        "json-list": b"[]",
        "json-object-empty": b"{}",
        "json-string": b'"Hello there!"',
        "json-null": b"null",
        "json-number": b"42",
        "choices-empty": encode(chat_body(usage=None) | {"choices": []}),
        "choices-null": encode(chat_body() | {"choices": None}),
        "choices-wrong-type": encode(chat_body() | {"choices": "Hello there!"}),
        "message-missing": encode(chat_body() | {"choices": [empty_choice]}),
        "message-null": encode(chat_body() | {"choices": [empty_choice | {"message": None}]}),
    }
    errors: dict[str, tuple[Any, str, bool]] = {
        "rate-limit": (error_body(429, type="rate_limit_error", code="rate_limit_exceeded"), "RateLimitError", True),
        "code-401": (error_body(401, type="error", code=401), "AuthenticationError", False),
        "code-503": (error_body(503, type="error", code=503), "ServerError", True),
        "content-filter": (error_body(400, code="content_filter"), "ContentFilterError", False),
        "string": ({"error": "boom"}, "ServerError", False),
    }

    def body_or_event(body: bytes) -> Callable[[bool], AnyReply]:
        event = Reply.sse(b"data: " + body + b"\n\n", sse("[DONE]"))
        return lambda stream: event if stream else Reply.text(body, 200, "application/json")

    html = Reply.text("<html><body>Log in, please.</body></html>", 200, "text/html")
    # A streamed choice has no message; one without a delta may still tell the finish reason.
    calls_only: dict[str, Literal["call"]] = {"message-missing": "call", "message-null": "call"}
    return [
        *(
            fails(f"200-{name}", body_or_event(body), "ServerError", only=calls_only.get(name))
            for name, body in bodies.items()
        ),
        *(
            fails(f"200-error-{name}", body_or_event(encode(body)), error, retried=retried)
            for name, (body, error, retried) in errors.items()
        ),
        fails("200-html", html, "ServerError"),
        fails("200-empty", Reply.text(b"", 200, "application/json"), "ServerError"),
        fails("204-no-content", Reply.raw(b"HTTP/1.1 204 No Content\r\n\r\n"), "ServerError"),
    ]


def stream_faults() -> list[Fault]:
    """Streams that break, hang or lie."""

    def broken(name: str, reply: Reply, error: str = "StreamInterruptedError", **facts: Any) -> Fault:
        return fails(name, reply, error, content="Hello", only="stream", **facts)

    def early(name: str, reply: Reply, error: str, **facts: Any) -> Fault:
        return fails(name, reply, error, only="stream", **facts)

    role, hello = Reply.stream(cut_after=0).body, Reply.stream(cut_after=1).body
    bad_chunk = Reply.raw(*Reply.sse(*hello, Hang()).script[:-1], Wait(0.1), b"ZZ\r\n", Close())
    overloaded = sse(error_body(503, "Overloaded.", code="overloaded"))
    again: dict[str, Any] = {"error": "ConnectionError", "retried": True}
    return [
        broken("stream-reset", Reply.stream(cut_after=1, cut="reset")),
        broken("stream-fin", Reply.stream(cut_after=1, cut="fin")),
        broken("stream-clean-end", Reply.stream(cut_after=1)),
        broken("stream-done-without-finish-reason", Reply.sse(*hello, sse("[DONE]"))),
        broken("stream-bad-chunk-size", bad_chunk, "TimeoutError", needs_timeout=True),  # aiohttp waits on
        broken("stream-half-event", Reply.sse(*hello, b'data: {"id": "chatcmpl-1", "choi')),
        broken("stream-invalid-json", Reply.sse(*hello, sse("{not json"), sse("[DONE]"))),
        broken("stream-not-utf8", Reply.sse(*hello, b'data: {"choices": "\xff\xfe"}\n\n', sse("[DONE]"))),
        broken("stream-error-event", Reply.sse(*hello, overloaded, sse("[DONE]"))),
        broken("stream-error-event-named", Reply.sse(*hello, b"event: error\n" + overloaded)),
        broken("stream-hang", Reply.stream(cut_after=1, cut="hang"), "TimeoutError", needs_timeout=True),
        broken("stream-pings-for-ever", Reply.stream("Hello", ping=0.02), "TimeoutError", needs_timeout=True),
        early("stream-reset-after-headers", Reply.sse(Wait(0.1), Reset()), **again),
        early("stream-fin-after-headers", Reply.sse(Close()), **again),
        early("stream-reset-after-role", Reply.sse(*role, Wait(0.1), Reset()), **again),
        early("stream-fin-after-role", Reply.sse(*role, Close()), **again),
        early("stream-empty", Reply.sse(), "ServerError"),
        early("stream-done-only", Reply.sse(sse("[DONE]")), "ServerError"),
        early("stream-role-only", Reply.sse(*role), "ServerError"),
        early("stream-comments-only", Reply.sse(b": hello\n\n", b": bye\n\n"), "ServerError"),
        early("stream-error-first", Reply.sse(overloaded), "ServerError", retried=True),
        early("stream-hang-after-role", Reply.sse(*role, Hang()), "TimeoutError", needs_timeout=True),
        early("stream-only-pings", Reply.sse(Ping(b": hi\n\n", 0.02)), "TimeoutError", needs_timeout=True),
    ]


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for group in (
        status_faults,
        error_body_faults,
        retry_after_faults,
        connection_faults,
        malformed_faults,
        stream_faults,
        odd_answers,
        odd_bytes,
        odd_streams,
        anthropic_faults,
        echo_faults,
    )
    for fault in group()
}
"""Every fault by name."""
