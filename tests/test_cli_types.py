"""`magma embed`, `transcribe`, `speak` and `image`: what goes in, what comes out, and how they end."""

import base64
import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from magma.cli.group import commands
from magma.testing.server import Close, Hang, Reply, Server

ECHO = ("-m", "offline/echo")
KEY = "sk-0123456789-very-secret-3f2a"
MP3 = b"ID3\x04" + bytes(2000)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt "
COMMANDS = ("embed", "transcribe", "speak", "image")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("MAGMA_IMAGE_GENERATOR_DEFAULT_API_BASE", f"{server.url}/v1")  # LiteLLM keeps the client
        yield server


def run(*arguments, stdin=None):
    """A command in this process."""
    return CliRunner().invoke(commands, arguments, input=stdin)


def process(*arguments, stdin=b"", **environment):
    """A command as a process."""
    command = [sys.executable, "-m", "magma", *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=60, check=False)


def on_terminal(*arguments, **environment):
    """Exit code, what the terminal got as stdout, and stderr."""
    primary, terminal = os.openpty()
    command = [sys.executable, "-m", "magma", *arguments]
    pipes = {"stdin": terminal, "stdout": terminal, "stderr": subprocess.PIPE}
    result = subprocess.run(command, **pipes, env={**os.environ, **environment}, timeout=60, check=False)
    os.set_blocking(primary, False)
    try:
        shown = os.read(primary, 10_000)
    except OSError:
        shown = b""
    os.close(terminal)
    os.close(primary)
    return result.returncode, shown, result.stderr


