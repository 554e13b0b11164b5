"""`explain`: each field's value, and where it is from."""

import json

import pytest

from magma import ConfigError, Model
from magma.model._explain import explain, misspelt, problem_of


def rows(**given):
    return {row.name: row for row in explain(Model, **given)}


def test_every_field_has_one_row_in_the_order_of_the_class():
    assert [row.name for row in explain(Model)] == list(Model.fields)


def test_what_nobody_gave_is_the_default():
    row = rows()["temperature"]
    assert (row.value, row.source, row.problem) == (0.0, "default", None)


def test_an_argument_beats_the_environment_and_the_environment_the_default(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "0.3")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TOP_P", "0.5")
    told = rows(id="openai/gpt-4o", temperature=0.7)
    assert (told["temperature"].value, told["temperature"].source) == (0.7, "argument")
    assert (told["top_p"].value, told["top_p"].source) == (0.5, "environment MAGMA_MODEL_DEFAULT_TOP_P")


def test_the_values_are_those_of_the_model_that_the_same_keywords_make(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TIMEOUT", '{"total": 4}')
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_EXTRA", '{"min_p": 0.1}')
    given = {"id": "groq/llama", "stop": ["a"], "groq_api_key": "a-secret-key", "thinking": {"type": "enabled"}}
    model = Model(**given)
    assert {name: row.value for name, row in rows(**given).items()} == {
        name: getattr(model, name) for name in Model.fields
    }


def test_an_id_that_nobody_gave_is_unset():
    assert rows()["id"].shown == "unset"
    assert rows()["id"].plain is None


def test_secrets_are_masked_as_text_and_as_data(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_API_KEY", "the-secret-of-mine")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_EXTRA_HEADERS", '{"Authorization": "Bearer of-mine", "X-Team": "a"}')
    told = explain(Model, id="openai/x", aws_secret_access_key="of-mine-too")
    assert "of-mine" not in "".join(row.shown for row in told)
    assert "of-mine" not in json.dumps([row.plain for row in told])
    assert rows()["extra_headers"].plain == {"Authorization": "***", "X-Team": "a"}


def test_a_password_in_a_url_is_masked_and_told(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_API_BASE", "http://me:of-mine@example.com")
    row = rows()["api_base"]
    assert "of-mine" not in row.shown + row.plain + row.problem


def test_a_mapping_that_is_no_json_is_told_without_its_text(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_EXTRA", '{"aws_secret_access_key": "of-mine"')
    row = rows()["extra"]
    assert "of-mine" not in row.shown + row.plain + row.problem
    assert row.problem.startswith("MAGMA_MODEL_DEFAULT_EXTRA must be a JSON object")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("ID", "gpt-4o"),
        ("ID", "opnai/gpt-4o"),
        ("TEMPERATURE", "hot"),
        ("TEMPERATURE", "3"),
        ("MAX_RETRIES", ""),
        ("MAX_TOKENS", "[" * 100_000),
        ("TIMEOUT", '{"totl": 4}'),
        ("API_BASE", "ftp://example.com"),
        ("EXTRA", "[]"),
        ("EXTRA", '{"temperature": 1}'),
        ("CACHE", "/no/such/folder/answers.db"),
    ],
)
def test_a_variable_that_cannot_be_used_is_told_by_name(monkeypatch, field, text):
    variable = f"MAGMA_MODEL_DEFAULT_{field}"
    monkeypatch.setenv(variable, text)
    row = rows()[field.lower()]
    assert row.problem.startswith(variable)
    assert row.source == f"environment {variable}"


def test_one_bad_variable_does_not_hide_the_next(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_EXTRA", "{")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "hot")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_SEED", "7")
    told = rows()
    assert told["extra"].problem
    assert told["temperature"].problem
    assert told["seed"].value == 7


def test_an_argument_makes_a_bad_variable_harmless(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "hot")
    assert rows(temperature=1.0)["temperature"].problem is None


def test_an_argument_that_cannot_be_used_is_told_in_its_row():
    assert "provider/name" in rows(id="gpt-4o")["id"].problem


def test_a_misspelt_keyword_is_an_error():
    with pytest.raises(ConfigError, match="temperature"):
        explain(Model, temprature=1)


def test_a_variable_that_is_not_set_has_no_problem():
    assert problem_of(Model, "temperature") is None


def test_misspelt_variables_are_told_with_the_near_field(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPRATURE", "1")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_QQQQ", "1")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_SEED", "1")
    told = misspelt(Model)
    assert sorted(told) == ["MAGMA_MODEL_DEFAULT_QQQQ", "MAGMA_MODEL_DEFAULT_TEMPRATURE"]
    assert "did you mean temperature, MAGMA_MODEL_DEFAULT_TEMPERATURE?" in told["MAGMA_MODEL_DEFAULT_TEMPRATURE"]
