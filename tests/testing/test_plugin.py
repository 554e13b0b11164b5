"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import subprocess
import sys

import httpx  # noqa: F401  # pytester forgets what is first imported inside a run; a second copy would be another library
import pytest

import magma._call.flow
import magma._call.retry
import magma.model.chat
import magma.responses
import magma.testing.cassettes
import magma.testing.server  # noqa: F401

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestAssertRewriteWarning")

ASKS = """
import httpx, pytest

def ask(magma_server, body={"q": 1}, **more):
    return httpx.post(magma_server.url + "/v1/chat/completions", json=body, headers={"authorization": "Bearer abc"}, timeout=5, **more)
"""


@pytest.fixture
def run(pytester: pytest.Pytester):
    """Runs pytest on a test module."""

    def run(code: str, *options: str, name: str = "test_it") -> pytest.RunResult:
        pytester.makepyfile(**{name: ASKS + code})
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", *options)

    return run


def test_the_plugin_is_loaded_without_being_asked_for_and_imports_nothing_heavy() -> None:
    heavy = ["litellm", "pydantic", "msgspec", "httpx", "vcr", "yaml", "tenacity", "aiohttp"]
    code = f"import sys, magma.testing.plugin; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_fixtures_are_there_and_documented(run) -> None:
    result = run("", "--fixtures")
    result.stdout.fnmatch_lines_random(["magma_script *", "magma_no_requests *", "magma_server *", "magma_cassette *"])
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.magma_cassette(path): *"])
    result = run("", "--help")
    result.stdout.fnmatch_lines(["*--magma-record={none,once,new,all}*"])


def test_script_server_and_no_requests_do_what_their_functions_do(run) -> None:
    result = run(
        """
        from magma import ConfigError, Model, testing

        def test_script(magma_script):
            magma_script.enqueue("Hello there!")
            assert Model("openai/gpt-4o")("Hi").content == "Hello there!"
            assert testing.requests[0].text == "Hi"

        def test_no_script_is_left():
            with pytest.raises(RuntimeError):
                len(testing.requests)

        def test_no_requests(magma_no_requests):
            with pytest.raises(ConfigError):
                Model("openai/gpt-4o")("Hi")

        def test_server(magma_server):
            assert ask(magma_server).status_code == 200
            assert magma_server.requests[0].path == "/v1/chat/completions"
    """.replace("\n        ", "\n")
    )
    result.assert_outcomes(passed=4)


def test_every_test_gets_a_fresh_retry_budget(run) -> None:
    result = run(
        """
        from magma import Model
        from magma._call import retry

        @pytest.mark.parametrize("n", range(2))
        def test_budget(n):
            budget = retry.budget(Model("openai/gpt-4o")._request({}))
            assert [budget.spend() for _ in range(retry.FREE)] == [True] * retry.FREE
            assert not budget.spend()
    """.replace("\n        ", "\n")
    )
    result.assert_outcomes(passed=2)


ONE = """
def test_one(magma_server, magma_cassette):
    assert ask(magma_server).status_code == 200
    assert len(magma_server.requests) == EXPECTED
"""


def test_a_missing_cassette_names_the_file_and_how_to_record_it(run) -> None:
    result = run(ONE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*there is no cassette cassettes/test_it/test_one.yaml*",
            "*record it: pytest test_it.py::test_one --magma-record=once*",
        ]
    )


def test_what_was_recorded_once_is_replayed_without_the_server(run, pytester: pytest.Pytester) -> None:
    run(ONE.replace("EXPECTED", "1"), "--magma-record=once").assert_outcomes(passed=1)
    text = (pytester.path / "cassettes" / "test_it" / "test_one.yaml").read_text()
    assert "abc" not in text
    assert "uri: http://localhost/v1/chat/completions\n" in text
    for mode in ("none", "once", "new"):
        run(ONE.replace("EXPECTED", "0"), f"--magma-record={mode}").assert_outcomes(passed=1)
    run(ONE.replace("EXPECTED", "1"), "--magma-record=all").assert_outcomes(passed=1)
    assert (pytester.path / "cassettes" / "test_it" / "test_one.yaml").read_text().count("request:") == 1


def test_a_request_that_was_not_recorded_fails_the_test_even_if_it_hides_the_error(run) -> None:
    run(ONE.replace("EXPECTED", "1"), "--magma-record=once").assert_outcomes(passed=1)
    other = ONE.replace("ask(magma_server)", "ask(magma_server, {'q': 2})")
    result = run(other.replace("200", "404").replace("EXPECTED", "0"))
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*holds no (further) answer to POST http://localhost/v1/chat/completions; of the nearest: q is 2, not 1*"]
    )
    result.stdout.fnmatch_lines(["*record it: pytest test_it.py::test_one --magma-record=all*"])
    run(other.replace("EXPECTED", "1"), "--magma-record=new").assert_outcomes(passed=1)
    run(ONE.replace("EXPECTED", "0")).assert_outcomes(passed=1)  # the first is still there


def test_cassettes_are_named_after_module_class_and_parameters(run, pytester: pytest.Pytester) -> None:
    code = """
@pytest.mark.parametrize("id", ["openai/gpt-4o", "a b:c"])
class TestChat:
    def test_it(self, id, magma_server, magma_cassette):
        ask(magma_server)

@pytest.mark.magma_cassette("shared/one.yaml")
def test_named(magma_server, magma_cassette):
    ask(magma_server)
"""
    run(code, "--magma-record=once").assert_outcomes(passed=3)
    files = {path.relative_to(pytester.path / "cassettes").as_posix() for path in pytester.path.rglob("*.yaml")}
    folder = "test_it/TestChat.test_it"
    assert files == {f"{folder}-openai-gpt-4o.yaml", f"{folder}-a-b-c.yaml", "shared/one.yaml"}


def test_two_tests_that_would_share_a_cassette_are_told_so(run) -> None:
    code = """
@pytest.mark.parametrize("id", ["a/b", "a:b"])
def test_it(id, magma_server, magma_cassette):
    ask(magma_server)
"""
    result = run(code, "--magma-record=all")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*would share cassettes/test_it/test_it-a-b.yaml; rename one*"])
