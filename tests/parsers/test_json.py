"""JSON is found in whatever a model writes around it, and read as far as it goes."""

import copy
import json
import pickle
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magma.errors import ConfigError, ParseError
from magma.parsers import JsonBlockParser, JsonDictParser
from magma.parsers.json import extract, partial, short
from magma.responses import Generation

OBJECT = '{"a": "} ] ``` \\" {", "b": [1, {}]}'


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"  {OBJECT}\n",
        f"```json\n{OBJECT}\n```",
        f"```JSON\r\n{OBJECT}\r\n```",
        f"```{OBJECT}```",
        f"~~~\n{OBJECT}\n~~~",
        f"~~~json\n{OBJECT}",
        f"````json\n{OBJECT}\n````",
        f"Sure:\n\n```json\n{OBJECT}\n```\nAnything else?",
        f"First code:\n```python\nx = 1\n```\nthen\n```json\n{OBJECT}\n```",
        f"It's {OBJECT}.",
        f'He said "see [1, as asked] and {{x}}": {OBJECT} - done "there"!',
        f"}} ] {OBJECT}",
    ],
)
def test_the_json_text_in_an_answer(text):
    assert extract(text) == OBJECT


@pytest.mark.parametrize("text", ["42", '"hi"', "null", "-1.5e3", "[]", "```json\n42\n```", "```\ntrue\n```"])
def test_scalars_are_json_too(text):
    assert json.loads(extract(text)) in (42, "hi", None, -1500.0, [], True)


@pytest.mark.parametrize("text", ["", " ", "No.", "{", '{"a": 1', "{a: 1}", "[NaN]", '{"a": 1} {"b": 2}', '[1]]', "```json\n```", "\ud800"])  # fmt: skip
def test_what_is_no_json(text):
    with pytest.raises(ValueError, match=r"^the answer is ") as caught:
        extract(text)
    assert len(str(caught.value)) < 200


def test_an_inner_object_of_a_broken_one_is_not_the_answer():
    with pytest.raises(ValueError, match="cut off"):
        extract('Here: {"person": {"name": "A"}, "age":')
    with pytest.raises(ValueError, match="not JSON"):
        extract('{person: {"name": "A"}}')


@pytest.mark.parametrize(
    "piece", ["{", "[", '"', '\\"', "`", "```", "```json\n", "~~~", '{"a":', "<", "[[]", "}", '"\\']
)
def test_long_nonsense_takes_no_time(piece):
    start = time.perf_counter()
    text = piece * (300_000 // len(piece))
    for variant in (text, f"x {text}"):
        with pytest.raises(ValueError):
            extract(variant)
        partial(variant)
    assert time.perf_counter() - start < 2


def test_an_unfinished_text_is_read_as_far_as_it_goes():
    text = '{"name": "science fair", "tags": ["a", "b"], "n": 12, "ok": true}'
    for opening in ("", "```json\n", "Sure:\n```\n", " \n"):
        seen = [partial(opening + text[:end]) for end in range(len(text) + 1)]
        assert seen[0] is None
        assert seen[1] == {}
        assert {"name": "science f"} in seen
        assert seen[-1] == json.loads(text)
        assert all(value is None or isinstance(value, dict) for value in seen)


@pytest.mark.parametrize("text", ["", "`", "``", "```", "```js", "```json", "```json\n", "Sure", "Sure: [", "}", "-", "[NaN", "\ud800"])  # fmt: skip
def test_while_there_is_nothing_the_value_is_none(text):
    assert partial(text) in (None, [])


@pytest.mark.parametrize("end", ["`", "```", "\n```", "\n```\nBye!", " Bye {x}"])
def test_what_stands_behind_a_whole_value_does_not_matter(end):
    assert partial('```json\n{"a": "```"}' + end) == {"a": "```"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(JSON, st.sampled_from(["{}", "```json\n{}\n```", "~~~\n{}\n~~~", "```\n{}"]), st.booleans())
def test_any_value_is_found_again(value, around, compact):
    text = json.dumps(value, ensure_ascii=compact, indent=None if compact else 2)
    assert json.loads(extract(around.replace("{}", text))) == value
    if isinstance(value, (dict, list)):
        assert json.loads(extract(f"Here you are: {text}.\nBye")) == value
        assert partial(text) == value


@settings(deadline=None)
@given(st.text(alphabet='{}[]":,`~ae1\\\n'))
def test_any_text_is_json_or_a_value_error(text):
    partial(text)
    try:
        json.loads(extract(text))
    except ValueError:
        pass


def test_short_texts_of_values():
    assert short("x" * 10**6, 20) == f"'{'x' * 17}…'"
    assert (short([1] * 9), short({}), short(10**6000)) == ("an array of 9", "an object of 0", "a very large int")


def test_a_dict_out_of_a_response():
    parser = JsonDictParser(required_keys=["name", "description"])
    assert "'name', 'description'" in parser.format_instruction
    response = Generation(content='```json\n{"name": "A", "description": "B"}\n```', model="m")
    parsed = parser.parse(response)
    assert parsed.parsed == {"name": "A", "description": "B"}
    assert (parsed.text, parsed.response, parsed.model) == (response.text, response, "m")
    assert repr(parsed) == "Parsed({'name': 'A', 'description': 'B'})"
    for again in (copy.copy(parsed), pickle.loads(pickle.dumps(parsed))):
        assert (again.parsed, again.model) == (parsed.parsed, "m")
    with pytest.raises(AttributeError):
        _ = parsed.nothing


class Person(msgspec.Struct):
    name: str
    age: int = 18


def test_a_schema_types_it():
    parser = JsonDictParser(schema=Person)
    assert '"additionalProperties":false' in parser.format_instruction
    assert parser.parse('Sure: {"name": "A", "age": null}').parsed == Person("A")
    as_dict = JsonDictParser(["age"], schema={"type": "object", "properties": {"age": {"type": "integer"}}})
    assert as_dict.parse('{"age": 3}').parsed == {"age": 3}
    with pytest.raises(
        ParseError, match=r"\$\.age: expected integer, got str 'x'; wanted a JSON object with the keys 'age'"
    ):
        as_dict.parse('{"age": "x"}')
    with pytest.raises(ParseError, match="keys missing: 'age'"):
        as_dict.parse("{}")


def test_what_does_not_fit_is_a_parse_error_that_keeps_the_response():
    response = Generation(content="I'd rather not. " * 100)
    with pytest.raises(ParseError, match=r"wanted a JSON object, came .I'd rather not") as caught:
        JsonDictParser().parse(response)
    assert caught.value.response is response
    assert not caught.value.retryable
    assert len(str(caught.value)) < 400
    with pytest.raises(ParseError, match="expected an object, got an array of 1"):
        JsonDictParser().parse("[1]")
    for text in ("", "[" * 100_000, "[1e999]"):
        with pytest.raises(ParseError):
            JsonBlockParser().parse(text)


def test_any_value_out_of_a_block():
    parser = JsonBlockParser()
    assert "```json" in parser.format_instruction
    assert parser.parse("```json\n3\n```").parsed == 3


def test_wrong_arguments():
    for keys in ("name", [1]):
        with pytest.raises(ConfigError, match="required_keys"):
            JsonDictParser(required_keys=keys)
    with pytest.raises(ConfigError, match="objects"):
        JsonDictParser(schema=list[int])
    with pytest.raises(ConfigError, match="not int"):
        JsonBlockParser().parse(3)
