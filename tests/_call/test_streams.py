"""Streams: both kinds of loop, leaving early, what is left behind, and what `.response` holds."""

import asyncio
import gc
import pickle

import pytest
import trio

import magma
from magma import Generation, Model, errors
from magma.testing import Reply, Server


@pytest.fixture
def server():
    with Server() as server:
        server.default = Reply.stream("one two three four")
        yield server


@pytest.fixture
def model(server):
    return Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1", max_retries=0)


async def read(stream):
    return [delta.content async for delta in stream]


def test_deltas_are_generations(model):
    deltas = list(model("Hi", stream=True))
    assert all(isinstance(delta, Generation) for delta in deltas)
    assert "".join(delta.content for delta in deltas) == "one two three four"


def test_nothing_is_asked_before_the_first_delta_is_wanted(model, server):
    stream = model("Hi", stream=True)
    assert server.requests == []
    next(stream)
    assert len(server.requests) == 1


def test_the_response_is_whole_after_the_end(model):
    stream = model("Hi", stream=True)
    with pytest.raises(RuntimeError, match="has not ended"):
        _ = stream.response
    list(stream)
    response = stream.response
    assert response.content == "one two three four"
    assert response.finish_reason == "stop"
    assert (response.usage.input_tokens, response.usage.output_tokens) == (9, 3)
    assert response.cost > 0
    assert response.message == {"role": "assistant", "content": "one two three four"}
    assert response.latency >= response.first_token > 0
    assert len(response.attempts) == 1
    assert pickle.loads(pickle.dumps(response)) == response


def test_usage_is_always_asked_for(model, server):
    list(model("Hi", stream=True))
    assert server.requests[0].json()["stream_options"] == {"include_usage": True}


def test_an_asyncio_loop_reads_it(model):
    assert "".join(asyncio.run(read(model("Hi", stream=True)))) == "one two three four"


def test_a_trio_loop_reads_it(model):
    assert "".join(trio.run(read, model("Hi", stream=True))) == "one two three four"


def test_acall_gives_a_stream(model):
    async def main():
        stream = await model.acall("Hi", stream=True)
        return "".join(await read(stream))

    assert asyncio.run(main()) == "one two three four"
    assert trio.run(main) == "one two three four"


def test_consume_gives_the_text_in_both_kinds_of_loop(model):
    assert "".join(model("Hi", stream=True).consume()) == "one two three four"

    async def main():
        return "".join([piece async for piece in model("Hi", stream=True).consume()])

    assert asyncio.run(main()) == "one two three four"


def test_tool_calls_are_assembled(model, server):
    server.default = Reply.stream(None, tool_calls=[("add", {"a": 1}), ("sub", {"b": 2})], finish_reason="tool_calls")
    stream = model("Hi", stream=True)
    deltas = list(stream)
    assert any(delta.tool_calls for delta in deltas)
    assert [(call.name, call.arguments) for call in stream.response.tool_calls] == [
        ("add", {"a": 1}),
        ("sub", {"b": 2}),
    ]


