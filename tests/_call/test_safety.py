"""What leaves, what stays: keys in every place, the frozen request, errors without LiteLLM's objects, odd input."""

import enum
import gc
import subprocess
import sys
import threading
import traceback

import pytest

from magma import Cache, ConfigError, Generation, Model, errors, register_hook
from magma.errors import is_secret_name
from magma.testing import Reply

KEY = "sk-secret-0123456789"


@pytest.fixture
def model(server):
    return Model("openai/gpt-4o", api_base=server.url + "/v1", api_key=KEY, max_retries=0)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    "reply", [Reply.error(401, f"Incorrect API key {KEY}"), Reply.text("<html>", 200), Reply.error(500)]
)
def test_no_object_of_litellm_is_reachable_from_an_error(model, server, reply, streams):
    server.default = reply
    with pytest.raises(errors.ModelError) as caught:
        list(model("Hi", stream=True)) if streams else model("Hi")
    chain, error = [], caught.value
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    assert all(type(one).__module__ == "magma.errors" for one in chain)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert KEY not in shown


def test_a_key_with_a_line_break_is_named_before_anything_is_sent(server, monkeypatch):
    with pytest.raises(ConfigError, match="api_key holds a line break") as caught:
        Model("openai/gpt-4o", api_key=KEY + "\n")
    assert KEY not in str(caught.value)
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    with pytest.raises(errors.BadRequestError, match="line break") as refused:
        Model("openai/gpt-4o", api_base=server.url + "/v1")("Hi")
    assert refused.value.attempts == ()
    assert server.requests == []


def test_what_never_left_is_no_attempt():
    with pytest.raises(errors.AuthenticationError) as caught:
        Model("openai/gpt-4o")("Hi")
    assert caught.value.attempts == ()
    with pytest.raises(errors.UnsupportedParamsError) as caught:
        Model("openai/o3-mini", temperature=0.5, api_key=KEY)("Hi")
    assert caught.value.attempts == ()


@pytest.mark.parametrize(
    "options",
    [
        {"extra": {"openai_api_key": KEY}},
        {"OPENAI_API_KEY": KEY},
        {"extra": {"OPENAI_API_KEY": KEY}},
        {"openai_api_key": KEY},
    ],
    ids=str,
)
def test_a_providers_key_never_reaches_a_body(server, options):
    Model("openai/gpt-4o", api_base=server.url + "/v1", **options)("Hi")
    assert KEY.encode() not in server.requests[0].body
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_last_given_key_wins():
    model = Model("groq/x", groq_api_key="key-number-1")
    assert model.with_(groq_api_key="key-number-2").api_key.get_secret_value() == "key-number-2"
    assert model.with_(groq_api_key="key-number-1") == model


def test_a_constructors_key_beats_the_environments(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_API_KEY", "from-the-environment")
    assert Model("groq/x", groq_api_key="given-key").api_key.get_secret_value() == "given-key"


def test_base_url_is_api_base(server):
    assert Model("openai/x", base_url="http://a/v1").api_base == "http://a/v1"
    assert Model("openai/x", api_base="http://a/v1").with_(base_url="http://b/v1").api_base == "http://b/v1"
    with pytest.raises(ConfigError, match="base_url"):
        Model("openai/x", api_base="http://a/v1", base_url="http://b/v1")
    with pytest.raises(ConfigError, match="api_base"):
        Model("openai/x", base_url="file:///x")


@pytest.mark.parametrize(
    "url",
    [
        "user:hunter22@host",
        "http:user:hunter22@host/v1",
        "http://user:hun/ter22@host/v1",
        "http://user:hunter22\uff20host",
        "http://host/v1?api_key=hunter22",
        "http://host/v1?sig=hunter22",
    ],
)
def test_a_url_with_a_secret_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError) as caught:
        Model("openai/x", api_base=url)
    assert "hun" not in str(caught.value)


@pytest.mark.parametrize("headers", [{"X A:": "b"}, {"": "b"}, {"a": "b\nc"}, {"a": "\u2013"}, {"a": 1}, [1]], ids=str)
def test_headers_that_http_cannot_carry_are_refused(headers):
    with pytest.raises(ConfigError, match="extra_headers"):
        Model("openai/x", extra_headers=headers)


