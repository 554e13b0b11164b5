"""LiteLLM is imported before the first test here: its import is nobody's 0.3 s."""

import asyncio

import pytest

from magma._call import dispatch
from magma._call.engine import engine
from magma.testing import Server


@pytest.fixture(scope="session", autouse=True)
def litellm_is_loaded():
    engine().start(lambda job: asyncio.to_thread(dispatch.load, "openai")).take()


@pytest.fixture
def server():
    with Server() as server:
        yield server
