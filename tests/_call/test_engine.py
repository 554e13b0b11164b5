"""The engine under what breaks others: forks, many loops, threads, Ctrl-C, abandoned streams, load."""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
import trio

from magma import Model
from magma.testing import Reply, Server


def echo(received):
    """A server that repeats the last user text, so that a mixed-up answer shows."""
    body = received.json()
    text = body["messages"][-1]["content"]
    return Reply.stream(text) if body.get("stream") else Reply.chat(text)


@pytest.fixture
def server():
    with Server() as server:
        server.default = echo
        yield server


@pytest.fixture
def model(server):
    return Model("openai/gpt-4o", api_base=server.url + "/v1", api_key="test-key-1", max_retries=0)


def run_script(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork_every_child_gets_its_own_answers(model):
    model("before")
    stop = threading.Event()
    wrong = []

    def parent():
        number = 0
        while not stop.is_set():
            number += 1
            if model(f"parent {number}").content != f"parent {number}":
                wrong.append(number)

    thread = threading.Thread(target=parent)
    thread.start()
    children = []
    for number in range(20):
        pid = os.fork()
        if pid == 0:
            try:
                good = all(model(f"child {number} {turn}").content == f"child {number} {turn}" for turn in range(3))
                streamed = "".join(model(f"child {number}", stream=True).consume()) == f"child {number}"
                os._exit(0 if good and streamed else 1)
            except BaseException:
                os._exit(2)
        children.append(pid)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    stop.set()
    thread.join()
    assert statuses == [0] * 20
    assert wrong == []


def test_many_event_loops_share_few_sockets(model, server):
    async def main(number):
        return (await model.acall(f"loop {number}")).content

    model("warm up")
    before = server.open_connections
    for number in range(30):
        assert asyncio.run(main(number)) == f"loop {number}"
    assert server.open_connections - before <= 2


def test_many_event_loops_leave_nothing_on_stderr(server):
    done = run_script(
        """
        import asyncio, sys, magma
        model = magma.Model("openai/gpt-4o", api_base=sys.argv[1], api_key="test-key-1")
        async def main(number):
            assert (await model.acall(str(number))).content == str(number)
            async for _ in model("x y z", stream=True): pass
        for number in range(30):
            asyncio.run(main(number))
        """,
        server.url + "/v1",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_many_calls_at_once_are_all_right_and_none_waits(model, server):
    """The server holds every answer back until all 200 requests are there: a hidden limit would hang."""
    gate = threading.Event()
    server.default = lambda received: Reply.chat(received.json()["messages"][-1]["content"]).after(0.5)

    async def main():
        texts = [f"call {number}" for number in range(200)]
        responses = await asyncio.gather(*[model.acall(text) for text in texts])
        return [response.content for response in responses] == texts

    model("warm up")
    assert asyncio.run(main())
    assert server.max_in_flight >= 150
    gate.set()


def test_many_threads_each_get_their_own_answer(model):
    wrong = []

    def work(number):
        for turn in range(10):
            text = f"{number} {turn}"
            if model(text).content != text or "".join(model(text, stream=True).consume()) != text:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_trio_and_asyncio_share_the_engine(model):
    async def main():
        return (await model.acall("Hi")).content

    assert (trio.run(main), asyncio.run(main()), model("Hi").content) == ("Hi", "Hi", "Hi")


def test_abandoned_streams_leave_no_sockets(model, server):
    server.default = Reply.stream("one two three", cut_after=2, cut="hang")
    for _ in range(60):
        stream = model("Hi", stream=True)
        next(stream)
        del stream
    gc.collect()
    assert server.wait_for(lambda server: server.disconnects == 60, timeout=10)
    assert server.wait_for(lambda server: server.open_connections <= 2, timeout=10)
    server.default = echo
    assert model("still here").content == "still here"


def test_a_stream_may_be_read_in_another_thread_and_loop(model):
    stream = model("one two three", stream=True)
    pieces = [next(stream).content]
    thread = threading.Thread(target=lambda: pieces.append(next(stream).content))
    thread.start()
    thread.join()

    async def rest():
        pieces.extend([delta.content async for delta in stream])

    asyncio.run(rest())
    assert "".join(pieces) == "one two three"


@pytest.mark.parametrize("streams", [False, True])
def test_ctrl_c_ends_a_waiting_call(server, streams):
    server.default = Reply.stream("one", cut_after=1, cut="hang") if streams else Reply.chat("late", delay=60)
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal, sys, magma\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
            "model = magma.Model('openai/gpt-4o', api_base=sys.argv[1], api_key='test-key-1')\n"
            "try:\n"
            f"    result = model('Hi', stream={streams})\n"
            "    list(result)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted')\n",
            server.url + "/v1",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.wait_for(lambda server: server.in_flight == 1, timeout=60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("interrupted\n", "")
    assert server.wait_for(lambda server: server.disconnects == 1)


def test_the_callers_context_travels_with_the_request(model):
    import contextvars

    from magma._call.engine import engine

    user = contextvars.ContextVar("user")
    user.set("alice")

    async def look(job):
        return user.get()

    assert engine().start(look).take() == ("result", "alice")


def test_a_process_ends_at_once_after_a_call(server):
    done = run_script(
        """
        import sys, magma
        model = magma.Model("openai/gpt-4o", api_base=sys.argv[1], api_key="test-key-1")
        print(model("Hi").content)
        stream = model("one two three", stream=True)
        print(next(stream).content.strip())
        """,
        server.url + "/v1",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hi\none\n", "")


def test_the_body_holds_what_was_set_and_nothing_else(model, server):
    model.with_(top_p=0.5, seed=3, min_p=0.1, extra={"nested": {"a": [1]}})("Hi", system_prompt="Be brief.")
    assert server.requests[-1].json() == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 3,
        "min_p": 0.1,
        "nested": {"a": [1]},
    }
    assert server.requests[-1].headers["authorization"] == "Bearer test-key-1"


def test_a_ten_megabyte_prompt_arrives_whole(model, server):
    text = "word " * 2_000_000
    server.default = lambda received: Reply.chat(str(len(received.json()["messages"][0]["content"])))
    assert model(text).content == str(len(text))


def test_the_hosts_litellm_stays_as_it_was(server):
    done = run_script(
        """
        import os, sys, json, warnings
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm
        seen = []
        class Mine(litellm.integrations.custom_logger.CustomLogger):
            async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
                seen.append(kwargs["model"])
        litellm.callbacks = [Mine()]
        litellm.num_retries = 7
        before = {name: getattr(litellm, name) for name in ("drop_params", "num_retries", "cache", "request_timeout", "api_key")}
        import magma, time
        magma.Model("openai/gpt-4o", api_base=sys.argv[1], api_key="test-key-1")("Hi")
        after = {name: getattr(litellm, name) for name in before}
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            time.sleep(0.05)
        print(json.dumps([before == after, len(litellm.callbacks), seen]))
        """,
        server.url + "/v1",
    )
    assert json.loads(done.stdout) == [True, 1, ["gpt-4o"]], done.stderr
    assert len(server.requests) == 1


def test_the_environment_is_left_as_it_was(server, tmp_path):
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    done = run_script(
        """
        import os, sys, magma
        before = dict(os.environ)
        magma.Model("openai/gpt-4o", api_base=sys.argv[1], api_key="test-key-1")("Hi")
        changed = {name for name in os.environ if before.get(name) != os.environ[name]}
        print(sorted(changed), "FROM_DOTENV" in os.environ)
        """,
        server.url + "/v1",
        cwd=tmp_path,
    )
    assert done.stdout.strip().endswith("False"), done.stderr