def test_nested_secrets_are_redacted(model, server):
    server.default = lambda received: Reply.error(400, f"you sent {received.body.decode()}")
    with pytest.raises(errors.BadRequestError) as caught:
        model.with_(auth={"password": "hunter2222"}, extra_headers={"Ocp-Apim-Subscription-Key": "abcdef-123456"})("Hi")
    assert "hunter2222" not in f"{caught.value} {caught.value.body} {caught.value.attempts}"
    assert "hunter2222" not in repr(model.with_(auth={"password": "hunter2222"}))


@pytest.mark.parametrize(
    "name", ["stop_token_ids", "eos_token_id", "token_healing", "max_tokens", "logit_bias", "keep_alive", "monkey"]
)
def test_parameters_about_tokens_are_no_secrets(name):
    assert not is_secret_name(name)
    model = Model("offline/echo", enable_cache=True)
    if name in ("stop_token_ids", "eos_token_id"):
        model.with_(**{name: 1})("Hi")
        assert not model.with_(**{name: 2})("Hi").cached


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "X-Api-Key",
        "hf_token",
        "token",
        "AWS_SESSION_TOKEN",
        "Ocp-Apim-Subscription-Key",
        "passphrase",
        "X-Functions-Key",
        "cookie",
    ],
)
def test_secrets_are_known_by_name(name):
    assert is_secret_name(name)


def test_a_str_enum_is_its_value(model, server):
    class Role(str, enum.Enum):  # noqa: UP042 - whose str() is "Role.USER"
        USER = "user"
        TEXT = "hey"

    model([{"role": Role.USER, "content": Role.TEXT}])
    assert server.requests[0].json()["messages"] == [{"role": "user", "content": "hey"}]


BAD_MESSAGES = [
    [{"role": "user", "content": ""}],
    [{"role": "user", "content": "  "}],
    [{"role": "user", "content": [{"type": "text"}]}],
    [{"role": "user", "content": [{"type": "text", "text": 3}]}],
    [{"role": "user", "content": [{"type": "image_url"}]}],
    [{"role": "tool", "content": "42"}],
    [{"role": "assistant", "tool_calls": "x"}],
    [{"role": "assistant", "tool_calls": [1]}],
    [{"role": "user", "content": "a", "x\ud800": 1}],
    [{"role": "user", "content": "a", 5: 1}],
]


@pytest.mark.parametrize("messages", BAD_MESSAGES, ids=ascii)
def test_malformed_messages_are_refused(messages):
    with pytest.raises(ConfigError):
        Model("offline/echo")(messages)


@pytest.mark.parametrize(
    "tool", [{"type": "function"}, {"type": "function", "function": 5}, {"type": "function", "function": {}}]
)
def test_malformed_tools_are_refused(tool):
    with pytest.raises(ConfigError, match="function"):
        Model("offline/echo")("Hi", tools=[tool])


