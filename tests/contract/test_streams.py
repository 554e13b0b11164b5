"""Streams of both types that have them, chat and speech: in pieces, left early, broken, silent; for both loops."""

import asyncio
import pickle

import pytest
import trio

import magma
from magma import errors
from magma.testing import Reply
from magma.testing.others import SOUND

LONG = [b"ID3" + bytes(997), bytes(1000), bytes(1000)]
REPLIES = {
    magma.Model: lambda **how: Reply.stream(["one ", "two ", "three"], **how),
    magma.Speaker: lambda **how: Reply.speech(LONG, **how),
}
WHOLE = {magma.Model: "one two three", magma.Speaker: b"".join(LONG)}


@pytest.fixture(params=["sync", "asyncio", "trio"])
def read(request):
    """Reads a stream to its end (or to so many deltas) and gives the contents."""

    def sync(stream, most=None):
        found = []
        for delta in stream:
            found.append(delta.content)
            if len(found) == most:
                break
        return found

    async def later(stream, most=None):
        found = []
        async for delta in stream:
            found.append(delta.content)
            if len(found) == most:
                break
        return found

    drivers = {
        "sync": sync,
        "asyncio": lambda stream, most=None: asyncio.run(later(stream, most)),
        "trio": lambda stream, most=None: trio.run(later, stream, most),
    }
    return drivers[request.param]


@pytest.fixture(params=[magma.Model, magma.Speaker], ids=lambda type: type.__name__)
def type_(request):
    return request.param


def opened(server, type_, **changes):
    base = {"api_base": f"{server.url}/v1", "api_key": "test-key-1", "timeout": 30}
    handle = type_("openai/any", **base | changes)
    return handle("Hi", stream=True)


def joined(pieces):
    return ("" if isinstance(pieces[0], str) else b"").join(pieces)


def test_it_comes_in_pieces_and_then_whole(server, type_, read):
    server.default = REPLIES[type_]()
    stream = opened(server, type_)
    pieces = read(stream)
    assert joined(pieces) == stream.response.content == WHOLE[type_]
    assert [attempt.status_code for attempt in stream.response.attempts] == [200]
    assert 0 < stream.response.first_token < stream.response.latency
    assert pickle.loads(pickle.dumps(stream.response)) == stream.response


def test_it_comes_while_it_is_made(server, type_, read):
    server.default = REPLIES[type_](cut_after=1, cut="hang")
    stream = opened(server, type_)
    assert len(read(stream, most=1)) == 1  # and the rest never comes
    stream.close()
    assert server.wait_for(lambda server: server.in_flight == 0)
    assert server.disconnects == 1


def test_broken_off_it_is_an_error_with_what_had_arrived(server, type_, read):
    server.default = REPLIES[type_](cut_after=2, cut="reset")
    stream = opened(server, type_)
    with pytest.raises(errors.StreamInterruptedError) as caught:
        read(stream)
    partial = caught.value.partial.content
    assert partial
    assert WHOLE[type_].startswith(partial)
    assert len(server.requests) == len(caught.value.attempts) == 1
    assert not caught.value.retryable
    assert pickle.loads(pickle.dumps(caught.value)).partial == caught.value.partial


def test_silent_in_the_middle_it_ends_with_the_idle_time(server, type_, read):
    server.default = REPLIES[type_](cut_after=2, cut="hang")
    with pytest.raises(errors.TimeoutError) as caught:
        read(opened(server, type_, timeout=magma.Timeout(idle=0.3)))
    assert caught.value.partial.content
    assert WHOLE[type_].startswith(caught.value.partial.content)
    assert server.wait_for(lambda server: server.in_flight == 0)


def test_left_early_it_is_what_had_arrived(server, type_, read):
    server.default = REPLIES[type_](gap=0.02)
    with opened(server, type_) as stream:
        first = read(stream, most=1)
    assert WHOLE[type_].startswith(joined(first))
    assert any("left before its end" in warning for warning in stream.response.warnings)
    assert server.wait_for(lambda server: server.in_flight == 0)


def test_nothing_is_sent_before_it_is_read(server, type_):
    stream = opened(server, type_)
    assert server.requests == []
    stream.close()
    assert server.requests == []


def test_what_it_consumes_is_the_same(server, type_):
    server.default = REPLIES[type_]()

    async def main():
        return [piece async for piece in opened(server, type_).consume()]

    assert joined(list(opened(server, type_).consume())) == joined(asyncio.run(main())) == WHOLE[type_]


def test_an_empty_sound_is_no_sound(server, read):
    server.default = Reply.speech(b"")
    with pytest.raises((errors.ServerError, errors.ParseError, errors.StreamInterruptedError)):
        read(opened(server, magma.Speaker, max_retries=0))


def test_a_json_error_instead_of_sound_is_no_sound(server, read):
    server.default = Reply.json({"error": {"message": "no voice left", "type": "server_error"}})
    with pytest.raises(errors.ModelError, match="no voice left"):
        read(opened(server, magma.Speaker, max_retries=0))
    server.default = Reply.text("<html>Bad gateway</html>", content_type="text/html")
    with pytest.raises(errors.ServerError):
        read(opened(server, magma.Speaker, max_retries=0))


def test_a_sound_from_the_cache_comes_in_pieces_too(server, read, tmp_path):
    server.default = Reply.speech(SOUND * 100)
    handle = {"cache": magma.Cache(tmp_path / "cache.db")}
    first = read(opened(server, magma.Speaker, **handle))
    stream = opened(server, magma.Speaker, cache=magma.Cache(tmp_path / "cache.db"))
    assert joined(read(stream)) == joined(first) == SOUND * 100
    assert stream.response.cached
    assert len(server.requests) == 1
