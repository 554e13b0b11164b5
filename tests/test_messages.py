"""What a caller may pass as messages, and what is refused before anything is sent."""

import copy

import pytest

from magma import ConfigError, Model
from magma.messages import to_messages


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
