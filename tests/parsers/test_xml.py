"""Typed XML: what is encoded comes back, what models write is read, what attackers write is refused."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Template

import magma.dsl
from magma.parsers.xml import MAX_DEPTH, decode, encode, typed_parser_registry

EVENT = """<event>
  <name type="str">science fair</name>
  <date dtype="str">Friday</date>
  <participants type="list"><item type="str">Alice</item><item type="str">Bob</item></participants>
</event>"""
FAIR = {"name": "science fair", "date": "Friday", "participants": ["Alice", "Bob"]}


@pytest.mark.parametrize(
    "text",
    [
        EVENT,
        f"Sure, 2 < 3 & so:\n{EVENT}\nAnything else? <3",
        f"```xml\n{EVENT}\n```",
        f"Here:\n```\n{EVENT}\n```\nThat is <all>",
        f'<?xml version="1.0" encoding="latin-1"?>\n{EVENT}',
        EVENT.removeprefix("<event>").removesuffix("</event>"),
        EVENT.replace("science fair", "<![CDATA[science fair]]>"),
        EVENT.replace("<name", "<!-- a <comment> & so --><name"),
        EVENT.replace('<item type="str">', "<item>"),
        EVENT.replace(' type="str"', "").replace(' type="list"', "").replace(' dtype="str"', ""),
        EVENT.replace("item", "participant").replace(' type="list"', ' type="list[str]"'),
        EVENT.replace("item", "participant").replace(' type="list"', ""),
        EVENT.replace('type="str"', 'type="String"').replace('type="list"', 'type="array"'),
        EVENT.replace('<item type="str">Alice</item><item type="str">Bob</item>', '["Alice", "Bob"]'),
    ],
)
def test_what_models_write(text):
    assert decode(text) == FAIR


def test_every_type():
    text = """<r><i type="int"> -7 </i><f type="float">2.5</f><b type="bool">True</b><n type="null"/><m type="none">None</m>
    <l type="list"/><d type="dict"></d><s type="str"></s><u/><ns type="list[int]"><n>1</n><n>2</n></ns>
    <m2 type="dict[str, float]"><a>1</a></m2><t type="str">Tom & Jerry &lt;3 &#228; a<b>c</b></t><x type="weird">1</x></r>"""
    assert decode(text) == {
        "i": -7, "f": 2.5, "b": True, "n": None, "m": None, "l": [], "d": {}, "s": "", "u": "", "ns": [1, 2],
        "m2": {"a": 1.0}, "t": "Tom & Jerry <3 ä ac", "x": "1",
    }  # fmt: skip


