"""What a caller may pass as messages, and what is refused before anything is sent."""

import base64
import copy
import json
import pathlib
import pickle

import pytest

from magma import ConfigError, Model
from magma.blocks import AssistantMessage, ChatBlock, SystemMessage, ToolMessage, UserMessage
from magma.media import load
from magma.messages import to_messages
from magma.tools import ToolCall


def test_a_text_is_a_user_message():
    assert to_messages("Hi") == [{"role": "user", "content": "Hi"}]


def test_one_message_is_a_list_of_one():
    assert to_messages({"role": "user", "content": "Hi"}) == [{"role": "user", "content": "Hi"}]


def test_the_system_prompt_goes_first():
    assert [m["role"] for m in to_messages("Hi", "Be brief.")] == ["system", "user"]


def test_two_system_prompts_are_joined_by_a_blank_line():
    messages = [{"role": "system", "content": "B"}, {"role": "user", "content": "Hi"}]
    assert to_messages(messages, "A")[0] == {"role": "system", "content": "A\n\nB"}
    assert messages[0]["content"] == "B"


def test_the_callers_messages_are_copied():
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]}]
    before = copy.deepcopy(messages)
    taken = to_messages(messages, "System")
    taken[1]["content"][0]["text"] = "changed"
    assert messages == before


def test_other_keys_are_kept():
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1"}],
        "thinking_blocks": [{"signature": "s"}],
    }
    assert to_messages([message]) == [message]


BAD = [
    (None, "None"),
    ("", "empty"),
    ("   ", "empty"),
    ([], "empty"),
    ((), "empty"),
    (b"Hi", "bytes"),
    (3, "int"),
    ({"role": "user"}, "content"),
    ({"content": "Hi"}, "role None"),
    ({"role": "usr", "content": "Hi"}, "'usr'"),
    ({"role": ["user"], "content": "Hi"}, "role"),
    ([{"role": "user", "content": "a"}, "b"], r"messages\[1\]"),
    ([{"role": "user", "content": 3}], "int"),
    ([{"role": "user", "content": None}], "content"),
    ([{"role": "user", "content": []}], "empty"),
    ([{"role": "user", "content": ["a"]}], r"content\[0\]"),
    ([{"role": "user", "content": [{"text": "a"}]}], r"content\[0\]"),
    ([{"role": "assistant", "content": None}], "assistant"),
    ("lone \ud83d surrogate", "surrogate"),
    ([{"role": "user", "content": [{"type": "text", "text": "\udc00"}]}], r"messages\[0\].content\[0\].text"),
    ([{"role": "user", "content": "a", "x": object()}], "object"),
    ([{"role": "user", "content": "a", "x": float("nan")}], "nan"),
    (({"role": "user", "content": "a"} for _ in "a"), "generator"),
]


@pytest.mark.parametrize(
    ("messages", "told"), BAD, ids=[f"{number}-{type(messages).__name__}" for number, (messages, _) in enumerate(BAD)]
)
def test_messages_that_cannot_work_are_a_config_error(messages, told):
    with pytest.raises(ConfigError, match=told):
        Model("openai/gpt-4o")(messages)


def test_a_bad_system_prompt_is_a_config_error():
    with pytest.raises(ConfigError, match="system_prompt"):
        Model("offline/echo")("Hi", system_prompt=3)


@pytest.mark.parametrize("tools", ["x", [1], [{}], {"type": "function"}])
def test_bad_tools_are_a_config_error(tools):
    with pytest.raises(ConfigError, match="tools"):
        Model("offline/echo")("Hi", tools=tools)


def test_a_tool_choice_must_name_a_tool():
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    with pytest.raises(ConfigError, match="add"):
        Model("offline/echo")("Hi", tools=tools, tool_choice="subtract")
    with pytest.raises(ConfigError, match="needs tools"):
        Model("offline/echo")("Hi", tool_choice="auto")
    call = Model("offline/echo")("Hi", tools=tools, tool_choice="add").tool_calls[0]
    assert call.name == "add"


# --- messages and blocks, spelt short

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
MP3 = b"ID3\x04" + bytes(20)
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
WEB = "https://example.com/a.png"


@pytest.mark.parametrize(
    ("message", "same", "typed"),
    [
        (SystemMessage("Be brief."), {"role": "system", "content": "Be brief."}, "SystemMessage('Be brief.')"),
        (
            UserMessage("Hi", name="Ada"),
            {"role": "user", "content": "Hi", "name": "Ada"},
            "UserMessage('Hi', name='Ada')",
        ),
        (AssistantMessage("Hello"), {"role": "assistant", "content": "Hello"}, "AssistantMessage('Hello')"),
        (
            ToolMessage("22", tool_call_id="a"),
            {"role": "tool", "content": "22", "tool_call_id": "a"},
            "ToolMessage('22', tool_call_id='a')",
        ),
        (ChatBlock.user("Hi"), {"role": "user", "content": "Hi"}, "UserMessage('Hi')"),
        (ChatBlock.system("S"), {"role": "system", "content": "S"}, "SystemMessage('S')"),
        (ChatBlock.assistant("A"), {"role": "assistant", "content": "A"}, "AssistantMessage('A')"),
        (
            ChatBlock.tool("1", "a"),
            {"role": "tool", "content": "1", "tool_call_id": "a"},
            "ToolMessage('1', tool_call_id='a')",
        ),
    ],
)
def test_a_message_is_a_dict(message, same, typed):
    assert message == same
    assert (message.role, message.content) == (same["role"], same["content"])
    assert repr(message) == typed
    assert eval(typed) == message
    assert json.loads(json.dumps(message)) == same
    assert to_messages([message]) == to_messages(message) == [same]
    for made in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
        assert (type(made), made) == (type(message), message)


