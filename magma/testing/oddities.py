"""Answers that only look odd, and what providers of another wire do: the second half of `FAULTS`."""

from __future__ import annotations

import dataclasses
import gzip
from functools import partial
from typing import Any, Unpack

from .bodies import AnthropicFields, ChatFields, chat_chunks, error_body, sse
from .fault import Fault, fails, mangled, ok, ok_with, same, split, works
from .wire import AnyReply, Close, Received, Reply


def odd_answers() -> list[Fault]:
    """Answers with odd but valid content."""
    weather: ChatFields = {"tool_calls": [("get_weather", {"city": "Oslo"})], "finish_reason": "tool_calls"}
    tools: dict[str, Any] = {"content": None, "finish_reason": "tool_calls", "tool_names": ("get_weather",)}
    news = {"x_new": {"a": [1]}, "service_tier": None, "system_fingerprint": "fp_1", "provider": "Somebody"}
    whole = "Hello there!"
    big = "x" * 2_000_000
    return [
        works("plain", ok),
        works("usage-missing", lambda stream: ok(stream, usage=None), usage=None),
        works("usage-null", lambda stream: ok_with(stream, {"usage": None}, usage=None), usage=None),
        works(
            "finish-reason-null",
            lambda stream: ok(stream, finish_reason=None),
            finish_reason=None,
            streamed_error="StreamInterruptedError",
        ),
        *(
            works(f"finish-reason-{reason}", partial(ok, finish_reason=reason), finish_reason=reason)
            for reason in ("weird_reason", "length", "content_filter")
        ),
        works("unknown-fields", lambda stream: ok_with(stream, news)),
        works("tool-calls", lambda stream: ok(stream, None, **weather), **tools),
        works("tool-calls-and-text", lambda stream: ok(stream, **weather), **(tools | {"content": whole})),
        works("reasoning", lambda stream: ok(stream, reasoning="Let me think.")),
        works("content-empty", lambda stream: ok(stream, ""), content=""),
        works("content-blank", lambda stream: ok(stream, " \n "), content=" \n "),
        works("unicode", lambda stream: ok(stream, "Grüße, 世界! 👋🏽"), content="Grüße, 世界! 👋🏽"),
        works("emoji-split", lambda stream: split(ok(stream, "Hi 🙂 you"), "🙂".encode()), content="Hi 🙂 you"),
        works("line-separator", lambda stream: ok(stream, "a\u2028b\u0085c"), content="a\u2028b\u0085c"),
        works(
            "lone-surrogate",
            lambda stream: mangled(ok(stream, "Hello SURROGATE!"), lambda data: data.replace(b"SURROGATE", b"\\ud83d")),
            content="Hello \ufffd!",
        ),
        works("huge", lambda stream: ok(stream, big), content=big),
        works("huge-id", lambda stream: ok(stream, id="i" * 100_000)),
    ]


def odd_bytes() -> list[Fault]:
    """Answers in odd but valid bytes."""

    def zipped(stream: bool) -> Reply:
        plain = ok(stream)
        data = gzip.compress(b"".join(step for step in plain.body if isinstance(step, bytes)), mtime=0)
        return dataclasses.replace(plain, body=(data[:40], data[40:]), framing="chunked").with_headers(
            content_encoding="gzip"
        )

    def until_close(stream: bool) -> Reply:
        plain = ok(stream)
        kind = dict(plain.headers)["content-type"].encode()
        return Reply.raw(b"HTTP/1.0 200 OK\r\ncontent-type: " + kind + b"\r\n\r\n", *plain.body, Close())

    def extended(stream: bool) -> Reply:
        # Some chunk extensions have a value, some have none (RFC 9112, 7.1.1).
        framed = dataclasses.replace(ok(stream), framing="chunked").script
        return Reply.raw(framed[0], *(step.replace(b"\r\n", b';a="b";c\r\n', 1) for step in framed[1:] if step))  # type: ignore[union-attr]

    early_hints = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
    return [
        works("tiny-writes", lambda stream: ok(stream).dripping(0)),
        works("one-write", lambda stream: ok(stream).packed()),
        works("chunked-json", lambda stream: dataclasses.replace(ok(stream), framing="chunked")),
        works("gzip", zipped),
        works("http-1.0-until-close", until_close),
        works("chunk-extensions", extended),
        works("100-continue-first", lambda stream: Reply.raw(b"HTTP/1.1 100 Continue\r\n\r\n", *ok(stream).script)),
        works("103-early-hints-first", lambda stream: Reply.raw(early_hints, *ok(stream).script)),
        works("content-type-plain", lambda stream: ok(stream).with_headers(content_type="text/plain")),
        works("content-type-octets", lambda stream: ok(stream).with_headers(content_type="application/octet-stream")),
        works(
            "connection-close", lambda stream: ok(stream).with_headers(connection="close").then(Close()), only="call"
        ),
        works("slow-headers", lambda stream: ok(stream).dripping(0.0005, "headers")),
    ]


