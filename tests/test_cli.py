"""The command line: in this process with click's runner, and as a process of its own where its end is the matter."""

import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from magma import Generation
from magma.cli import doctor, reach
from magma.cli.group import commands

KEY = "sk-0123456789-very-secret-3f2a"
TOOL = {"type": "function", "function": {"name": "greet", "parameters": {"properties": {"name": {"type": "string"}}}}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, stdin=None):
    """A command in this process."""
    return CliRunner().invoke(commands, arguments, input=stdin)


def process(*arguments, stdin=b"", **environment):
    """A command as a process."""
    command = [sys.executable, "-m", "magma", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, env={**os.environ, **environment}, timeout=60, check=False
    )


class FakeOpenAI(ThreadingHTTPServer):
    """Answers as it is told; keeps headers and bodies; `release` ends what hangs."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply = "chat"
        self.text = "Hello there!"
        self.seen = []
        self.asked, self.release = threading.Event(), threading.Event()

    @property
    def model(self):
        """Options of `magma chat` that ask this server."""
        base = f"api_base=http://127.0.0.1:{self.server_port}/v1"
        return ["-m", "openai/x", "-p", base, "-p", "max_retries=0"]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((dict(self.headers), body))
        self.server.asked.set()
        if self.server.reply == "hang":
            self.server.release.wait(60)
        elif self.server.reply == 401:
            key = self.headers["authorization"].removeprefix("Bearer ")
            self.send(401, "application/json", {"error": {"message": f"Incorrect API key provided: {key}"}})
        elif body.get("stream"):
            self.stream()
        else:
            message = {"role": "assistant", "content": self.server.text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
            self.send(
                200,
                "application/json",
                {"id": "1", "object": "chat.completion", "model": "x", "choices": [choice], "usage": usage},
            )

    def stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.event({"content": self.server.text})
        if self.server.reply == "hang midway":
            self.server.release.wait(60)
        if self.server.reply != "break midway":
            self.event({}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")

    def event(self, delta, finish_reason=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = {"id": "1", "object": "chat.completion.chunk", "model": "x", "choices": [choice]}
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def send(self, status, kind, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def provider(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FakeOpenAI() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


# --- chat: what goes in ---------------------------------------------------------------------------------


def test_chat_prints_the_answer_and_nothing_else():
    result = run("chat", "-m", "offline/echo", "Say hi!")
    assert (result.stdout, result.stderr, result.exit_code) == ("Say hi!\n", "", 0)


def test_chat_without_a_model_says_that_the_offline_one_repeats_and_how_to_choose():
    result = run("chat", "Say hi!")
    assert result.stdout == "Say hi!\n"
    assert result.stderr.count("\n") == 1
    for words in ("offline/echo", "repeats your text", "-m", "MAGMA_MODEL_DEFAULT_ID"):
        assert words in result.stderr


def test_chat_without_a_model_takes_the_environment_s(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_ID", "offline/echo")
    assert run("chat", "Hi").stderr == ""


def test_an_invalid_default_id_is_an_error_that_names_its_variable(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_ID", "gpt-4o")
    result = run("chat", "Hi")
    assert result.exit_code == 1
    assert "MAGMA_MODEL_DEFAULT_ID" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_the_prompt_comes_from_stdin_when_it_is_missing_or_a_dash(arguments):
    assert run("chat", "-m", "offline/echo", *arguments, stdin="Say hé!\n").stdout == "Say hé!\n"


def test_a_prompt_and_piped_text_are_joined_by_a_blank_line():
    assert run("chat", "-m", "offline/echo", "Sum up:", stdin="one\ntwo\n").stdout == "Sum up:\n\none\ntwo\n"


def test_no_prompt_on_a_terminal_is_a_usage_error():
    primary, terminal = os.openpty()
    command = [sys.executable, "-m", "magma", "chat"]
    result = subprocess.run(command, stdin=terminal, capture_output=True, timeout=60, check=False)
    os.close(primary)
    os.close(terminal)
    assert result.returncode == 2
    assert b"there is no prompt" in result.stderr


def test_an_empty_prompt_is_the_library_s_error():
    result = run("chat", "-m", "offline/echo", stdin="")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("magma: error: messages is an empty text")


def test_stdin_that_is_not_utf8_is_an_error_that_names_the_byte():
    result = run("chat", "-m", "offline/echo", stdin=b"abc\xff")
    assert result.exit_code == 1
    assert "byte 0xff at offset 3" in result.stderr


def test_a_byte_order_mark_is_no_part_of_the_prompt():
    assert run("chat", "-m", "offline/echo", stdin=b"\xef\xbb\xbfHi").stdout == "Hi\n"


def test_a_huge_stdin_is_answered_whole():
    text = b"word " * 1_000_000
    assert process("chat", "-m", "offline/echo", stdin=text).stdout == text + b"\n"


def test_a_misencoded_argument_is_a_config_error():
    result = process("chat", "-m", "offline/echo", b"caf\xe9")
    assert result.returncode == 1
    assert b"lone surrogate" in result.stderr
    assert b"Traceback" not in result.stderr


def test_parameters_are_json_or_text_and_reach_the_provider(provider):
    given = [
        "temperature=0.2",
        "max_tokens=5",
        "stop=7",
        'chat_template_kwargs={"a":true}',
        "min_p=0.1",
        "guided_regex=a+",
    ]
    options = [part for param in given for part in ("-p", param)]
    assert run("chat", *provider.model, *options, "-s", "Be brief.", "Hi").exit_code == 0
    [(headers, body)] = provider.seen
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    sampling = {"temperature": 0.2, "max_tokens": 5, "stop": "7"}
    wanted = {**sampling, "chat_template_kwargs": {"a": True}, "min_p": 0.1, "guided_regex": "a+"}
    assert {name: body.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("temperature", "KEY=VALUE"),
        ("=1", "KEY=VALUE"),
        ("id=openai/x", "-m"),
        ("stream=true", "--stream"),
        ("system_prompt=x", "-s"),
    ],
)
def test_a_parameter_that_is_none_is_a_usage_error(param, words):
    result = run("chat", "-m", "offline/echo", "-p", param, "Hi")
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("param", ["temprature=1", "temperature=hot", "extra=[", "timeout=-1", "fallbacks=[]"])
def test_a_parameter_that_cannot_work_is_one_line(param):
    result = run("chat", "-m", "offline/echo", "-p", param, "Hi")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith("magma: error: ")


# --- chat: what comes out -------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--stream", "--no-stream"])
def test_the_answer_is_the_same_streamed_or_not(option):
    assert run("chat", "-m", "offline/echo", option, "one two\nthree").stdout == "one two\nthree\n"


def test_json_is_the_whole_response_in_one_line():
    result = run("chat", "-m", "offline/echo", "--json", "Hi")
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout)["content"] == "Hi"
    assert set(json.loads(result.stdout)) == {*Generation().to_dict(), "cost_parts"}


def test_json_of_a_stream_is_a_line_per_delta_and_then_the_whole():
    lines = run("chat", "-m", "offline/echo", "--json", "--stream", "one two three").stdout.splitlines()
    *deltas, whole = map(json.loads, lines)
    assert len(deltas) > 1
    assert "".join(delta["content"] for delta in deltas) == whole["content"] == "one two three"
    assert whole["usage"]["output_tokens"] == 3


@pytest.mark.parametrize("option", ["--stream", "--no-stream"])
def test_tool_calls_are_lines_of_json(option):
    result = run("chat", "-m", "offline/echo", option, "-p", f"tools=[{json.dumps(TOOL)}]", "Ada")
    assert json.loads(result.stdout) == {"id": "call_offline_1", "name": "greet", "arguments": {"name": "Ada"}}


def test_an_answer_that_was_cut_off_is_noted_on_stderr():
    result = run("chat", "-m", "offline/echo", "-p", "max_tokens=2", "one two three four")
    assert (result.stdout, result.exit_code) == ("one two\n", 0)
    assert "cut off" in result.stderr


def test_a_real_call_prints_the_provider_s_answer(provider):
    result = process("chat", *provider.model, "Hi")
    assert (result.stdout, result.stderr, result.returncode) == (b"Hello there!\n", b"", 0)
    assert not provider.seen[0][1].get("stream")


def test_an_answer_in_a_file_is_as_the_model_wrote_it(provider):
    provider.text = "\x1b[31mred\x1b[0m\r\n"
    assert process("chat", *provider.model, "Hi").stdout == provider.text.encode() + b"\n"


def test_a_terminal_gets_a_stream_and_no_control_sequence_of_the_model_s(provider):
    provider.text = "\x1b]52;c;evil\x07 red"
    primary, terminal = os.openpty()
    command = [sys.executable, "-m", "magma", "chat", *provider.model, "Hi"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=terminal, timeout=60, check=False)
    os.close(terminal)
    shown = os.read(primary, 1000)
    os.close(primary)
    assert result.returncode == 0
    assert shown == b"\\x1b]52;c;evil\\x07 red\r\n"
    assert provider.seen[0][1]["stream"] is True


def test_a_terminal_that_is_not_utf8_gets_escapes_and_json_stays_json():
    plain = process("chat", "-m", "offline/echo", "é", PYTHONIOENCODING="latin-1")
    assert plain.stdout == b"\xe9\n"
    assert process("chat", "-m", "offline/echo", "😀", PYTHONIOENCODING="latin-1").stdout == b"\\U0001f600\n"
    coded = process("chat", "-m", "offline/echo", "--json", "😀", PYTHONIOENCODING="latin-1")
    assert json.loads(coded.stdout)["content"] == "😀"


# --- how it ends ----------------------------------------------------------------------------------------


def test_a_refused_key_is_one_line_without_the_key(provider):
    provider.reply = 401
    result = process("chat", *provider.model, "Hi")
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.startswith(b"magma: error: openai/x: 401 ")
    assert result.stderr.count(b"\n") == 1
    assert KEY.encode() not in result.stderr
    assert b"OPENAI_API_KEY" in result.stderr


def test_a_missing_key_is_one_line_that_names_the_variable():
    result = process("chat", "-m", "openai/x", "Hi")
    assert (result.returncode, result.stderr.count(b"\n")) == (1, 1)
    assert b"OPENAI_API_KEY is not set" in result.stderr


def test_a_refused_connection_says_what_to_try_next():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    options = ["-p", f"api_base=http://127.0.0.1:{port}", "-p", "max_retries=0", "-p", f"api_key={KEY}"]
    result = process("chat", "-m", "openai/x", *options, "Hi")
    assert (result.returncode, result.stderr.count(b"\n")) == (1, 1)
    assert b"magma doctor" in result.stderr


def test_a_stream_that_breaks_keeps_what_had_arrived_and_fails(provider):
    provider.reply = "break midway"
    result = process("chat", *provider.model, "--stream", "Hi")
    assert (result.returncode, result.stdout) == (1, b"Hello there!\n")
    assert b"ask again" in result.stderr


def test_magma_debug_shows_the_traceback():
    result = process("chat", "-m", "gpt-4o", "Hi", MAGMA_DEBUG="1")
    assert result.returncode == 1
    assert b"Traceback" in result.stderr


def test_an_unexpected_error_is_one_line_too(monkeypatch):
    monkeypatch.setattr("magma.cli.chat._prompt", lambda argument: 1 / 0)
    result = run("chat", "Hi")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "ZeroDivisionError" in result.stderr


@pytest.mark.parametrize("arguments", [["chat", "--no-such-option"], ["no-such-command"], ["chat", "two", "prompts"]])
def test_wrong_usage_ends_with_2(arguments):
    assert process(*arguments).returncode == 2


# SIGINT is set anew because a test run in the background hands it down ignored.
INTERRUPTIBLE = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from magma.cli import main; main(sys.argv[1:])"


def interruptible(*arguments):
    command = [sys.executable, "-c", INTERRUPTIBLE, *arguments]
    return subprocess.Popen(
        command, bufsize=0, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("option", ["--stream", "--no-stream"])
def test_ctrl_c_ends_a_call_that_hangs(provider, option):
    provider.reply = "hang"
    with interruptible("chat", *provider.model, option, "Hi") as running:
        assert provider.asked.wait(60)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=30)
    assert (running.returncode, output, errors) == (130, b"", b"")


def test_ctrl_c_ends_a_stream_in_its_middle(provider):
    provider.reply = "hang midway"
    with interruptible("chat", *provider.model, "--stream", "Hi") as running:
        assert running.stdout.read(5) == b"Hello"
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=30)
    assert (running.returncode, output, errors) == (130, b" there!", b"")


ANNOUNCED = """
import sys
class Announced:
    isatty, buffer = sys.stdin.isatty, property(lambda self: self)
    def read(self, stdin=sys.stdin.buffer):
        print(end="reading", flush=True)
        return stdin.read()
