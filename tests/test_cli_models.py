"""`magma models` and `magma profile`."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from magma import profiles
from magma.cli.group import commands


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGMA_PROFILES", str(tmp_path / "profiles.json"))


def run(*arguments):
    return CliRunner().invoke(commands, arguments)


def test_models_prints_a_table():
    result = run("models", "--provider", "openai", "--with", "tool_call", "--max-output-cost", "10", "--name", "gpt-4o")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["ID", "TYPE", "CONTEXT", "$IN/M", "$OUT/M", "CAN"]
    [line] = [line for line in lines if line.startswith("openai/gpt-4o ")]
    assert line.split()[1:5] == ["chat_completion", "128000", "2.5", "10"]
    assert "vision" in line


def test_models_prints_json():
    result = run("models", "--provider", "google", "--type", "text_embedder", "--json")
    found = json.loads(result.stdout)
    assert found
    assert all(one["provider"] == "gemini" and one["model_type"] == "text_embedder" for one in found)
    assert {"capabilities", "modalities", "limits", "cost", "source"} <= set(found[0])
    assert found[0]["capabilities"]["tool_call"] is None


def test_models_can_be_limited():
    assert len(json.loads(run("models", "--limit", "3", "--json").stdout)) == 3
    assert len(run("models", "--limit", "3", "--with", "tool-call", "--with", "vision").stdout.splitlines()) == 4


def test_no_model_fits():
    result = run("models", "--min-context", "999999999999")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no model" in result.stderr
    assert json.loads(run("models", "--min-context", "999999999999", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["models", "--with", "tool_cal"], 1, "did you mean tool_call?"),
        (["models", "--with", "provider"], 1, "there is no capability"),
        (["models", "--provider", "opnai"], 1, "did you mean 'openai'"),
        (["models", "--type", "chat"], 1, "chat_completion"),
        (["models", "--max-output-cost", "-1"], 1, "0 or more"),
        (["models", "--max-output-cost", "nan"], 1, "0 or more"),
        (["models", "--max-output-cost", "cheap"], 2, "cheap"),
        (["models", "--limit", "0"], 2, "limit"),
        (["profile"], 2, "ID"),
        (["profile", "openai/gpt-4oo"], 1, "did you mean openai/gpt-4o"),
        (["profile", "gpt-4p"], 1, "nothing is known"),
        (["profile", "\x1b[31m"], 1, "nothing is known"),
    ],
)
def test_bad_input_is_one_line_and_a_code(arguments, code, told):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


def test_profile_prints_what_is_known():
    result = run("profile", "openai/gpt-4o")
    assert result.exit_code == 0
    for words in ("openai/gpt-4o", "128000 tokens", "16384 tokens", "text, image", "$2.5 input per million", "litellm"):
        assert words in result.stdout


@pytest.mark.parametrize("id", ["openai/gpt-4o", "google/gemini-2.5-pro", "openai/whisper-1", "ollama/llama3"])
def test_profile_prints_json(id):
    found = json.loads(run("profile", id, "--json").stdout)
    known = profiles.get_model_profile(id)
    assert found["id"] == known.id
    assert found["cost"]["input_per_million"] == known.cost.input_per_million


def test_every_kind_of_profile_prints():
    modes = {profile.mode: profile.id for profile in profiles.find()}
    for id in modes.values():
        assert run("profile", id).exit_code == 0, id


def test_a_pipe_that_closes_is_silent():
    command = f'"{sys.executable}" -m magma models | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.stdout.startswith("ID ")
    assert done.stderr == ""


def test_the_commands_load_no_litellm():
    code = (
        "import sys; from magma.cli.group import run; run(['models', '--limit', '1']); run(['profile', 'openai/gpt-4o']);"
        "sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