CHANGES = [
    {"timeout": "x"},
    {"timeout": -1},
    {"messages": None},
    {"messages": []},
    {"model": None},
    {"extra_headers": 5},
    {"cache": 5},
    {"max_retries": "x"},
    {"api_base": "file:///etc/passwd"},
    {"params": {"x": object()}},
    {"stream": True},
    {"api_key": 5},
    {"x": object()},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_hook_cannot_make_a_request_that_cannot_work(change):
    with register_hook("before_call", lambda request: request.with_(**change)), pytest.raises(ConfigError):
        Model("offline/echo")("Hi")


def test_a_hook_may_change_what_it_may():
    with register_hook("before_call", lambda request: request.with_(messages="other", timeout=5, max_retries=0)):
        assert Model("offline/echo")("Hi").content == "other"


def test_async_hooks_are_refused():
    async def hook(request):
        return None

    with pytest.raises(ConfigError, match="async"):
        register_hook("before_call", hook)


@pytest.mark.parametrize("path", ["\0x", "a\ud800.db", b"x"])
def test_a_path_that_cannot_be_is_refused(path):
    with pytest.raises(ConfigError, match="cache path"):
        Cache(path)


def test_one_stream_has_one_reader(model, server):
    server.default = Reply.stream(["a"] * 20, gap=0.05)
    stream = model("Hi", stream=True)
    next(stream)
    told = []
    thread = threading.Thread(target=lambda: [told.append(delta.content) for delta in stream])
    thread.start()
    server.wait_for(lambda server: False, timeout=0.2)
    with pytest.raises(RuntimeError, match="another thread"):
        list(stream)
    thread.join()
    assert len(told) + 1 <= 20
    gc.collect()


def test_a_whole_stream_is_not_thrown_away_for_late_usage(model, server):
    from magma.testing.wire import Wait

    body = Reply.stream("all there", usage=(1, 2)).body
    server.default = Reply.sse(*body[:-2], Wait(5), *body[-2:])
    stream = model.with_(timeout=0.5)("Hi", stream=True)
    assert "".join(delta.content for delta in stream) == "all there"
    assert stream.response.finish_reason == "stop"
    assert stream.response.usage is None
    assert "in time" in stream.response.warnings[0]


def test_a_generation_has_a_mappings_methods():
    generation = Generation(content="a")
    assert dict(generation.items())["content"] == "a"
    assert "a" in generation.values()


def test_no_key_is_logged_at_any_level(server):
    code = (
        "import io, logging, sys\n"
        "out = io.StringIO()\n"
        "logging.basicConfig(level=logging.DEBUG, stream=out)\n"
        "import magma\n"
        f"key = {KEY!r}\n"
        "headers = {'Ocp-Apim-Subscription-Key': key + '-h', 'X-Token': key + '-t'}\n"
        "for id, path in (('openai/x', '/v1'), ('anthropic/x', ''), ('gemini/x', '/v1beta'), ('hosted_vllm/x', '/v1')):\n"
        "    model = magma.Model(id, api_base=sys.argv[1] + path, api_key=key, extra_headers=headers, max_retries=0)\n"
        "    for stream in (False, True):\n"
        "        try:\n"
        "            list(model('Hi', stream=stream))\n"
        "        except magma.ModelError as error:\n"
        "            logging.exception('failed: %r', error)\n"
        "print(key in out.getvalue(), 'failed' in out.getvalue())\n"
    )
    server.default = lambda received: Reply.error(401, f"bad key {received.headers.get('authorization')}")
    done = subprocess.run([sys.executable, "-c", code, server.url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False True"


@pytest.mark.parametrize("provider", ["anthropic/claude-x", "google/gemini-x"])
def test_a_block_that_litellm_would_leave_out_in_silence_is_an_error(server, provider):
    model = Model(provider, api_base=server.url, api_key="test-key-1")
    blocks = [
        {"type": "text", "text": "Who speaks?"},
        {"type": "audio_url", "audio_url": {"url": "https://x.test/a.mp3"}},
    ]
    with pytest.raises(errors.UnsupportedParamsError, match="audio_url"):
        model({"role": "user", "content": blocks})
    assert server.requests == []


@pytest.mark.parametrize("status", [200, 401])
def test_a_key_that_comes_back_as_the_request_id_is_redacted(server, status):
    reply = Reply.chat() if status == 200 else Reply.error(status)
    server.default = reply.with_headers({"x-request-id": "id-distinct-key-42-and-header-key-43"})
    model = Model(
        "openai/gpt-4o",
        api_base=server.url + "/v1",
        api_key="distinct-key-42",
        extra_headers={"x-api-token": "header-key-43"},
    )
    try:
        told = model("Hi").request_id
    except errors.AuthenticationError as error:
        told = f"{error.request_id} {error.attempts}"
    assert "distinct-key-42" not in told
    assert "header-key-43" not in told
    assert "[redacted]" in told


def test_a_session_token_is_in_no_log(server, caplog):
    caplog.set_level("DEBUG")
    keys = {"aws_access_key_id": "AKIDdistinct0001", "aws_secret_access_key": "SECRETdistinct0002"}
    model = Model(
        "bedrock/anthropic.claude-3-sonnet-20240229-v1:0",
        aws_bedrock_runtime_endpoint=server.url,
        aws_session_token="SESSdistinct0003",
        aws_region_name="us-east-1",
        max_retries=0,
        **keys,
    )
    with pytest.raises(errors.ModelError):
        model("Hi")
    assert server.requests[0].headers["x-amz-security-token"] == "SESSdistinct0003"
    assert "distinct" not in caplog.text.replace("AKIDdistinct0001", "")