sys.stdin = Announced()
"""


def test_ctrl_c_ends_waiting_for_stdin():
    command = [sys.executable, "-c", ANNOUNCED + INTERRUPTIBLE, "chat"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, bufsize=0, **pipes) as running:
        running.stdin.write(b"not finished")
        assert running.stdout.read(7) == b"reading"
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
        assert running.stderr.read() == b""


@pytest.mark.parametrize(
    "arguments", [["chat", "-m", "offline/echo", "--stream"], ["chat", "-m", "offline/echo", "--json"]]
)
def test_a_reader_that_leaves_is_no_error(folder, arguments):
    (folder / "long.txt").write_text("a line of some words\n" * 100_000)
    command = [sys.executable, "-m", "magma", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with open(folder / "long.txt", "rb") as stdin, subprocess.Popen(command, stdin=stdin, **pipes) as running:
        assert running.stdout.read(5)
        running.stdout.close()
        errors = running.stderr.read()
    assert running.returncode in (0, 141)
    assert errors == b""


@pytest.mark.parametrize("arguments", [["--help"], ["config", "explain"], ["doctor", "--offline"]])
def test_a_reader_that_never_was_is_no_error(arguments):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "magma", *arguments]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(write)
    assert (result.returncode, result.stderr) == (141, b"")


def test_a_closed_stdout_is_told_before_anything_is_asked(provider):
    command = f"exec {sys.executable} -m magma chat {' '.join(provider.model)} Hi >&-"
    result = subprocess.run(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, check=False
    )
    assert result.returncode == 1
    assert b"stdout is closed" in result.stderr
    assert provider.seen == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["config", "explain"], ["chat", "-m", "offline/echo", "Hi"]])
def test_a_full_disk_is_one_line(arguments):
    command = [sys.executable, "-m", "magma", *arguments]
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert result.returncode == 1
    assert result.stderr.startswith(b"magma: error: ")
    assert result.stderr.count(b"\n") == 1


# --- imports, version -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ["litellm", "pydantic", "msgspec", "httpx", "dotenv"]),
        (["chat", "--help"], ["litellm", "pydantic", "msgspec", "httpx", "dotenv"]),
        (["--version"], ["litellm", "pydantic", "msgspec", "httpx", "dotenv"]),
        (["config", "explain"], ["litellm", "openai", "aiohttp"]),
        (["doctor", "--offline"], ["litellm", "openai", "aiohttp", "langfuse"]),
        (["chat", "-m", "offline/echo", "Hi"], ["litellm", "openai", "aiohttp"]),
    ],
)
def test_a_command_imports_no_more_than_it_needs(arguments, absent):
    code = (
        "import sys; from magma.cli import main\n"
        f"try: main({arguments!r})\n"
        f"except SystemExit as end: print([end.code, *(set({absent!r}) & set(sys.modules))], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    assert result.stderr.strip() == b"[0]"


def test_version_tells_magma_s_litellm_s_and_python_s(monkeypatch):
    python = ".".join(map(str, sys.version_info[:3]))
    litellm = importlib.metadata.version("litellm")
    wanted = f"magma 0.1.0 (litellm {litellm}, Python {python})\n"
    assert run("--version").stdout == wanted
    assert process("--version").stdout.decode() == wanted


def test_the_console_script_is_declared():
    [script] = importlib.metadata.entry_points(group="console_scripts", name="magma")
    assert script.value == "magma.cli:main"


# --- .env -----------------------------------------------------------------------------------------------


def test_dotenv_is_read_and_the_environment_wins(folder):
    (folder / ".env").write_text("MAGMA_MODEL_DEFAULT_ID=offline/echo\nMAGMA_MODEL_DEFAULT_SEED=1\n")
    result = process("config", "explain", "--json", MAGMA_MODEL_DEFAULT_SEED="2")
    fields = {field["name"]: field["value"] for field in json.loads(result.stdout)["fields"]}
    assert (fields["id"], fields["seed"]) == ("offline/echo", 2)


@pytest.mark.parametrize("text", [b"A=1\nthis is none\n=\n", b"A=\xff\n", b"A='\0'\n"])
def test_a_broken_dotenv_is_one_warning(folder, text):
    (folder / ".env").write_bytes(text)
    result = process("chat", "-m", "offline/echo", "Hi")
    assert (result.stdout, result.returncode) == (b"Hi\n", 0)
    assert result.stderr.startswith(b"magma: warning: .env")
    assert result.stderr.count(b"\n") == 1


def test_a_folder_named_dotenv_is_left_alone(folder):
    (folder / ".env").mkdir()
    assert process("chat", "-m", "offline/echo", "Hi").stderr == b""


# --- config explain -------------------------------------------------------------------------------------


def test_explain_prints_aligned_columns_of_fields_values_and_sources(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "0.3")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_API_KEY", KEY)
    result = run("config", "explain", "openai/gpt-4o")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert (
        len(
            {
                line.index(source)
                for line in lines
                for source in ("default", "environment", "argument")
                if line.endswith(source)
            }
        )
        == 1
    )
    assert lines[0].split() == ["id", "'openai/gpt-4o'", "argument"]
    assert lines[1].split() == ["temperature", "0.3", "environment", "MAGMA_MODEL_DEFAULT_TEMPERATURE"]
    assert KEY not in result.output


def test_explain_needs_no_id():
    result = run("config", "explain")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == ["id", "unset", "default"]


def test_explain_warns_of_misspelt_variables(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPRATURE", "1")
    result = run("config", "explain", "--json")
    assert result.exit_code == 0
    assert "did you mean temperature" in result.stderr
    [warning] = json.loads(result.stdout)["warnings"]
    assert "MAGMA_MODEL_DEFAULT_TEMPRATURE" in warning


def test_explain_shows_all_rows_and_fails_when_a_variable_cannot_be_used(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "hot")
    result = run("config", "explain")
    assert result.exit_code == 1
    assert "temperature" in result.stdout
    assert result.stderr.startswith("magma: error: MAGMA_MODEL_DEFAULT_TEMPERATURE")


# --- doctor ---------------------------------------------------------------------------------------------


def diagnosis(*options):
    """The exit code and the findings by name."""
    result = run("doctor", "--json", *options)
    told = json.loads(result.stdout)
    assert told.pop("usable") == (result.exit_code == 0)
    return result.exit_code, {finding["name"]: finding for findings in told.values() for finding in findings}


def installed(monkeypatch, **versions):
    real = importlib.metadata.version

    def version(name):
        if versions.get(name, "") is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_doctor_is_content_with_this_installation():
    code, found = diagnosis("--offline")
    assert code == 0
    assert found["litellm"]["value"] == importlib.metadata.version("litellm")
    assert found["litellm"]["note"].startswith("ok")
    assert {"python", "magma", "pydantic", "openai", "aiohttp", "langfuse"} <= set(found)


@pytest.mark.parametrize(
    ("version", "note", "state", "exit_code"),
    [
        ("1.82.7", "excluded", "broken", 1),
        ("1.80.0", "too old", "broken", 1),
        ("99.0", "too new", "warning", 0),
        (None, "pip install", "broken", 1),
    ],
)
def test_doctor_judges_litellm_s_version(monkeypatch, version, note, state, exit_code):
    installed(monkeypatch, litellm=version)
    code, found = diagnosis("--offline")
    assert code == exit_code
    assert found["litellm"]["note"].startswith(note)
    assert found["litellm"]["state"] == state


def test_doctor_tells_how_to_install_an_extra(monkeypatch):
    installed(monkeypatch, vcrpy=None)
    code, found = diagnosis("--offline")
    assert code == 0
    assert 'pip install "magma-model[testing]"' in found["testing"]["note"]


def test_doctor_shows_keys_by_name_and_their_last_four_characters_at_most(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HF_TOKEN", "short-token")
    _, found = diagnosis("--offline")
    assert found["OPENAI_API_KEY"]["value"] == "sk-…3f2a"
    assert found["HF_TOKEN"]["value"] == "***"
    assert KEY not in run("doctor", "--offline").output


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("", "***"), ("a" * 11, "***"), ("abcdefghijkl", "…ijkl"), (KEY, "sk-…3f2a"), ("gsk_" + "x" * 20, "gsk_…xxxx")],
)
def test_a_masked_secret_shows_its_kind_and_end(secret, shown):
    assert doctor.mask(secret) == shown


def test_doctor_tells_whether_langfuse_is_on(monkeypatch):
    def tracing():
        [finding] = json.loads(run("doctor", "--offline", "--json").stdout)["tracing"]
        return finding["value"], finding["state"]

    assert tracing() == ("off", "ok")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-0123456789abcdef")
    assert tracing() == ("off", "warning")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-0123456789abcdef")
    assert tracing() == ("on", "ok")


def test_doctor_fails_for_a_variable_that_cannot_be_used_and_warns_of_unknown_ones(monkeypatch):
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_TEMPERATURE", "hot")
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_SEED", "7")
    monkeypatch.setenv("MAGMA_ALOW_REQUESTS", "0")
    code, found = diagnosis("--offline")
    assert code == 1
    assert found["MAGMA_MODEL_DEFAULT_TEMPERATURE"]["state"] == "broken"
    assert found["MAGMA_MODEL_DEFAULT_SEED"]["state"] == "ok"
    assert "MAGMA_ALLOW_REQUESTS" in found["MAGMA_ALOW_REQUESTS"]["note"]


def test_doctor_connects_to_the_addresses_in_the_environment_and_sends_nothing(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        closed = other.getsockname()[1]
        other.close()
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        monkeypatch.setenv("OLLAMA_API_BASE", f"http://127.0.0.1:{closed}")
        code, found = diagnosis()
        connection, _ = server.accept()
        with connection:
            assert connection.recv(100) == b""
    assert code == 0
    assert found["OPENAI_BASE_URL"]["note"].startswith("yes")
    assert found["OLLAMA_API_BASE"]["note"].startswith("no: ")
    assert "openai" not in [finding["name"] for finding in json.loads(run("doctor", "--json").stdout)["reachable"]]


def test_doctor_tries_the_provider_of_each_key(monkeypatch):
    tried = []
    monkeypatch.setattr(reach, "connected", lambda targets: tried.extend(targets) or dict.fromkeys(targets, 0.01))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setenv("MAGMA_MODEL_DEFAULT_API_BASE", "https://example.com/v1")
    diagnosis()
    assert [(target.host, target.port) for target in tried] == [
        ("example.com", 443),
        ("generativelanguage.googleapis.com", 443),
        ("api.openai.com", 443),
    ]


@pytest.mark.parametrize("variables", [{}, {"MAGMA_ALLOW_REQUESTS": "0"}])
def test_doctor_tries_no_connection_where_that_is_forbidden(monkeypatch, variables):
    monkeypatch.setattr(reach, "connected", lambda targets: pytest.fail("it tried"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    _, found = diagnosis(*([] if variables else ["--offline"]))
    assert found["not tried"]["note"].startswith("MAGMA_ALLOW_REQUESTS=0" if variables else "--offline")


def test_doctor_fails_for_an_address_that_is_none(monkeypatch):
    monkeypatch.setenv("OLLAMA_API_BASE", "localhost:11434")
    code, found = diagnosis()
    assert code == 1
    assert found["OLLAMA_API_BASE"]["state"] == "broken"


def test_doctor_without_colours_is_plain_text():
    assert "\x1b" not in run("doctor", "--offline").output
