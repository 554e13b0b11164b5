"""LangFuse tracing: what a call's generation says, that it nests, and that a dead LangFuse costs next to nothing."""

import asyncio
import functools
import gc
import gzip
import http.server
import json
import logging
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid

import pytest

import magma
from magma import Generation, Model, Usage, register_hook
from magma._call import exporter, trace
from magma.testing.server import Reply

pytest.importorskip("langfuse")

from opentelemetry import trace as otel
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

KEY = "sk-test-9f8e7d6c5b4a3210"
PREFIX = "langfuse.observation."


class Traced:
    """The spans of one test, flushed and read as LangFuse would."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()

    @property
    def spans(self):
        if exporter._client is not None and exporter._client.langfuse is not None:
            exporter._client.langfuse.flush()
        return self.exporter.get_finished_spans()

    @property
    def all(self):
        return [read(span.attributes) | {"name": span.name, "span": span} for span in self.spans]

    @property
    def one(self):
        found = self.all
        assert len(found) == 1, [span["name"] for span in found]
        return found[0]


def read(attributes):
    """LangFuse's attributes without their prefix; JSON decoded where it is JSON."""
    told = {}
    for name, value in attributes.items():
        try:
            value = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            pass
        told[name.removeprefix(PREFIX)] = value
    return told


@pytest.fixture
def keys(monkeypatch):
    """LangFuse's variables, of a project that no other test has."""
    monkeypatch.setattr(exporter, "_client", None)
    public = f"pk-lf-{uuid.uuid4()}"
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", public)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1234567890abcdef")
    monkeypatch.setenv("LANGFUSE_BASE_URL", "http://127.0.0.1:9")
    yield public
    assert not trace._open
    if exporter._client is not None:
        exporter._client.end(2)


@pytest.fixture
def traced(keys, monkeypatch):
    traced = Traced()
    monkeypatch.setattr(exporter, "make", functools.partial(exporter.make, span_exporter=traced.exporter))
    return traced


@pytest.fixture
def openai(server):
    return Model("openai/gpt-4o", api_base=server.url + "/v1", api_key=KEY, max_retries=1, timeout=10)


echo = Model("offline/echo", max_tokens=64)


# What a generation says.


def test_a_call_is_one_generation(traced):
    response = echo("Hi there", system_prompt="Be nice")
    told = traced.one
    assert told["name"] == "model:offline/echo"
    assert told["type"] == "generation"
    assert told["input"] == [{"role": "system", "content": "Be nice"}, {"role": "user", "content": "Hi there"}]
    assert told["output"] == "Hi there"
    assert told["model.name"] == "offline/echo"
    assert told["model.parameters"] == {"temperature": 0.0, "max_tokens": 64}
    assert told["usage_details"] == {"input": 4, "output": 2, "total": 6}
    assert told["metadata.provider"] == "offline"
    assert told["metadata.magma"] == magma.__version__
    assert told["metadata.finish_reason"] == "stop"
    assert told["metadata.cached"] is False
    assert told["metadata.latency"] == response.latency
    assert "level" not in told
    assert told["span"].parent is None
    assert told["span"].events == ()


def test_awaited_calls_are_traced_alike(traced):
    asyncio.run(echo.acall("Hi"))
    assert traced.one["output"] == "Hi"


def test_what_a_provider_answered_is_told(traced, openai, server):
    server.enqueue(Reply.chat("Hello", headers={"x-request-id": "req_1"}))
    response = openai("Say hi!")
    told = traced.one
    assert told["model.name"] == response.model
    assert told["cost_details"]["total"] == pytest.approx(float(response.cost))
    assert told["usage_details"]["total"] == response.usage.total_tokens
    assert told["metadata.attempts"] == 1
    assert [one["status_code"] for one in told["metadata.attempt_list"]] == [200]
    assert told["metadata.request_id"] == response.request_id == "req_1"


def test_input_is_the_request_that_was_sent(traced):
    with register_hook(
        "before_call", lambda request: request.with_(messages=[{"role": "user", "content": "changed"}], temperature=1.0)
    ):
        echo("Hi")
    told = traced.one
    assert told["input"] == [{"role": "user", "content": "changed"}]
    assert told["model.parameters"]["temperature"] == 1.0


