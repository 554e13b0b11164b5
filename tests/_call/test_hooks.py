"""Hooks: order, what they may return, veto, failing observers, handles."""

import asyncio
import logging

import pytest

import magma
from magma import ConfigError, Generation, Model, errors, register_hook
from magma._call import hooks
from magma.testing import Reply, Server

ECHO = Model("offline/echo")


@pytest.fixture(autouse=True)
def no_hook_stays():
    yield
    assert all(not registered for registered in hooks._registered.values())


def test_they_run_in_order_of_registration_on_the_request():
    seen = []
    with (
        register_hook("before_call", lambda request: seen.append(("first", request.messages[0]["content"]))),
        register_hook("before_call", lambda request: seen.append(("second", request.model))),
        register_hook("after_call", lambda request, response: seen.append(("after", response.content))),
    ):
        ECHO("Hi")
    assert seen == [("first", "Hi"), ("second", "offline/echo"), ("after", "Hi")]


@pytest.mark.parametrize("driver", ["sync", "async", "stream", "async stream"])
def test_they_run_for_every_driver(driver):
    seen = []

    async def call():
        return await ECHO.acall("Hi")

    async def stream():
        return [delta async for delta in ECHO("Hi", stream=True)]

    drivers = {
        "sync": lambda: ECHO("Hi"),
        "async": lambda: asyncio.run(call()),
        "stream": lambda: list(ECHO("Hi", stream=True)),
        "async stream": lambda: asyncio.run(stream()),
    }
    with (
        register_hook("before_call", lambda request: seen.append("before")),
        register_hook("after_call", lambda request, response: seen.append(response.content)),
    ):
        drivers[driver]()
    assert seen == ["before", "Hi"]


def test_a_changed_request_is_what_is_sent():
    with register_hook("before_call", lambda request: request.with_(messages=[{"role": "user", "content": "Bye"}])):
        assert ECHO("Hi").content == "Bye"
    with register_hook("before_call", lambda request: request.with_(max_tokens=1)):
        assert ECHO("one two").content == "one"


def test_a_response_ends_the_call_there():
    with register_hook("before_call", lambda request: Generation(content="no need")):
        assert Model("openai/gpt-4o")("Hi").content == "no need"
        assert "".join(Model("openai/gpt-4o")("Hi", stream=True).consume()) == "no need"


def test_an_exception_is_a_veto_that_observers_see():
    class Veto(Exception):
        pass

    def veto(request):
        raise Veto("too dear")

    seen = []
    with (
        register_hook("before_call", veto),
        register_hook("on_error", lambda request, error: seen.append(error)),
        pytest.raises(Veto, match="too dear") as caught,
    ):
        ECHO("Hi")
    assert seen == [caught.value]


@pytest.mark.parametrize("name", ["after_call", "on_error", "on_retry"])
def test_a_failing_observer_is_logged_and_breaks_nothing(name, caplog):
    def fail(*args):
        raise ZeroDivisionError

    with register_hook(name, fail), Server() as server, caplog.at_level(logging.WARNING, "magma"):
        server.enqueue(Reply.error(503, headers={"retry-after": "0"}), Reply.chat("Hi"), Reply.error(400))
        model = Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1", max_retries=1)
        assert model("Hi").content == "Hi"
        with pytest.raises(errors.BadRequestError):
            model("Hi")
    assert "ZeroDivisionError" in caplog.text


def test_on_retry_is_told_the_error_and_the_wait():
    seen = []
    with (
        register_hook("on_retry", lambda request, error, wait: seen.append((error.status_code, wait))),
        Server() as server,
    ):
        server.enqueue(Reply.error(503, headers={"retry-after": "0"}), Reply.chat("Hi"))
        Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1")("Hi")
    assert seen == [(503, 0.0)]


def test_a_decorator_gives_a_handle_that_still_calls():
    @register_hook("before_call")
    def count(request):
        return None

    assert count(ECHO._request({})) is None
    count.remove()
    count.remove()


def test_unknown_names_and_wrong_things_are_refused():
    with pytest.raises(ConfigError, match="before_call"):
        register_hook("befor_call", print)
    with pytest.raises(ConfigError, match="function"):
        register_hook("before_call", "print")
    with register_hook("before_call", lambda request: "what?"), pytest.raises(ConfigError, match="str"):
        ECHO("Hi")


def test_a_hook_sees_the_callers_context():
    import contextvars

    user = contextvars.ContextVar("user")
    seen = []
    with register_hook("before_call", lambda request: seen.append(user.get())):
        user.set("alice")
        ECHO("Hi")

        async def main():
            user.set("bob")
            await ECHO.acall("Hi")

        asyncio.run(main())
    assert seen == ["alice", "bob"]


def test_a_request_cannot_be_changed_in_place():
    request = ECHO._request({"messages": []})
    with pytest.raises(AttributeError):
        request.model = "x"
    with pytest.raises(TypeError):
        request.params["x"] = 1
    with pytest.raises(ConfigError):
        request.with_(operation="embedding")
    assert request.with_(temperature=None).params == {}
    assert request.with_(model="openai/x").provider == "openai"


def test_hooks_are_found_where_the_seed_says():
    from magma.model import register_hook as the_same

    assert the_same is magma.register_hook
