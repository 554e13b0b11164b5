"""LiteLLM is imported before the first test here: its import is nobody's 0.3 s."""

import asyncio

import pytest

from magma._call import dispatch
from magma._call.engine import engine


@pytest.fixture(scope="session", autouse=True)
def litellm_is_loaded():
    engine().start(lambda job: asyncio.to_thread(dispatch.load, "openai")).take()
