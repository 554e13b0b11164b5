"""The tree of errors: its shape, pickling, redaction, short texts."""

import builtins
import copy
import pickle

import pytest

from magma import errors
from magma.errors import MissingExtraError, ModelError, redact, shorten

LEAVES = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, ModelError)]


@pytest.mark.parametrize("cls", LEAVES, ids=lambda cls: cls.__name__)
def test_every_error_pickles_and_copies(cls):
    error = cls("text", status_code=418, provider="openai", model="openai/x", retry_after=1.5, request_id="r", body="b")
    error.attempts = ("a",)
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert type(twin) is cls
        assert str(twin) == "text"
        assert vars(twin) == vars(error)


def test_the_drawn_tree_is_the_real_one():
    drawn = {line.strip(" │├└─").split(" ")[0] for line in errors.__doc__.splitlines() if "─ " in line}
    real = {cls.__name__ for cls in LEAVES} | {"ConfigError", "MissingExtraError"}
    assert drawn == real


def test_those_with_a_builtins_name_are_that_builtin_too():
    assert issubclass(errors.TimeoutError, builtins.TimeoutError)
    assert issubclass(errors.ConnectionError, builtins.ConnectionError)
    assert issubclass(errors.ConfigError, ValueError)
    assert issubclass(errors.MissingExtraError, ImportError)


def test_a_missing_extra_prints_the_pip_command():
    error = MissingExtraError("langfuse", extra="langfuse")
    assert str(error) == 'langfuse is not installed: pip install "magma-model[langfuse]"'
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("key my-secret-key-1", ["my-secret-key-1"]),
        ("Authorization: Bearer abcdefghijkl", []),
        ("{'authorization': 'Bearer abcdefghijkl'}", []),
        ("Incorrect API key provided: sk-abcdefghijklmnop1234", []),
        ("x-api-key: abcdefghijkl", []),
        ('{"api_key": "abcdefghijkl"}', []),
        ("https://user:abcdefghijkl@host/", []),
        ("?api_key=abcdefghijkl&x=1", []),
        ("?key=AIzaabcdefghijklmnop12", []),
    ],
)
def test_keys_are_redacted(text, secrets):
    clean = redact(text, *secrets)
    assert "[redacted]" in clean
    assert "abcdefghijkl" not in clean
    assert "my-secret" not in clean


def test_keys_of_the_environment_are_redacted(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "zzzz-yyyy-xxxx")
    assert redact("you sent zzzz-yyyy-xxxx") == "you sent [redacted]"


def test_plain_words_are_not_redacted():
    text = "The task token count is 12; disk-based risk-free sketches."
    assert redact(text) == text


@pytest.mark.parametrize("text", ["a" * 100_000, "é" * 100_000, "😀" * 50_000, "\ud800" * 5_000])
def test_texts_stay_under_two_kilobytes(text):
    assert len(shorten(text).encode()) < 2048
    assert len(str(ModelError(text)).encode()) < 2048
    assert len(ModelError("x", body=text).body.encode()) < 2048