def test_cdata_is_text_as_it_stands():
    assert (
        decode("<r><code><![CDATA[if a < b && c: &amp; <!DOCTYPE>]]></code><n>1</n></r>")["code"]
        == "if a < b && c: &amp; <!DOCTYPE>"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<age type="int">abc</age>', "^<age> has type=\"int\", and holds 'abc'$"),
        ('<age type="int">1.5</age>', "<age>"),
        ('<age type="float">nan</age>', "<age>"),
        ('<age type="float">1e999</age>', "<age>"),
        ('<ok type="bool">maybe</ok>', "<ok>"),
        ('<no type="null">x</no>', "<no>"),
        ('<l type="list">a, b</l>', "<l> should hold a list"),
        ('<d type="dict">[1]</d>', "<d> should hold a dict"),
        ('<l type="list">[NaN]</l>', "<l>"),
        ("<r><a>1</a><b>1</b><a>2</a></r>", "<r> holds <a> twice"),
        ("<a>1</a><b>2</b><a>1</a>", "the answer holds <a> twice"),
        ("<r><a>1</r>", "broken in line 1: mismatched tag"),
        ("<r><a>1", "broken"),
        ("no XML here", "no XML element: it begins with 'no XML here'"),
        ("", "it is empty"),
        ("<a>\x00</a>", "broken"),
        ("<a>\ud800</a>", "surrogate"),
        ('<a type="str" encoding="json">x</a>', "<a>"),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        decode(text)
    assert len(str(caught.value)) < 250


BOMB = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE r [<!ENTITY l0 "lol">{BOMB}]><r><a>&l9;</a></r>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><a>&x;</a></r>',
        '<!DOCTYPE r SYSTEM "http://example.com/x.dtd"><r><a>1</a></r>',
        '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY % p SYSTEM "http://example.com/p">%p;]><r/>',
        "<r><a>&x;</a></r>",
        '<r a="&x;"/>',
        '<r><?php system("ls") ?></r>',
        '<r/><?xml-stylesheet href="http://example.com"?>',
        '<?xml version="1.0"?><?xml version="1.0"?><r/>',
        "</_><!DOCTYPE r><_>",
        "<r><!ENTITY x 'y'></r>",
        f"{'<a>' * (MAX_DEPTH + 1)}{'</a>' * (MAX_DEPTH + 1)}",
        "<a>" * 100_000,
        f"<a>{'x' * 1_000_001}</a>",
        "<![CDATA[" * 100_000,
        "<!--" * 200_000,
        "&" * 900_000,
        "<" * 900_000,
        "```xml\n" * 100_000,
        "<?xml " * 150_000,
    ],
    ids=range(20),
)
def test_hostile_xml_is_refused_at_once(text):
    start = time.perf_counter()
    with pytest.raises(ValueError) as caught:
        decode(text)
    assert len(str(caught.value)) < 250
    assert time.perf_counter() - start < 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.sampled_from(["item", "entry", "a"]), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["item", "entry", "a"]), VALUES, max_size=4))
def test_what_is_encoded_comes_back(value):
    try:
        text = encode(value)
    except ValueError as error:
        assert "cannot be written" in str(error)  # noqa: PT017
        return
    assert decode(text) == value
    assert decode(f"Well & good:\n```xml\n{text}\n```") == value


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet='<>/?!&;a"= -[]`\n') | st.text())
def test_any_text_is_a_dict_or_a_value_error(text):
    try:
        assert isinstance(decode(text), dict)
    except ValueError:
        pass


@pytest.mark.parametrize("key", ["", "a b", "1", "<&>\"'", "ä", "a\nb\tc\rd", "{{x}}", "x:y"])
def test_keys_that_are_no_names(key):
    assert decode(encode({key: {key: [{key: 1}]}})) == {key: {key: [{key: 1}]}}


@pytest.mark.parametrize("value", [[], 3, None, {1: 2}, {"a\x00": 1}, {"a": float("nan")}, {"a": object()}, {"a": {1}}, {"\ud800": 1}])  # fmt: skip
def test_what_cannot_be_encoded_is_refused(value):
    with pytest.raises(ValueError, match=r"dict|cannot be written|does not know"):
        encode(value)


def test_depth():
    value = {}
    for _ in range(MAX_DEPTH - 1):
        value = {"a": value}
    assert decode(encode(value)) == value
    with pytest.raises(ValueError, match="nested"):
        encode({"a": value})


def test_the_template_renders_with_jinja_and_without():
    typed_xml = magma.dsl.typed_parsers.typed_parser_registry["typed_xml"]
    assert typed_xml is typed_parser_registry["typed_xml"]
    text = "Extract the event information:\nname: str\nparticipants: list[str]"
    rendered = Template(typed_xml.template).render({"instructions": text}).strip()
    assert rendered == typed_xml.template.replace("{{ instructions }}", text).strip()
    assert rendered.startswith(text)
    assert "{{" not in rendered
    example = rendered[rendered.index("<response") :]
    assert typed_xml.decode(example)["owner"] == {"name": "Alice", "age": None}
    assert typed_xml.encode(typed_xml.decode(example)) == example
    assert repr(typed_xml) == "TypedXML()"
