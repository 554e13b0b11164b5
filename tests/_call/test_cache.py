"""The cache: what is a hit, what is kept, the bound, sharing, single flight, replayed streams, files that fail."""

import asyncio
import os
import pickle
import sqlite3
import subprocess
import sys
import threading

import pytest

from magma import Cache, ConfigError, Model
from magma.testing import Reply


@pytest.fixture(params=["memory", "sqlite"])
def model(request, server, tmp_path):
    cache = Cache(size=3) if request.param == "memory" else Cache(tmp_path / "cache.db", size=3)
    return Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1", cache=cache)


def test_the_second_identical_call_asks_nobody(model, server):
    first, second = model("Hi"), model("Hi")
    assert second.content == first.content
    assert (first.cached, second.cached) == (False, True)
    assert second.cost == 0
    assert second.attempts == ()
    assert second.usage == first.usage
    assert len(server.requests) == 1
    assert model._response_cache.cache_info() == {"hits": 1, "misses": 1, "maxsize": 3, "currsize": 1}


def test_seed_001s_numbers(server):
    model = Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="k-123456", enable_cache=True, cache_size=128)
    for text in ("Test 1", "Test 1", "Test 2"):
        model([{"role": "user", "content": text}])
    assert model._response_cache.cache_info() == {"hits": 1, "misses": 2, "maxsize": 128, "currsize": 2}
    model._response_cache.cache_clear()
    assert model._response_cache.cache_info() == {"hits": 0, "misses": 0, "maxsize": 128, "currsize": 0}
    assert Model("openai/gpt-4o")._response_cache is None


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.5},
        {"max_tokens": 5},
        {"system_prompt": "Be brief."},
        {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}}]},
        {"min_p": 0.1},
        {"api_version": "2"},
        {"extra_headers": {"x-team": "a"}},
    ],
    ids=str,
)
def test_whatever_can_change_the_answer_is_another_entry(model, server, change):
    model("Hi")
    model("Hi", **change)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "change",
    [{"api_key": "another-key"}, {"timeout": 3.0}, {"max_retries": 0}, {"extra_headers": {"Authorization": "x"}}],
    ids=str,
)
def test_keys_and_timeouts_are_no_part_of_it(model, server, change):
    model("Hi")
    assert model("Hi", **change).cached


def test_a_clone_keeps_the_cache(model, server):
    model("Hi")
    assert model.with_(timeout=5)("Hi").cached


def test_the_least_recently_used_goes_first(model, server):
    for text in ("a", "b", "c", "a", "d"):
        model(text)
    assert len(model.cache) == 3
    assert model("a").cached
    assert not model("b").cached


def test_a_hit_is_everybodys_own(model):
    model("Hi")
    hit = model("Hi")
    hit.raw["choices"][0]["message"]["content"] = "spoilt"
    assert model("Hi").content == "Hello there!"
    assert model("Hi").message["content"] == "Hello there!"


@pytest.mark.parametrize(
    "reply",
    [Reply.error(400), Reply.chat("cut", finish_reason="length"), Reply.chat("no", finish_reason="content_filter")],
)
def test_errors_refusals_and_truncated_answers_are_not_kept(model, server, reply):
    server.enqueue(reply, Reply.chat("good"))
    try:
        model.with_(max_retries=0)("Hi")
    except Exception:
        pass
    assert model("Hi").content == "good"


def test_streams_fill_and_replay_it(model, server):
    server.default = Reply.stream("one two three")
    first = "".join(model("Hi", stream=True).consume())
    stream = model("Hi", stream=True)
    assert [delta.content for delta in stream] == ["one ", "two ", "three"]
    assert stream.response.cached
    assert stream.response.usage.output_tokens == 3
    assert model("Hi").content == first
    assert len(server.requests) == 1


def test_a_stream_that_was_left_early_is_not_kept(model, server):
    server.default = Reply.stream("one two three", cut_after=2, cut="hang")
    with model("Hi", stream=True) as stream:
        next(stream)
    assert len(model.cache) == 0


def test_identical_calls_in_flight_become_one(model, server):
    server.default = Reply.chat("one answer", delay=0.3)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(model("Hi").content)) for _ in range(8)]
    for thread in threads:
        thread.start()

    async def main():
        return await asyncio.gather(*[model.acall("Hi") for _ in range(8)])

    both = [response.content for response in asyncio.run(main())]
    for thread in threads:
        thread.join()
    assert answers + both == ["one answer"] * 16
    assert len(server.requests) == 1


def test_a_failed_flight_is_one_request(model, server):
    server.enqueue(Reply.error(400).after(0.3))
    server.default = Reply.chat("good")

    async def main():
        return await asyncio.gather(*[model.acall("Hi") for _ in range(4)], return_exceptions=True)

    results = asyncio.run(main())
    assert [type(result).__name__ for result in results] == ["BadRequestError"] * 4
    assert len(server.requests) == 1
    assert model("Hi").content == "good"