def failed(result, *words):
    """That it ended with 1, one line on stderr that holds the words, and nothing on stdout."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    *_, line = result.stderr.splitlines()
    assert line.startswith("magma: error: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in line


# --- which model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (("embed", "Hi"), "MAGMA_EMBEDDER_DEFAULT_ID"),
        (("transcribe", "data:audio/wav;base64,UklGRgAAAABXQVZFZm10IA=="), "MAGMA_TRANSCRIBER_DEFAULT_ID"),
        (("speak", "Hi", "-o", "a.wav"), "MAGMA_SPEAKER_DEFAULT_ID"),
        (("image", "A cat", "-o", "a.png"), "MAGMA_IMAGE_GENERATOR_DEFAULT_ID"),
        (
            ("image", "A cat", "--edit", "data:image/png;base64,iVBORw0KGgo=", "-o", "a.png"),
            "MAGMA_IMAGE_EDITOR_DEFAULT_ID",
        ),
    ],
)
def test_without_a_model_the_environment_s_answers_else_the_offline_one_which_is_told(monkeypatch, arguments, variable):
    result = run(*arguments, "--force") if "-o" in arguments else run(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("\n") == 1
    for words in ("magma: note: offline/echo answers", "-m", variable):
        assert words in result.stderr
    monkeypatch.setenv(variable, "offline/echo")
    result = run(*arguments, "--force") if "-o" in arguments else run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    monkeypatch.setenv(variable, "gpt")
    failed(run(*arguments, "--force") if "-o" in arguments else run(*arguments), variable)


def test_with_openai_s_key_openai_s_model_answers_which_is_told(server):
    server.on("/v1/embeddings", Reply.json({"data": [{"index": 0, "embedding": [1.0]}], "model": "m"}))
    result = run("embed", "Hi")
    assert (result.exit_code, result.stdout) == (0, "[1.0]\n")
    assert result.stderr == (
        "magma: note: openai/text-embedding-3-small answers, as OPENAI_API_KEY is set; "
        "choose another with -m or MAGMA_EMBEDDER_DEFAULT_ID\n"
    )
    assert server.requests[0].json()["model"] == "text-embedding-3-small"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_imports_next_to_nothing(name):
    code = (
        "import sys; from magma.cli import main\n"
        f"try: main([{name!r}, '--help'])\n"
        "except SystemExit: print(*{'litellm', 'pydantic', 'msgspec', 'httpx'} & set(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert result.stderr.strip() == b""
    assert b"--model ID" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("embed", "Hi", "-p", "dimensions=4"),
        ("embed", "Hi", "-p", "dimensions"),
        ("embed", "Hi", "--dimensions", "many"),
        ("embed", "Hi", "--input", "-"),
        ("transcribe",),
        ("transcribe", "a.wav", "--format", "pdf"),
        ("transcribe", "a.wav", "--timestamps", "letter"),
        ("speak", "Hi"),
        ("speak", "Hi", "-o", "a.doc"),
        ("speak", "Hi", "-o", "a.mp3", "--speed", "fast"),
        ("image", "Hi", "--mask", "a.png"),
        ("image", "Hi", "-n", "two"),
        ("image", "Hi", "-n", "2", "-o", "-"),
    ],
)
def test_wrong_usage_ends_with_2(arguments):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize(
    "arguments", [("embed",), ("embed", "-"), ("speak", "-o", "-"), ("transcribe", "-"), ("image",)]
)
def test_nothing_to_read_on_a_terminal_is_told(arguments):
    code, shown, errors = on_terminal(*arguments)
    assert code in (1, 2)
    assert shown == b""
    assert b"stdin" in errors or b"-o" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("embed", ""), "empty text"),
        (("embed", "Hi", "--dimensions", "0"), "dimensions"),
        (("embed", "--input", "no.txt"), "No such file"),
        (("embed", "--input", "."), "directory"),
        (("embed", "--input", "a\0b"), "cannot be read"),
        (("transcribe", "no.wav"), "does not exist"),
        (("transcribe", "."), "is a directory"),
        (("transcribe", "text.txt"), "not audio"),
        (("transcribe", "ftp://example.com/a.wav"), "scheme"),
        (("transcribe", "a.wav", "-p", "temperature=hot"), "temperature"),
        (("transcribe", "a.wav", "-o", "."), "is a directory"),
        (("transcribe", "a.wav", "--format", "srt", "--timestamps", "word"), "timestamps"),
        (("speak", "", "-o", "a.wav"), "empty text"),
        (("speak", "Hi", "-o", "a.wav", "--speed", "9"), "speed"),
        (("speak", "Hi", "-o", "a.wav", "--speed", "nan"), "speed"),
        (("speak", "Hi", "-o", "no/a.wav"), "folder"),
        (("speak", "Hi", "-o", "a\0.wav"), "cannot be written"),
        (("speak", "Hi", "-o", "x" * 300 + ".wav"), "cannot be written"),
        (("image", " ", "-o", "a.png"), "empty text"),
        (("image", "A cat", "-n", "0"), "n: "),
        (("image", "A cat", "--edit", "no.png"), "does not exist"),
        (("image", "A cat", "--edit", "a.wav"), "not image"),
        (("image", "A cat", "--edit", "b.png", "--mask", "."), "is a directory"),
        (("image", "A cat", "-o", "no/a.png"), "folder"),
    ],
)
def test_bad_input_is_one_line(folder, arguments, words):
    (folder / "text.txt").write_text("%PDF-1.7")
    (folder / "a.wav").write_bytes(WAV)
    (folder / "b.png").write_bytes(PNG)
    failed(run(*arguments, *ECHO, *(["--force"] if arguments[0] != "embed" else [])), words)
    assert sorted(os.listdir(folder)) == ["a.wav", "b.png", "text.txt"]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_model_is_one_line(name):
    arguments = {
        "embed": ["Hi"],
        "transcribe": ["data:audio/wav;base64,UklGRg=="],
        "speak": ["Hi", "-o", "-"],
        "image": ["Hi"],
    }
    failed(run(name, *arguments[name], "-m", "offline/nobody"), "offline/nobody does not exist")
    failed(run(name, *arguments[name], "-m", "gpt"), "provider/name")


# --- embed ------------------------------------------------------------------------------------------------


def test_embed_prints_a_vector_a_line():
    result = run("embed", "Hello", "World", "--dimensions", "3", *ECHO)
    vectors = [json.loads(line) for line in result.stdout.splitlines()]
    assert [len(vector) for vector in vectors] == [3, 3]
    assert result.stderr == ""


def test_embed_reads_lines_of_stdin_or_a_file(folder):
    wanted = run("embed", "Hello", "Wörld", *ECHO).stdout
    (folder / "texts.txt").write_bytes("\ufeffHello\r\nWörld\n".encode())
    for arguments in ((), ("-",), ("--input", "-")):
        assert run("embed", *arguments, *ECHO, stdin="Hello\nWörld\n\n").stdout == wanted
    assert run("embed", "--input", "texts.txt", *ECHO).stdout == wanted


def test_embed_prints_one_object_as_json():
    told = json.loads(run("embed", "one two", "three", "--json", "--dimensions", "2", *ECHO).stdout)
    assert (told["model"], told["cost"], len(told["vectors"])) == ("offline/echo", 0.0, 2)
    assert told["usage"] == {"input_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize(
    ("stdin", "words"), [("", "stdin is empty"), ("a\n\nb", "line 2 of stdin"), (b"\xff", "not UTF-8: byte 0xff")]
)
def test_embed_refuses_lines_that_can_have_no_vector(stdin, words):
    failed(run("embed", *ECHO, stdin=stdin), words)


def test_embed_tells_what_a_provider_did_not_heed(server):
    server.on("/v1/embeddings", Reply.json({"data": [{"index": 0, "embedding": [1.0, 2.0]}], "model": "m"}))
    result = run("embed", "Hi", "-m", "openai/text-embedding-3-large", "--dimensions", "3")
    assert result.stdout == "[1.0, 2.0]\n"
    assert result.stderr.startswith("magma: warning: the vectors have 2 dimensions, not 3")


# --- transcribe -------------------------------------------------------------------------------------------


def test_transcribe_prints_the_text_of_a_file_or_of_stdin(folder):
    (folder / "talk.wav").write_bytes(WAV)
    assert run("transcribe", "talk.wav", *ECHO).stdout == "talk.wav: 16 bytes of sound\n"
    assert run("transcribe", "-", *ECHO, stdin=WAV).stdout == "audio.wav: 16 bytes of sound\n"
    failed(run("transcribe", "-", *ECHO, stdin=b""), "the audio is empty")


def test_transcribe_prints_times_as_json(folder):
    (folder / "talk.wav").write_bytes(WAV)
    told = json.loads(run("transcribe", "talk.wav", "--timestamps", "word", "--language", "no", *ECHO).stdout)
    assert told["words"][0] == {"word": "talk.wav:", "start": 0.0, "end": 1.0}
    assert (told["language"], told["segments"]) == ("no", None)
    whole = json.loads(run("transcribe", "talk.wav", "--timestamps", "segment", "--json", *ECHO).stdout)
    assert (whole["content"], whole["cost"]) == (whole["text"], 0.0)
    assert whole["segments"][0]["text"] == whole["text"]
    assert json.loads(run("transcribe", "talk.wav", "--format", "json", *ECHO).stdout) == {"text": whole["text"]}


def test_transcribe_sends_what_was_asked_for_and_saves_subtitles(server, folder):
    (folder / "talk.mp3").write_bytes(MP3)
    server.on("/v1/audio/transcriptions", Reply.text("1\n00:00:00,000 --> 00:00:01,000\nHei\n\n"))
    result = run(
        "transcribe", "talk.mp3", "--format", "srt", "--language", "no", "-o", "talk.srt", "-m", "openai/whisper-1"
    )
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert (folder / "talk.srt").read_text() == "1\n00:00:00,000 --> 00:00:01,000\nHei\n"
    for part in (b'name="language"\r\n\r\nno\r\n', b'name="response_format"\r\n\r\nsrt\r\n', b'filename="talk.mp3"'):
        assert part in server.requests[0].body
    again = ("transcribe", "talk.mp3", "-o", "talk.srt", *ECHO)
    failed(run(*again), "--force")
    assert run(*again, "--force").exit_code == 0
    assert (folder / "talk.srt").read_text() == "talk.mp3: 2004 bytes of sound\n"


# --- speak ------------------------------------------------------------------------------------------------


def test_speak_writes_a_file_in_the_format_that_its_name_tells(server, folder):
    pieces = (MP3[:1000], MP3[1000:])
    server.on("/v1/audio/speech", Reply(200, (("content-type", "audio/mpeg"),), pieces, "chunked"))
    result = run("speak", "-o", "hello.mp3", "--voice", "nova", "--speed", "1.5", "-m", "openai/tts-1", stdin="Hello\n")
    assert (result.exit_code, result.output) == (0, "")
    assert (folder / "hello.mp3").read_bytes() == MP3
    body = server.requests[0].json()
    sent = {"input": "Hello", "voice": "nova", "speed": 1.5, "response_format": "mp3"}
    assert {name: body[name] for name in sent} == sent
    failed(run("speak", "Hi", "-o", "hello.mp3", *ECHO), "--force")
    result = run("speak", "Hi", "-o", "hello.mp3", "--force", *ECHO)
    assert "holds audio/wav" in result.stderr
    assert (folder / "hello.mp3").read_bytes().startswith(b"RIFF")
    assert os.listdir(folder) == ["hello.mp3"]


def test_speak_that_fails_leaves_the_old_file_and_no_part(server, folder):
    (folder / "hello.mp3").write_bytes(b"old")
    server.on("/v1/audio/speech", Reply(200, (("content-type", "audio/mpeg"),), (MP3, Close()), "chunked"))
    arguments = ("speak", "Hello", "-o", "hello.mp3", "--force", "-m", "openai/tts-1", "-p", "max_retries=0")
    failed(run(*arguments), "openai/tts-1")
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("hello.mp3", b"old")]


def test_speak_writes_bytes_to_a_pipe_and_not_to_a_terminal():
    assert process("speak", "Hi", "-o", "-", *ECHO).stdout.startswith(b"RIFF")
    code, shown, errors = on_terminal("speak", "Hi", "-o", "-", *ECHO)
    assert (code, shown) == (1, b"")
    assert b"stdout is a terminal" in errors


def test_ctrl_c_ends_speech_in_its_middle_and_leaves_no_part(server, folder):
    server.on("/v1/audio/speech", Reply(200, (("content-type", "audio/mpeg"),), (MP3, Hang()), "chunked"))
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from magma.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "speak", "Hi", "-o", "a.mp3", "-m", "openai/tts-1"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as running:
        assert server.wait_for(lambda _: any(path.stat().st_size for path in folder.iterdir()), 60)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=30)
    assert (running.returncode, output, errors) == (130, b"", b"")
    assert os.listdir(folder) == []


@pytest.mark.parametrize("arguments", [("speak", "Hi", "-o", "-"), ("embed", "Hi"), ("image", "A cat")])
def test_a_reader_that_never_was_is_no_error(arguments):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "magma", *arguments, *ECHO]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": write, "stderr": subprocess.PIPE}
    result = subprocess.run(command, **pipes, timeout=60, check=False)
    os.close(write)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("speak", "Hi", "--format", "wav"), ("image", "A cat")])
def test_a_full_disk_is_one_line(arguments):
    os.symlink("/dev/full", "full.wav")
    failed(run(*arguments, "-o", "full.wav", *ECHO), "cannot be written (No space left")


# --- image ------------------------------------------------------------------------------------------------


def test_image_prints_its_url(server):
    server.on("/v1/images/generations", Reply.json({"data": [{"url": "https://example.com/a.png?sig=1"}]}))
    result = run("image", "A cat", "--size", "512x512", "--quality", "hd", "-m", "openai/dall-e-3")
    assert (result.stdout, result.exit_code) == ("https://example.com/a.png?sig=1\n", 0)
    body = server.requests[0].json()
    assert (body["prompt"], body["size"], body["quality"]) == ("A cat", "512x512", "hd")


def test_image_saves_one_or_several(server, folder):
    item = {"b64_json": base64.b64encode(PNG).decode()}
    server.on("/v1/images/generations", Reply.json({"data": [item, item]}))
    result = run("image", "-o", "cat.png", "-n", "2", "-m", "openai/gpt-image-1", stdin="A cat")
    assert (result.exit_code, result.output) == (0, "")
    assert sorted(os.listdir(folder)) == ["cat-1.png", "cat-2.png"]
    assert (folder / "cat-2.png").read_bytes() == PNG
    failed(run("image", "A cat", "-o", "cat.png", "-n", "2", *ECHO), "cat-1.png", "--force")
    assert run("image", "A cat", "-o", "cat.png", *ECHO).exit_code == 0
    assert "holds image/png" in run("image", "A cat", "-o", "cat.jpg", *ECHO).stderr


def test_image_edits_images(server, folder):
    (folder / "a.png").write_bytes(PNG)
    (folder / "mask.png").write_bytes(PNG + b"mask")
    server.on("/v1/images/edits", Reply.json({"data": [{"b64_json": base64.b64encode(PNG).decode()}]}))
    edits = ("--edit", "a.png", "--edit", "a.png", "--mask", "mask.png")
    result = run("image", "Make it night", *edits, "-o", "-", "-m", "openai/gpt-image-1")
    assert (result.exit_code, result.stdout_bytes) == (0, PNG), result.output
    assert server.requests[0].body.count(PNG) == 3


def test_an_image_that_cannot_be_fetched_is_still_told_by_its_url(server):
    url = f"{server.url}/gone.png?sig=1"
    server.on("/v1/images/generations", Reply.json({"data": [{"url": url}]}))
    result = run("image", "A cat", "-o", "cat.png", "-m", "openai/dall-e-3")
    assert (result.exit_code, result.stdout) == (1, f"{url}\n")
    assert "404" in result.stderr
    assert os.listdir() == []


def test_a_terminal_gets_no_image_before_it_is_paid_for(server):
    code, shown, errors = on_terminal("image", "A cat", "-m", "openai/gpt-image-1")
    assert (code, shown) == (1, b"")
    assert b"-o OUT.png" in errors
    assert server.requests == []
