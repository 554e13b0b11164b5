"""Whatever comes in, only `ConfigError`, `ModelError` and `TypeError` come out."""

import os
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magma import ConfigError, Model, ModelError

ALLOWED = (ConfigError, ModelError, TypeError)
FIELDS = sorted(Model.fields)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(st.characters(), max_size=30)  # lone surrogates included
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(st.one_of(TEXT, st.just("offline/echo"), PLAIN), st.dictionaries(st.sampled_from(FIELDS), PLAIN, max_size=4))
def test_the_constructor(id, options):
    options.pop("id", None)
    try:
        model = Model(id, **options)
    except ALLOWED:
        return
    assert model.with_() == model
    assert isinstance(repr(model), str)
    assert isinstance(hash(model), int)


@QUICK
@given(st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=12), PLAIN, max_size=4))
def test_unknown_keywords(options):
    try:
        Model("offline/echo", **options)
    except ALLOWED:
        pass


@QUICK
@given(
    st.dictionaries(
        st.sampled_from(FIELDS),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
        max_size=3,
    )
)
def test_the_environment(values):
    variables = {f"MAGMA_MODEL_DEFAULT_{name.upper()}": value for name, value in values.items() if name != "cache"}
    with mock.patch.dict(os.environ, variables):
        try:
            Model("offline/echo")
        except ALLOWED:
            pass


MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool", "usr", None])},
    optional={
        "content": st.one_of(
            TEXT, PLAIN, st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), max_size=2)
        )
    },
)


@QUICK
@given(st.one_of(PLAIN, TEXT, MESSAGE, st.lists(st.one_of(MESSAGE, PLAIN), max_size=3)), st.booleans())
def test_messages(messages, stream):
    try:
        result = Model("offline/echo")(messages, stream=stream)
        list(result)
    except ALLOWED:
        pass


SCHEMA = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "integer", "minimum": 2},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "null"},
            {"enum": [1, "a"]},
            {},
        ]
    ),
    lambda inner: st.one_of(
        st.dictionaries(st.text(max_size=5), inner, max_size=3).map(
            lambda p: {"type": "object", "properties": p, "required": list(p)}
        ),
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 1}),
        st.lists(inner, min_size=1, max_size=2).map(lambda some: {"anyOf": some}),
    ),
    max_leaves=6,
)


@QUICK
@given(SCHEMA, TEXT.filter(lambda text: text.strip() and text.isprintable()))
def test_the_offline_model_answers_any_schema_with_a_valid_instance(schema, text):
    import json

    import jsonschema

    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    try:
        content = Model("offline/echo")(text, response_format=form).content
    except ConfigError:  # a lone surrogate
        return
    jsonschema.validate(json.loads(content), schema)