def test_tool_calls_are_told_in_openais_shape(traced):
    tool = {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    echo("Paris", tools=[tool])
    told = traced.one
    assert told["input"]["tools"] == [tool]
    (call,) = told["output"]["tool_calls"]
    assert call["function"] == {"name": "weather", "arguments": '{"city":"Paris"}'}
    assert told["metadata.finish_reason"] == "tool_calls"


def test_a_cache_hit_costs_nothing(traced):
    model = echo.with_(enable_cache=True)
    model("Hi"), model("Hi")
    missed, hit = traced.all
    assert (missed["metadata.cached"], hit["metadata.cached"]) == (False, True)
    assert hit["cost_details"] == {"input": 0.0, "output": 0.0, "total": 0.0}
    assert hit["output"] == "Hi"


def test_a_read_stream_is_one_generation(traced):
    assert "".join(delta.content for delta in echo("one two three", stream=True)) == "one two three"
    told = traced.one
    assert told["output"] == "one two three"
    assert "level" not in told


def test_the_time_to_the_first_token_is_told(traced):
    answer = Generation(content="Hi", first_token=0.25)
    with register_hook("before_call", lambda request: answer):
        echo("Hi")
    told = traced.one
    began = told["span"].start_time / 1e9
    assert parsed(told["completion_start_time"]) == pytest.approx(began + 0.25, abs=0.05)


def parsed(text):
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_a_stream_left_early_is_a_warning_with_what_had_arrived(traced):
    with echo("one two three four five", stream=True) as stream:
        first = next(stream).content
    told = traced.one
    assert (told["level"], told["status_message"]) == ("WARNING", "abandoned")
    assert told["output"].startswith(first)


def test_a_stream_that_nobody_reads_any_more_is_a_warning(traced):
    stream = echo("one two three four five", stream=True)
    next(stream)
    del stream
    gc.collect()
    told = traced.one
    assert (told["level"], told["status_message"]) == ("WARNING", "abandoned")
    assert told["input"] == [{"role": "user", "content": "one two three four five"}]


def test_a_garbage_collected_stream_from_a_server_is_a_warning(traced, openai):
    stream = openai("Hi", stream=True)
    next(stream)
    del stream
    gc.collect()
    until(lambda: traced.spans)
    assert traced.one["level"] == "WARNING"


def test_a_cancelled_call_is_a_warning(traced, openai, server):
    server.enqueue(Reply.chat(delay=30))

    async def cancelled():
        task = asyncio.create_task(openai.acall("Hi"))
        await asyncio.to_thread(server.wait_for, lambda server: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert traced.one["status_message"] == "abandoned"


def until(fact, seconds=5):
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Failures.


def test_a_failed_call_is_an_error_with_its_text_redacted(traced, openai, server):
    server.enqueue(Reply.error(401, f"Incorrect API key provided: {KEY}"))
    with pytest.raises(magma.ModelError):
        openai("Hi")
    told = traced.one
    assert told["level"] == "ERROR"
    assert told["status_message"].startswith("AuthenticationError: ")
    assert told["metadata.attempts"] == 1
    assert told["span"].status.description == told["status_message"]
    assert told["span"].events == ()
    assert KEY not in told["span"].to_json()


def test_each_attempt_of_a_retried_call_is_told(traced, openai, server):
    server.enqueue(Reply.error(503, "busy"))
    assert openai("Hi").content
    told = traced.one
    assert told["metadata.attempts"] == 2
    assert [one["status_code"] for one in told["metadata.attempt_list"]] == [503, 200]
    assert "busy" in told["metadata.attempt_list"][0]["error"]


@pytest.mark.parametrize("first", [True, False], ids=["by a hook before ours", "by a hook after ours"])
def test_a_veto_is_an_error(traced, monkeypatch, first):
    def veto(request):
        raise PermissionError(f"no: {KEY}")

    if first:
        from magma._call import hooks

        monkeypatch.setitem(hooks._registered, "before_call", (veto, *hooks._registered["before_call"]))
        trace.install()
        with pytest.raises(PermissionError):
            echo("Hi", api_key=KEY)
    else:
        with register_hook("before_call", veto), pytest.raises(PermissionError):
            echo("Hi", api_key=KEY)
    told = traced.one
    assert (told["level"], told["status_message"]) == ("ERROR", "PermissionError: no: [redacted]")


def test_no_secret_is_exported(traced, openai, server):
    model = openai.with_(extra_headers={"X-Api-Key": "header-secret-123"}, extra={"my_token": "extra-secret-123"})
    with register_hook("before_call", lambda request: request.with_(user=f"it is {KEY}")):
        try:
            model(f"My key is {KEY}")
        except magma.ModelError:
            pass
    exported = traced.one["span"].to_json()
    for secret in (KEY, "header-secret-123", "extra-secret-123", "sk-lf-1234567890abcdef"):
        assert secret not in exported


def test_a_lone_surrogate_does_not_cost_the_batch(traced):
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    with register_hook("before_call", lambda request: Generation(content="\ud83d")):
        echo("Hi")
    assert encode_spans(traced.spans).SerializePartialToString()


# Where spans belong.


def test_buckets_are_disjoint():
    usage = Usage(input_tokens=100, output_tokens=50, cache_read_tokens=60, cache_write_tokens=10, reasoning_tokens=20)
    told = trace.usage_details(usage)
    assert told == {
        "input": 30,
        "input_cached_tokens": 60,
        "input_cache_creation": 10,
        "output": 30,
        "output_reasoning_tokens": 20,
        "total": 150,
    }
    assert sum(told.values()) - told["total"] == told["total"]
    assert trace.usage_details(Usage(output_tokens=3)) == {"output": 3}


def test_spans_nest_below_the_hosts_and_are_not_current_themselves(traced):
    host = TracerProvider(shutdown_on_exit=False).get_tracer("host")
    seen = []

    def look(*_):
        seen.append(otel.get_current_span())

    with host.start_as_current_span("outer") as outer, register_hook("after_call", look):
        for _ in echo("one two", stream=True):
            look()
        look()
    assert set(seen) == {outer}
    assert traced.one["span"].parent.span_id == outer.get_span_context().span_id


def test_concurrent_calls_and_threads_do_not_mix(traced):
    async def many():
        await asyncio.gather(*(echo.acall(f"task {n}") for n in range(20)))

    threads = [threading.Thread(target=echo, args=(f"thread {n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    asyncio.run(many())
    for thread in threads:
        thread.join()
    found = traced.all
    assert sorted(one["output"] for one in found) == sorted(
        f"{kind} {n}" for kind in ("task", "thread") for n in range(20)
    )
    assert all(one["input"][0]["content"] == one["output"] for one in found)
    assert len({one["span"].context.trace_id for one in found}) == 40


def test_other_keys_make_another_client(traced, monkeypatch):
    echo("Hi")
    old = exporter._client
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-other")
    echo("Hi")
    assert exporter._client is not old
    assert old._ended.wait(5)
    assert len(traced.spans) == 2


def test_without_the_variables_nothing_is_traced_any_more(traced, monkeypatch):
    echo("Hi")
    monkeypatch.delenv("LANGFUSE_SECRET_KEY")
    echo("Hi")
    assert len(traced.spans) == 1


def test_the_hosts_client_of_the_same_project_is_used(keys):
    from langfuse import Langfuse

    memory = InMemorySpanExporter()
    seen = []

    def mask(*, data):
        seen.append(data)
        return data

    host = Langfuse(
        public_key=keys,
        secret_key="s",
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        span_exporter=memory,
        mask=mask,
    )
    with host.start_as_current_observation(name="outer", as_type="span"):
        echo("Hi")
    host.flush()
    inner, outer = memory.get_finished_spans()
    assert (inner.name, outer.name) == ("model:offline/echo", "outer")
    assert inner.parent.span_id == outer.context.span_id
    assert [{"role": "user", "content": "Hi"}] in seen
    assert not exporter._client.is_ours


def test_a_client_that_the_host_makes_later_is_its_own(traced, keys):
    from langfuse import Langfuse

    echo("Hi")
    memory = InMemorySpanExporter()
    host = Langfuse(
        public_key=keys, secret_key="s", tracer_provider=TracerProvider(shutdown_on_exit=False), span_exporter=memory
    )
    host.start_observation(name="theirs").end()
    host.flush()
    assert [span.name for span in memory.get_finished_spans()] == ["theirs"]
    assert traced.one["name"] == "model:offline/echo"


def test_nothing_global_is_changed(traced):
    echo("Hi")
    assert len(traced.spans) == 1
    assert isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider)


# LangFuse missing, dead, or wrongly set: the call does not notice.


def test_without_langfuse_installed_one_warning_says_what_to_install(keys, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "langfuse", None)
    assert echo("Hi").content == echo("Hi").content == "Hi"
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("magma", "WARNING")
    assert 'langfuse is not installed: pip install "magma-model[langfuse]"' in record.getMessage()


def test_a_setting_that_langfuse_cannot_read_is_one_warning(keys, monkeypatch, caplog):
    monkeypatch.setenv("LANGFUSE_SAMPLE_RATE", "often")
    echo("Hi"), echo("Hi")
    assert len(caplog.records) == 1


def test_what_fails_while_tracing_does_not_fail_the_call(keys, monkeypatch, caplog):
    class Broken:
        def start_observation(self, **_):
            raise RuntimeError("broken")

    monkeypatch.setattr(exporter, "make", lambda **_: Broken())
    monkeypatch.setattr(exporter.Client, "_wait_to_end", lambda self: self._ended.set())
    assert echo("Hi").content == "Hi"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.fixture
def receiver():
    """An OTLP receiver on the loopback: `.spans` are the attributes of those that came."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            receiver.headers.append(self.headers)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    receiver.spans += [
                        (span.name, {a.key: a.value.string_value for a in span.attributes}) for span in scope.spans
                    ]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.spans, receiver.headers = [], []
    receiver.url = f"http://127.0.0.1:{receiver.server_port}"
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    yield receiver
    receiver.shutdown()
    receiver.server_close()


def script(text, **environment):
    """Runs Python in a fresh process with LangFuse's variables; gives the process and the seconds after `last()`."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_"))}
    variables |= {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-abcdefgh"} | environment
    text = "import time, sys, os\nfrom magma import Model\necho = Model('offline/echo')\n" + textwrap.dedent(text)
    text += "\nsys.stderr.write(f'\\nLAST {time.time()}\\n')\n"
    done = subprocess.run(
        [sys.executable, "-c", text], env=variables, capture_output=True, text=True, timeout=60, check=True
    )
    stderr, _, last = done.stderr.rpartition("\nLAST ")
    said, _, after = last.partition("\n")
    return done.stdout, (stderr + after).strip(), time.time() - float(said)


def test_spans_arrive_at_the_end_of_the_process(receiver):
    stdout, stderr, seconds = script("echo('Hi'); echo('Ho')", LANGFUSE_BASE_URL=receiver.url)
    assert seconds < 1.5
    assert [name for name, _ in receiver.spans] == ["model:offline/echo"] * 2
    assert receiver.spans[0][1][PREFIX + "output"] == "Hi"
    assert receiver.headers[0]["Authorization"].startswith("Basic ")
    assert (stdout, stderr) == ("", "")


def test_a_forked_child_traces_by_itself(receiver):
    text = """
    import warnings; warnings.simplefilter("ignore")
    echo("parent")
    child = os.fork()
    if child == 0:
        echo("child")
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
    """
    script(text, LANGFUSE_BASE_URL=receiver.url)
    assert sorted(told[PREFIX + "output"] for _, told in receiver.spans) == ["child", "parent"]


HOST = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
provider = TracerProvider()
trace.set_tracer_provider(provider)
"""


def test_the_hosts_own_provider_stays_and_is_used(receiver):
    check = "\nwith trace.get_tracer('x').start_as_current_span('outer'): echo('Hi')\nassert trace.get_tracer_provider() is provider"
    script(HOST + check, LANGFUSE_BASE_URL=receiver.url)
    assert [name for name, _ in receiver.spans] == ["model:offline/echo"]


@pytest.mark.parametrize("host", ["", HOST], ids=["alone", "host's provider"])
@pytest.mark.parametrize("way", ["silent", "refused"])
def test_a_dead_langfuse_costs_two_seconds_at_exit_and_one_warning(way, host):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if way == "refused":
            listening.close()
        text = (
            host
            + "\necho('warm')\nt = time.perf_counter()\nfor n in range(200): echo('Hi')\nassert time.perf_counter() - t < 1"
        )
        stdout, stderr, seconds = script(text, LANGFUSE_BASE_URL=f"http://127.0.0.1:{port}")
    assert seconds < 3
    assert stdout == ""
    assert len(stderr.splitlines()) <= 1
    assert not stderr or stderr.startswith("LangFuse tracing: ")


def test_a_dead_langfuse_is_told_of_once(keys, monkeypatch, caplog):
    monkeypatch.setenv("LANGFUSE_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            echo("Hi")
        until(lambda: caplog.records)
        exporter._client.end(3)
    assert [record.name for record in caplog.records] == ["magma"]


def test_without_the_variables_nothing_is_imported():
    text = """
    echo("Hi")
    assert not [name for name in sys.modules if name.partition(".")[0] in ("langfuse", "opentelemetry")]
    assert "magma._call.trace" not in sys.modules
    """
    script("del os.environ['LANGFUSE_SECRET_KEY']\n" + textwrap.dedent(text))


def test_importing_langfuse_leaves_the_logging_of_httpx_alone(receiver):
    text = """
    import logging
    echo("Hi")
    logger = logging.getLogger("httpx")
    assert (logger.level, logger.handlers) == (0, [])
    assert "langfuse" in sys.modules
    """
    script(text, LANGFUSE_BASE_URL=receiver.url)