def test_a_fork_in_mid_flight_leaves_the_child_free(model, server):
    server.enqueue(Reply.chat("late", delay=3))
    server.default = Reply.chat("good")
    thread = threading.Thread(target=model, args=("Hi",))
    thread.start()
    server.wait_for(lambda server: server.in_flight == 1)
    with model.cache._lock:
        pid = os.fork()
        if pid == 0:
            os._exit(0 if model("Hi").content == "good" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    thread.join()


def test_a_sync_call_inside_trio_does_not_wait_for_a_sibling(model, server):
    import trio

    server.default = Reply.chat("good", delay=0.3)

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(model.acall, "Hi")
            await trio.sleep(0.05)
            assert model("Hi").content == "good"

    trio.run(main)


def test_a_cancelled_flight_frees_the_others(model, server):
    server.enqueue(Reply.chat("never", delay=60))
    server.default = Reply.chat("good")

    async def main():
        first = asyncio.create_task(model.acall("Hi"))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(model.acall("Hi"))
        await asyncio.sleep(0.1)
        first.cancel()
        return (await second).content

    assert asyncio.run(main()) == "good"


def test_a_sync_call_inside_a_loop_does_not_wait_for_that_loops_own_task(model, server):
    server.default = Reply.chat("good", delay=0.2)

    async def main():
        task = asyncio.create_task(model.acall("Hi"))
        await asyncio.sleep(0.05)
        inner = model("Hi")
        return inner.content, (await task).content

    assert asyncio.run(main()) == ("good", "good")


def test_a_file_is_shared_by_processes(server, tmp_path):
    path = tmp_path / "shared.db"
    code = (
        "import sys, magma\n"
        "model = magma.Model('openai/gpt-4o', api_base=sys.argv[1], api_key='test-key-1', cache=magma.Cache(sys.argv[2]))\n"
        "print(model('Hi').cached)"
    )
    outs = [
        subprocess.run(
            [sys.executable, "-c", code, server.url + "/v1", str(path)], capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert [out.stdout.strip() for out in outs] == ["False", "True"]
    assert len(server.requests) == 1


def test_many_threads_on_one_file(tmp_path):
    model = Model("offline/echo", cache=Cache(tmp_path / "c.db", size=50))
    wrong = []

    def work(number):
        for turn in range(40):
            text = f"{(number * turn) % 60}"
            if model(text).content != text:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(model.cache) <= 50


def test_a_cache_pickles_as_its_configuration(tmp_path):
    for cache in (Cache(size=5), Cache(tmp_path / "c.db", size=5)):
        assert pickle.loads(pickle.dumps(cache)) == cache
        assert hash(pickle.loads(pickle.dumps(cache))) == hash(cache)


def test_its_repr_says_how_it_fares(tmp_path):
    model = Model("offline/echo", enable_cache=True, cache_size=8)
    model("Hi")
    model("Hi")
    assert repr(model.cache) == "<Cache 1/8, 1 hit>"


# Files that fail.


def test_a_corrupt_file_is_a_config_error(tmp_path):
    path = tmp_path / "c.db"
    path.write_bytes(b"this is no database, but long enough to look at" * 100)
    with pytest.raises(ConfigError, match=r"c\.db"):
        Cache(path)


def test_another_programs_file_is_left_alone(tmp_path):
    path = tmp_path / "c.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(ConfigError, match="another program"):
        Cache(path)


def test_a_folder_that_is_not_there_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be made"):
        Cache(tmp_path / "no" / "c.db")
    (tmp_path / "c.db").mkdir()
    with pytest.raises(ConfigError, match=r"c\.db"):
        Cache(tmp_path / "c.db")


def test_a_locked_file_makes_misses_not_errors(tmp_path):
    path = tmp_path / "c.db"
    model = Model("offline/echo", cache=Cache(path))
    model("Hi")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert model("Bye").content == "Bye"
    other.execute("ROLLBACK")
    other.close()
    assert model("Hi").cached


def test_a_file_that_is_spoilt_in_use_makes_misses_not_errors(tmp_path):
    path = tmp_path / "c.db"
    model = Model("offline/echo", cache=Cache(path))
    model("Hi")
    for name in os.listdir(tmp_path):
        (tmp_path / name).write_bytes(b"spoilt" * 1000)
    assert model("Bye").content == "Bye"
    assert model("Hi").content == "Hi"


def test_making_a_model_makes_no_file(tmp_path):
    Model("offline/echo", cache=Cache(tmp_path / "c.db"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 1.5}, {"size": True}, {"path": ""}, {"path": 3}], ids=str)
def test_bad_arguments_are_named(options):
    with pytest.raises(ConfigError, match="cache"):
        Cache(**options)


def test_a_cache_that_nobody_asked_yet_is_false_so_that_a_hit_rate_can_be_guarded():
    model = Model("offline/echo", enable_cache=True)
    assert model._response_cache is not None
    assert not model._response_cache
    model("Hi")
    assert model._response_cache
    assert model._response_cache.cache_info()["misses"] == 1
