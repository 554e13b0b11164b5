"""The house: the public names, what importing loads, the floors."""

import pathlib
import subprocess
import sys

import pytest

import magma
import magma.model

HEAVY = (
    "litellm",
    "langfuse",
    "openai",
    "aiohttp",
    "grpc",
    "opentelemetry",
    "httpx",
    "tenacity",
    "trio",
    "numpy",
    "vcr",
    "click",
)


def test_the_public_names_are_sorted_and_exist():
    for module in (magma, magma.model, magma.testing):
        assert sorted(module.__all__) == module.__all__
        assert all(getattr(module, name) is not None for name in module.__all__)
        assert set(module.__all__) <= set(dir(module))
    assert sorted(magma._HOMES) == magma.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Modl"):
        _ = magma.Modl


@pytest.mark.parametrize(
    "code",
    ['import magma; magma.Model("openai/gpt-4o")', "import magma.model as m; m.Model('openai/gpt-4o', temperature=1)"],
)
def test_making_a_model_loads_nothing_heavy(code):
    code += f"; import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_offline_call_loads_no_litellm():
    code = "import magma, sys; magma.Model('offline/echo')('Hi'); print([n for n in ('litellm', 'openai', 'aiohttp', 'langfuse') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_floors_hold():
    """Imports go downward only, one file imports LiteLLM: the contracts in pyproject.toml."""
    root = pathlib.Path(__file__).parents[1]
    lint = pathlib.Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_public_callable_has_a_docstring():
    from magma import errors

    own = {name: value for name, value in vars(errors).items() if getattr(value, "__module__", "") == errors.__name__}
    theirs = [value for name, value in own.items() if not name.startswith("_")]
    things = [getattr(magma, name) for name in magma.__all__] + theirs
    assert all(thing.__doc__ for thing in things)