def odd_streams() -> list[Fault]:
    """Odd but valid event streams."""
    plain = Reply.stream()
    chunks, bare = chat_chunks(), chat_chunks(usage=None)
    usages = [chunk | {"usage": {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}} for chunk in bare[:-1]]
    counted = bare[-1] | {"usage": chunks[-1]["usage"]}
    void = sse(chunks[0] | {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]})
    azure = sse(chunks[0] | {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    done = sse("[DONE]")
    fields = b"event: message\nid: 7\nretry: 100\n"
    replies = {
        "sse-crlf": mangled(plain, lambda data: data.replace(b"\n", b"\r\n")),
        "sse-cr": mangled(plain, lambda data: data.replace(b"\n", b"\r")),
        "sse-no-space": mangled(plain, lambda data: data.replace(b"data: ", b"data:")),
        "sse-data-in-lines": mangled(plain, lambda data: data.replace(b',"choices"', b',\ndata: "choices"')),
        "sse-comments": mangled(plain, lambda data: b": keep-alive\n\n" + data),
        "sse-comment-inside-event": mangled(plain, lambda data: b": keep-alive\n" + data),
        "sse-fields": mangled(plain, lambda data: fields + data),
        "sse-fields-after-data": mangled(plain, lambda data: data[:-1] + b"id: 7\nunknown: x\n\n"),
        "sse-blank-lines": mangled(plain, lambda data: b"\n\n" + data + b"\n"),
        "sse-bom": Reply.sse(b"\xef\xbb\xbf", *plain.body),
        "sse-no-done": Reply.stream(done=False),
        "sse-done-then-garbage": Reply.sse(*plain.body, sse("garbage"), b"\xff\xfe{{{"),
        "sse-done-without-blank-line": Reply.sse(*plain.body[:-1], b"data: [DONE]"),
        "sse-events-joined": Reply.sse(b"".join(step for step in plain.body if isinstance(step, bytes))),
        "sse-events-split": split(plain, b'"choices"'),
        "sse-charset": plain.with_headers(content_type="text/event-stream; charset=utf-8"),
        "stream-empty-deltas": Reply.sse(plain.body[0], void, plain.body[1], void, *plain.body[2:]),
        "stream-empty-pieces": Reply.stream(["", "Hello", "", " there!", ""]),
        "stream-null-content": mangled(plain, lambda data: data.replace(b'"content":""', b'"content":null')),
        "stream-role-only-first": mangled(plain, lambda data: data.replace(b',"content":""', b"")),
        "stream-no-choices-first": Reply.sse(azure, *plain.body),
        "stream-usage-with-finish": Reply.sse(*map(sse, [*bare[:-1], counted]), done),
        "stream-usage-in-each": Reply.sse(*map(sse, [*usages, counted]), done),
        "stream-slow": Reply.stream(gap=0.01, first_gap=0.05),
    }
    return [works(name, reply, only="stream") for name, reply in replies.items()]


def anthropic_faults() -> list[Fault]:
    """The same in Anthropic's wire."""

    def ok(stream: bool, **fields: Unpack[AnthropicFields]) -> Reply:
        return Reply.anthropic_stream(**fields) if stream else Reply.anthropic(**fields)

    def refused(status: int, error: str, message: str = "", retried: bool = False, name: str = "") -> Fault:
        reply = Reply.error(status, message, anthropic=True)
        name = f"anthropic-{name or status}"
        return fails(name, reply, error, retried=retried, wire="anthropic")

    streamed: dict[str, Any] = {"only": "stream", "wire": "anthropic"}
    broken: dict[str, Any] = streamed | {"error": "StreamInterruptedError", "content": "Hello"}
    hello, whole = Reply.anthropic_stream(cut_after=1).body, Reply.anthropic_stream().body
    overloaded = sse(error_body(529, "Overloaded", anthropic=True), event="error")
    hang = Reply.anthropic_stream(cut_after=1, cut="hang")
    return [
        works("anthropic-plain", ok, wire="anthropic"),
        works(
            "anthropic-max-tokens", lambda s: ok(s, stop_reason="max_tokens"), finish_reason="length", wire="anthropic"
        ),
        works("anthropic-thinking", lambda stream: ok(stream, thinking="Let me think."), wire="anthropic"),
        works("anthropic-pings", Reply.anthropic_stream(pings=True), **streamed),
        works("anthropic-no-message-stop", Reply.sse(*whole[:-1]), **streamed),
        refused(400, "ContextWindowError", "prompt is too long: 250000 tokens > 200000 maximum", name="too-long"),
        refused(401, "AuthenticationError"),
        refused(429, "RateLimitError", retried=True),
        refused(529, "ServerError", retried=True),
        fails("anthropic-error-event", Reply.sse(*hello, overloaded), **broken),
        fails("anthropic-clean-end", Reply.anthropic_stream(cut_after=1), **broken),
        fails("anthropic-reset", Reply.anthropic_stream(cut_after=1, cut="reset"), **broken),
        fails("anthropic-fin", Reply.anthropic_stream(cut_after=1, cut="fin"), **broken),
        fails("anthropic-hang", hang, **(broken | {"error": "TimeoutError", "needs_timeout": True})),
        fails("anthropic-error-first", Reply.sse(overloaded), "ServerError", retried=True, **streamed),
    ]


def echo_faults() -> list[Fault]:
    """The reply holds what the request authenticated with."""

    def key(received: Received) -> str:
        return received.headers.get("authorization") or received.headers.get("x-api-key", "")

    def bare(received: Received) -> str:
        return key(received).removeprefix("Bearer ")

    def page(received: Received) -> str:
        return f"<html><pre>authorization: {key(received)}</pre></html>"

    def interrupted(received: Received) -> Reply:
        return Reply.sse(*Reply.stream(cut_after=1).body, sse(error_body(500, f"Lost {key(received)}.")))

    shown: dict[str, tuple[AnyReply, str, bool]] = {
        "body": (lambda r: Reply.error(401, f"Incorrect API key provided: {bare(r)}."), "AuthenticationError", False),
        "body-200": (lambda r: Reply.text(page(r), 200, "text/html"), "ServerError", False),
        "html": (lambda r: Reply.text(page(r), 500, "text/html"), "ServerError", True),
        "header": (lambda r: Reply.error(403, headers={"x-echo": key(r)}), "PermissionDeniedError", False),
        "code": (lambda r: Reply.error(400, code=bare(r), type=key(r)), "BadRequestError", False),
    }
    faults = [
        fails(f"key-in-{where}", same(answer), error, retried=retried, echoes_key=True)
        for where, (answer, error, retried) in shown.items()
    ]
    mid: dict[str, Any] = {"content": "Hello", "only": "stream", "echoes_key": True}
    return [*faults, fails("key-in-stream", same(interrupted), "StreamInterruptedError", **mid)]
