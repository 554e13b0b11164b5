"""What all tests share: no key and no default of this machine's environment reaches a test."""

import os

import pytest

from magma.errors import is_secret_name

collect_ignore = ["typing_examples.py"]  # for type checkers, not to be run


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Takes MAGMA_*, LANGFUSE_* and keys out of the environment; MAGMA_TEST_* stays."""
    for name in list(os.environ):
        ours = name.startswith(("MAGMA_", "LANGFUSE_")) and not name.startswith(("MAGMA_TEST_", "MAGMA_DEBUG"))
        if ours or (is_secret_name(name) and name.endswith(("_KEY", "_TOKEN", "_SECRET"))):
            monkeypatch.delenv(name)