def chunk(delta, reason=None):
    return {"id": "1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def test_tool_call_deltas_without_index_are_kept_apart():
    from magma._call.assemble import Assembly

    assembly = Assembly()
    for part in (
        {"id": "a", "function": {"name": "add", "arguments": '{"x"'}},
        {"function": {"arguments": ": 1}"}},
        {"id": "b", "function": {"name": "sub", "arguments": ""}},
        {"id": "b", "function": {"arguments": '{"y": 2}'}},
    ):
        assembly.add(chunk({"tool_calls": [part]}))
    calls = assembly.answer().body["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls] == [
        ("a", "add", '{"x": 1}'),
        ("b", "sub", '{"y": 2}'),
    ]


def test_tool_call_deltas_may_come_in_any_order():
    from magma._call.assemble import Assembly

    assembly = Assembly()
    for index, name, arguments in ((1, "sub", '{"y"'), (0, "add", "{"), (1, None, ": 2}"), (0, None, "}")):
        function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
        assembly.add(
            chunk({"tool_calls": [{"index": index, "id": f"c{index}" if name else None, "function": function}]})
        )
    calls = assembly.answer().body["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("c0", "{}"), ("c1", '{"y": 2}')]


def test_thinking_blocks_keep_their_signatures():
    from magma._call.assemble import Assembly

    assembly = Assembly()
    for block in (
        {"thinking": "Let "},
        {"thinking": "me."},
        {"thinking": "", "signature": "s1"},
        {"thinking": "Then.", "signature": "s2"},
    ):
        assembly.add(chunk({"thinking_blocks": [{"type": "thinking", **block}]}))
    blocks = assembly.answer().body["choices"][0]["message"]["thinking_blocks"]
    assert [(block["thinking"], block["signature"]) for block in blocks] == [("Let me.", "s1"), ("Then.", "s2")]


# Leaving early.


def hanging(server):
    server.default = Reply.stream("one two three four", cut_after=2, cut="hang")


@pytest.mark.parametrize("leave", ["close", "with", "error", "break and delete"])
def test_leaving_early_closes_the_connection(model, server, leave):
    hanging(server)
    stream = model("Hi", stream=True)
    assert next(stream).content
    if leave == "close":
        stream.close()
    elif leave == "with":
        with stream:
            pass
    elif leave == "error":
        with pytest.raises(KeyError), stream:
            raise KeyError
    else:
        del stream
        gc.collect()
    assert server.wait_for(lambda server: server.disconnects == 1)


def test_what_had_arrived_is_the_response(model, server):
    hanging(server)
    with model("Hi", stream=True) as stream:
        first = next(stream)
    assert stream.response.content == first.content
    assert stream.response.finish_reason is None
    assert stream.response.usage is None
    assert stream.response.warnings == ("the stream was left before its end",)
    assert list(stream) == []


def test_leaving_before_the_first_delta_asks_nothing(model, server):
    with model("Hi", stream=True) as stream:
        pass
    assert list(stream) == []
    assert server.requests == []


def test_a_cancelled_task_closes_the_connection(model, server):
    hanging(server)

    async def main():
        task = asyncio.create_task(read(model("Hi", stream=True)))
        await asyncio.to_thread(server.wait_for, lambda server: server.in_flight == 1)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert server.wait_for(lambda server: server.disconnects == 1)


def test_a_cancelled_trio_scope_closes_the_connection(model, server):
    hanging(server)

    async def main():
        with trio.move_on_after(0.2) as scope:
            await read(model("Hi", stream=True))
        assert scope.cancelled_caught

    trio.run(main)
    assert server.wait_for(lambda server: server.disconnects == 1)


def test_a_cancelled_call_closes_the_connection(model, server):
    server.default = Reply.raw(*Reply.stream("x", cut_after=0, cut="hang").script)

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(model.acall("Hi"), 0.3)

    asyncio.run(main())
    assert server.wait_for(lambda server: server.disconnects == 1)


def test_a_slow_reader_loses_nothing(model, server):
    words = [f"w{number} " for number in range(3_000)]
    server.default = Reply.stream(words)
    stream = model("Hi", stream=True)
    first = next(stream).content

    async def rest():
        await asyncio.sleep(0.3)
        return await read(stream)

    assert [first, *asyncio.run(rest())] == words


def test_a_stream_with_errors_says_so(model, server):
    server.default = Reply.error(401)
    stream = model("Hi", stream=True)
    with pytest.raises(errors.AuthenticationError):
        next(stream)
    with pytest.raises(RuntimeError, match="error"):
        _ = stream.response
    assert list(stream) == []


def test_a_broken_stream_is_retried_only_before_its_first_delta(model, server):
    server.enqueue(Reply.stream("a b", cut_after=0, cut="reset"), Reply.stream("a b"))
    assert "".join(model.with_(max_retries=1)("Hi", stream=True).consume()) == "a b"
    assert len(server.requests) == 2
    server.reset()
    server.enqueue(Reply.stream("a b", cut_after=1, cut="reset"), Reply.stream("a b"))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(model.with_(max_retries=1)("Hi", stream=True))
    assert caught.value.partial.content.strip() == "a"
    assert pickle.loads(pickle.dumps(caught.value)).partial == caught.value.partial
    assert len(server.requests) == 1


def test_a_server_that_ignores_stream_is_read_all_the_same(model, server):
    server.default = Reply.chat("one two")
    stream = model("Hi", stream=True)
    assert [delta.content for delta in stream] == ["one ", "two"]
    assert stream.response.usage.output_tokens == 3


def test_model_async_streams_too(server):
    model = magma.ModelAsync("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1")

    async def main():
        both = await read(model("Hi", stream=True)), await read(await model("Hi", stream=True))
        return ["".join(pieces) for pieces in both]

    assert asyncio.run(main()) == ["one two three four"] * 2
