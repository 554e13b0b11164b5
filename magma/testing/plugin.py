"""The pytest plugin: fixtures for tests that call models. Every pytest run loads it where magma is installed, so it
imports only pytest and the standard library, and does nothing for tests that use none of it.

`magma_script`       scripted answers; see `magma.testing.scripted`
`magma_no_requests`  forbids every call that would need a network
`magma_cassette`     HTTP traffic out of `cassettes/<module>/<test>.yaml`; `--magma-record` says when it is recorded
`magma_server`       a scripted HTTP server on loopback; see `magma.testing.Server`
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .cassettes import Tape
    from .scripted import Script
    from .server import Server

_users = pytest.StashKey[dict[Path, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--magma-record`."""
    parser.getgroup("magma", "magma: calls of AI models").addoption(
        "--magma-record",
        choices=("none", "once", "new", "all"),
        default="none",
        help="what magma_cassette records: none (default, replays only), once (cassettes that are missing), "
        "new (requests that a cassette lacks), all (everything anew)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line(
        "markers", "magma_cassette(path): the file under cassettes/ that the fixture magma_cassette uses for this test"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Gives each test a fresh retry budget: what one test retried must not be denied to the next."""
    retry = sys.modules.get("magma._call.retry")
    if retry is not None:
        retry.forget_budgets()


@pytest.fixture
def magma_script() -> Iterator[Script]:
    """Scripted answers for every model: `magma_script.enqueue("Hello")`, then `magma_script.requests`."""
    from .scripted import scripted

    with scripted() as script:
        yield script


@pytest.fixture
def magma_no_requests() -> Iterator[None]:
    """Forbids every call that would need a network."""
    from .scripted import no_requests

    with no_requests():
        yield


@pytest.fixture
def magma_server() -> Iterator[Server]:
    """A running `magma.testing.Server`: `Model("openai/any", api_base=magma_server.url + "/v1", api_key="x")`."""
    from .server import Server

    with Server() as server:
        yield server


@pytest.fixture
def magma_cassette(request: pytest.FixtureRequest) -> Iterator[Tape]:
    """The test's HTTP traffic out of its cassette; without `--magma-record`, nothing else can be reached."""
    from .cassettes import CassetteMissing, UnrecordedRequest, cassette

    path = _cassette_path(request.node)
    record: Any = request.config.getoption("--magma-record")
    try:
        with cassette(path, record=record) as tape:
            yield tape
    except (CassetteMissing, UnrecordedRequest) as error:
        mode = "once" if isinstance(error, CassetteMissing) else "all"
        command = f"pytest {shlex.quote(request.node.nodeid)} --magma-record={mode}"
        raise pytest.fail.Exception(f"{error}\nrecord it: {command}", pytrace=False) from None


def _cassette_path(item: pytest.Item) -> Path:
    """`cassettes/<module>/<test>.yaml` under the root directory; two tests that would share one are an error."""
    folder = item.config.rootpath / "cassettes"
    marker = item.get_closest_marker("magma_cassette")
    if marker is not None:
        return folder.joinpath(*marker.args)
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    name = re.sub(r"[^\w.=+-]+", "-", ".".join([*classes, item.name])).strip("-")
    path = folder / item.path.stem / f"{name}.yaml"
    user = item.config.stash.setdefault(_users, {}).setdefault(path, item.nodeid)
    if user != item.nodeid:
        pytest.fail(
            f"{item.nodeid} and {user} would share {path.relative_to(item.config.rootpath)}; rename one, or mark it with "
            '@pytest.mark.magma_cassette("<path>.yaml")',
            pytrace=False,
        )
    return path