def test_an_assistant_s_tool_calls_in_any_spelling():
    wire = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"n": 1}'}}
    call = ToolCall(id="a", name="add", arguments={"n": 1}, raw='{"n": 1}')
    spelt = {"id": "a", "type": "function", "function": {"name": "add", "arguments": {"n": 1}}}
    message = AssistantMessage(tool_calls=[call, spelt, wire])
    assert message == {"role": "assistant", "content": None, "tool_calls": [wire] * 3}
    assert spelt["function"]["arguments"] == {"n": 1}
    assert to_messages([UserMessage("x"), message])[1] == message


def test_media_follow_the_text():
    image = ChatBlock.image(WEB)
    one = ChatBlock.user("Describe", media=image)
    assert one == {"role": "user", "content": [{"type": "text", "text": "Describe"}, image]}
    assert UserMessage("Describe", media=[image, image])["content"][1:] == [image, image]
    assert UserMessage(media=image)["content"] == [image]
    assert UserMessage([ChatBlock.text("a")], media=image)["content"] == [ChatBlock.text("a"), image]
    assert len(repr(UserMessage("x", media=ChatBlock.image(PNG + bytes(9999))))) < 300


@pytest.mark.parametrize("media", ["a.png", 3, [WEB], [{}], pathlib.Path("a.png")])
def test_media_must_be_blocks(media):
    with pytest.raises(ConfigError, match=r"ChatBlock\.image"):
        UserMessage("x", media=media)


def test_image_blocks(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    assert ChatBlock.image(WEB, detail="low") == {"type": "image_url", "image_url": {"url": WEB, "detail": "low"}}
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), PNG, PNG_URL):
        assert ChatBlock.image(source) == {"type": "image_url", "image_url": {"url": PNG_URL}}
    with pytest.raises(ConfigError, match="not image"):
        ChatBlock.image(MP3)


def test_audio_video_and_file_blocks(tmp_path):
    sound = {"data": base64.b64encode(MP3).decode(), "format": "mp3"}
    assert ChatBlock.audio(MP3) == {"type": "input_audio", "input_audio": sound}
    url = "https://example.com/a.mp3"
    assert ChatBlock.audio(url) == {"type": "file", "file": {"file_id": url, "format": "audio/mpeg"}}
    film = "https://example.com/film"
    assert ChatBlock.video(film) == {"type": "file", "file": {"file_id": film}}
    paper = "https://example.com/a.pdf"
    assert ChatBlock.file(paper) == {"type": "file", "file": {"file_id": paper}}
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7")
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7").decode()
    assert ChatBlock.file(tmp_path / "report.pdf") == {
        "type": "file",
        "file": {"file_data": data, "filename": "report.pdf"},
    }
    assert ChatBlock.file(b"%PDF-1.7", name="x.pdf")["file"]["filename"] == "x.pdf"


@pytest.mark.parametrize(
    "block", [ChatBlock.image(WEB), ChatBlock.audio(MP3), ChatBlock.video(WEB[:-3] + "mp4"), ChatBlock.file(b"x")]
)
def test_every_block_passes(block):
    assert to_messages(UserMessage("x", media=block))[0]["content"][1] == block


def block_of(block):
    return to_messages({"role": "user", "content": [block]})[0]["content"][0]


def test_paths_and_bytes_in_a_dict_become_data_urls(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    for source in (path, PNG, bytearray(PNG), load(PNG, what="image")):
        message = {"type": "image_url", "image_url": {"url": source, "detail": "low"}}
        assert block_of(message) == {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}}
        assert message["image_url"]["url"] is source
        assert block_of({"type": "image_url", "image_url": source})["image_url"] == {"url": PNG_URL}
    sound = {"data": base64.b64encode(MP3).decode(), "format": "mp3"}
    assert block_of({"type": "input_audio", "input_audio": {"data": MP3}})["input_audio"] == sound
    made = block_of({"type": "file", "file": {"file_data": path, "filename": "b.png"}})
    assert made["file"] == {"file_data": PNG_URL, "filename": "b.png"}


@pytest.mark.parametrize(
    "url", [WEB, PNG_URL, "gs://bucket/a.png", "s3://bucket/a", "HTTP://a/b", "data:image/svg+xml;utf8,<svg/>"]
)
def test_urls_in_a_dict_pass_as_they_are(url):
    assert block_of({"type": "image_url", "image_url": {"url": url}})["image_url"]["url"] == url
    assert block_of({"type": "image_url", "image_url": url})["image_url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "a.png",
        "/etc/passwd",
        "../a.png",
        "file:///etc/passwd",
        "ftp://a/b",
        "javascript:alert(1)",
        "",
        "C:\\a.png",
        "data:",
        "data:image/png",
        "data:image/png;base64,",
        "data:;base64,AAAA",
        "http",
    ],
)
@pytest.mark.parametrize("kind", ["image_url", "video_url", "audio_url"])
def test_a_text_in_a_dict_is_never_read_as_a_path(url, kind):
    with pytest.raises(ConfigError, match=rf"content\[0\].*ChatBlock\.{kind[:5]}"):
        block_of({"type": kind, kind: {"url": url}})


@pytest.mark.parametrize("source", [pathlib.Path("none.png"), b"", MP3, None, 3, {}, ["x"]])
def test_what_a_media_block_cannot_hold(source):
    with pytest.raises(ConfigError, match=r"messages: content\[0\]"):
        block_of({"type": "image_url", "image_url": {"url": source}})


def test_a_long_data_url_is_checked_at_once():
    url = PNG_URL + "A" * 5_000_000
    assert block_of({"type": "image_url", "image_url": {"url": url}})["image_url"]["url"] == url
