"""One call of every model type by every driver: a value, or a typed error, and exactly so many requests."""

import socket
from time import monotonic

import pytest

from magma import Cache, errors, register_hook
from magma.errors import AuthenticationError, BadRequestError, ServerError
from magma.testing import Reply, Server
from magma.testing.steps import Hang


def statuses(told):
    return [attempt.status_code for attempt in told.attempts]


def answering(server, way, *before):
    """The server, with these replies before the good one."""
    server.enqueue(*before)
    if way.good is not None:
        server.default = way.good
    return server


def test_a_good_answer_is_a_value(server, way):
    response = way.ask(way.kind.handle(answering(server, way)))
    assert way.kind.shape(response.content) == way.kind.content
    assert response.consume() == response.content
    assert statuses(response) == [200]
    assert len(server.requests) == 1
    assert response.latency > 0
    assert not response.cached
    assert (response.cost is None) == (response.cost_reason is not None)
    assert (response.first_token is not None) == way.streams


def test_a_server_error_is_tried_again(server, way):
    response = way.ask(way.kind.handle(answering(server, way, Reply.error(500, retry_after=0))))
    assert way.kind.shape(response.content) == way.kind.content
    assert statuses(response) == [500, 200]
    assert len(server.requests) == 2


def test_every_request_counts_until_there_are_no_more(server, way):
    server.default = Reply.error(500, retry_after=0)
    with pytest.raises(ServerError) as caught:
        way.ask(way.kind.handle(server, max_retries=1))
    assert statuses(caught.value) == [500, 500]
    assert len(server.requests) == 2
    assert (caught.value.model, caught.value.status_code) == (way.kind.id, 500)


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (400, BadRequestError)])
def test_a_refusal_is_an_error_at_once(server, way, status, error):
    server.default = Reply.error(status, "no, thank you")
    with pytest.raises(error, match="no, thank you") as caught:
        way.ask(way.kind.handle(server))
    assert statuses(caught.value) == [status]
    assert len(server.requests) == 1
    assert not caught.value.retryable


def test_a_redirect_is_not_followed(server, way):
    server.default = Reply.redirect(f"{server.url}/elsewhere")
    with pytest.raises(errors.ConnectionError) as caught:
        way.ask(way.kind.handle(server))
    assert statuses(caught.value) == [307]
    assert len(server.requests) == 1


def test_nobody_listening_is_a_connection_error(way):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    handle = way.kind.handle(Closed(port), max_retries=0)
    with pytest.raises(errors.ConnectionError) as caught:
        way.ask(handle)
    assert statuses(caught.value) == [None]
    assert isinstance(caught.value, ConnectionError)


class Closed:
    """A server that is gone."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"


def test_a_silent_server_ends_with_the_deadline(server, way):
    server.default = Reply.raw(Hang())
    began = monotonic()
    with pytest.raises(errors.TimeoutError) as caught:
        way.ask(way.kind.handle(server, timeout=0.3))
    assert 0.2 < monotonic() - began < 5
    assert len(server.requests) == len(caught.value.attempts) == 1
    assert isinstance(caught.value, TimeoutError)


def test_an_answer_that_is_none_is_a_typed_error(server, way):
    server.default = Reply.json({"hello": "world"})
    with pytest.raises((ServerError, errors.ParseError)):
        way.ask(way.kind.handle(server, max_retries=0))
    assert len(server.requests) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_hooks_are_told_once(server, way, fails):
    told = []
    failure = Reply.error(400) if fails else Reply.error(500, retry_after=0)
    answering(server, way, failure)
    with (
        register_hook("before_call", lambda request: told.append(("before", request.operation))),
        register_hook("after_call", lambda request, response: told.append(("after", type(response).__name__))),
        register_hook("on_error", lambda request, error: told.append(("error", error.status_code))),
        register_hook("on_retry", lambda request, error, wait: told.append(("retry", error.status_code))),
    ):
        try:
            response = way.ask(way.kind.handle(server))
        except BadRequestError:
            response = None
    before = ("before", way.kind.type.operation)
    if fails:
        assert told == [before, ("error", 400)]
    else:
        assert told == [before, ("retry", 500), ("after", type(response).__name__)]


def test_a_cached_answer_asks_nothing_and_is_free(server, way):
    handle = way.kind.handle(answering(server, way), enable_cache=True)
    first, second = way.ask(handle), way.ask(handle)
    assert len(server.requests) == 1
    assert (first.cached, second.cached) == (False, True)
    assert (second.cost, second.attempts) == (0, ())
    assert second.content == first.content
    assert type(second.content) is type(first.content)


def test_a_stream_and_a_call_share_the_cache(server, way):
    handle = way.kind.handle(answering(server, way), enable_cache=True)
    first = way.ask(handle)
    second = handle(*way.kind.inputs)
    assert second.cached
    assert second.content == first.content


def test_a_cache_file_holds_the_same(server, way, tmp_path):
    handle = way.kind.handle(answering(server, way), cache=Cache(tmp_path / "cache.db"))
    first = way.ask(handle)
    again = handle.with_(cache=Cache(tmp_path / "cache.db"))  # as another process would open it
    second = way.ask(again)
    assert len(server.requests) == 1
    assert second.cached
    assert second.content == first.content
    assert type(second.content) is type(first.content)


def test_offline_there_is_an_answer_without_a_server(way):
    handle = way.kind.type("offline/echo", **way.kind.needs)
    response = way.ask(handle)
    assert (handle.id, response.attempts, response.cost) == ("offline/echo", (), 0)
    assert response.content is not None


def test_a_server_of_its_own_closes_what_was_open(way):
    with Server() as server:
        way.ask(way.kind.handle(answering(server, way)))
        assert server.wait_for(lambda server: server.in_flight == 0)
        assert server.disconnects == 0
        assert server.errors == []
