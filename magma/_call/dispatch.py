"""The one door to LiteLLM: everything that imports it, calls it or knows its habits.

`send` and `stream` run on the engine's loop. They take a frozen `Request`, hand LiteLLM copies, and
return plain data in OpenAI's wire shape or raise a `ModelError`; no object or exception of LiteLLM
leaves this file. Why each precaution is needed was measured; the reason stands beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import importlib
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import ConfigError, ModelError
from . import facts, failure, operations, unsupported
from .answer import Answer
from .arguments import arguments_of, copied
from .chunks import carries, chunks_of, ends
from .engine import Job, engine
from .inline import OPENAI_LIKE
from .request import Ask, Request
from .spelling import PROVIDERS

if TYPE_CHECKING:
    from . import wire

_QUIET_IMPORT = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # no .env, no price download
# Half a second of modules that the first call would import on the engine's loop, against its deadline.
_FIRST_CALL = ("openai.resources", "litellm.proxy.openai_files_endpoints.common_utils")
_loading = threading.RLock()
_litellm: Any = None
_quiet: Any = None


def loaded() -> bool:
    """Whether LiteLLM is imported and made ready."""
    return _litellm is not None


def load(provider: str = "") -> None:
    """Imports LiteLLM quietly (1-3 s, once), and what the first call to this provider would import.

    Raises:
        ConfigError: LiteLLM does not import, e.g. for a bad value in one of the 400 variables it reads.
    """
    with _loading:
        if _litellm is None:
            _import(_FIRST_CALL if provider in OPENAI_LIKE else ())


def _import(others: Sequence[str]) -> None:
    global _litellm, _quiet
    ours = {name: value for name, value in _QUIET_IMPORT.items() if name not in os.environ}
    if os.environ.get("LITELLM_LOG") == "":  # the empty value crashes its import
        ours["LITELLM_LOG"] = "WARNING"
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    for name in _LOUD:  # LiteLLM writes to stdout, while it is imported already
        logging.getLogger(name).addFilter(_is_the_hosts)
    collecting = gc.isenabled()
    gc.disable()  # a quarter of the import is collections of what is not garbage
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own affairs, errors under -W error
            import litellm
            from litellm.litellm_core_utils.litellm_logging import Logging

            _build(litellm)
            for name in others:
                with contextlib.suppress(ImportError):  # another version keeps it elsewhere
                    importlib.import_module(name)
    except Exception as error:
        raise ConfigError(f"LiteLLM cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if collecting:
            gc.enable()
    gc.freeze()  # else a full collection walks its 375 000 objects, and so comes only every 28 000 calls
    litellm.suppress_debug_info = True  # else it prints to stdout on errors
    _quiet = _quiet_logging(Logging)
    _litellm = litellm


def _build(litellm: Any) -> None:
    """Has pydantic build LiteLLM's answer types now: later it would warn on the user's stderr."""
    delta = {"index": 0, "delta": {"content": ""}, "finish_reason": None}
    litellm.ModelResponseStream(choices=[delta]).choices[0].delta.model_dump()
    litellm.ModelResponse().model_dump()


def version() -> str:
    """LiteLLM's version, without importing it."""
    from importlib.metadata import version as installed

    return installed("litellm")


# Below LiteLLM they write headers and URLs, keys included, once logging is on.
_LOUD = (
    *("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "openai._base_client", "openai._legacy_response", "httpx"),
    "botocore.auth",  # a session token, in the request that it signs
)


def _is_the_hosts(record: logging.LogRecord) -> bool:
    """Logging filter: what LiteLLM says in magma's threads is said by magma, as a response or an error."""
    thread = record.threadName or ""
    ours = thread.startswith(("magma-", "aws-signing")) or record.module == "logging_worker"  # that one at exit
    return not ours or os.environ.get("MAGMA_DEBUG") == "1"


def _quiet_logging(base: Any) -> Any:
    """LiteLLM's logging object without its work for listeners: a quarter of a call, though nobody listens."""

    class Quiet(base):  # type: ignore[misc]
        def pre_call(self, *args: Any, **kwargs: Any) -> None: ...
        def post_call(self, *args: Any, **kwargs: Any) -> None: ...
        def success_handler(self, *args: Any, **kwargs: Any) -> None: ...
        def failure_handler(self, *args: Any, **kwargs: Any) -> None: ...
        async def async_success_handler(self, *args: Any, **kwargs: Any) -> None: ...
        async def async_failure_handler(self, *args: Any, **kwargs: Any) -> None: ...
        async def dispatch_success_handlers(self, *args: Any, **kwargs: Any) -> None: ...
        async def dispatch_failure_handlers(self, *args: Any, **kwargs: Any) -> None: ...
        def handle_sync_success_callbacks_for_async_calls(self, *args: Any, **kwargs: Any) -> None: ...
        def response_cost_calculator(self, *args: Any, **kwargs: Any) -> None: ...
        def _response_cost_calculator(self, *args: Any, **kwargs: Any) -> None: ...

    return Quiet


_LISTENERS = (
    *("callbacks", "input_callback", "success_callback", "failure_callback", "_async_input_callback"),
    *("_async_success_callback", "_async_failure_callback", "service_callback"),
)


def _listener(request: Request, messages: Any) -> dict[str, Any]:
    """Our silent logging object; nothing when the host has callbacks of its own, which then work as ever."""
    # "cache" is LiteLLM's own: it puts it there on the first call to gemini
    if any(one != "cache" for name in _LISTENERS for one in getattr(_litellm, name, None) or ()):
        return {}
    call_id = f"magma-{request.call}"
    listener = _quiet(
        model=request.model,
        messages=messages,
        stream=request.stream,
        call_type=f"a{request.operation}",
        start_time=datetime.datetime.now(),
        litellm_call_id=call_id,
        function_id=call_id,
    )
    return {"litellm_logging_obj": listener, "litellm_call_id": call_id}


# --- what is sent ---------------------------------------------------------------------------------------


def _arguments(request: Request, left_out: frozenset[str]) -> dict[str, Any]:
    arguments = arguments_of(request, left_out)
    return arguments | _listener(request, arguments.get("messages", arguments.get("input")))


async def _call(request: Request) -> tuple[Any, list[str]]:
    """LiteLLM's answer and our warnings; parameters that the model does not take are left out where allowed."""
    _watch_clients()
    for noise in _NOISE:
        if ("ignore", re.compile(noise, re.IGNORECASE), UserWarning, None, 0) not in warnings.filters:
            warnings.filterwarnings("ignore", noise, UserWarning)
    operation = getattr(_litellm, f"a{request.operation}")
    unsupported.check_blocks(request)
    left_out = unsupported.known(request)
    try:
        answer = await operation(**_arguments(request, left_out))
    except _litellm.UnsupportedParamsError as error:
        left_out |= unsupported.may_leave_out(request, error, lambda name: _takes(request, name))
        answer = await operation(**_arguments(request, left_out))
        unsupported.remember(request, left_out)
    return answer, [
        f"{unsupported.shown(request, name)} was not sent: {request.model} does not take it"
        for name in sorted(left_out)
    ]


# LiteLLM builds types when it first needs them, and pydantic then warns about its `ReadOnly` fields; it also
# dumps objects that hold what a provider sent, whatever their types say.
_NOISE = ("Items? .* on TypedDict class", "Pydantic serializer warnings")


def _takes(request: Request, name: str) -> bool:
    model, provider, *_ = _litellm.get_llm_provider(model=request.model, api_base=request.api_base, api_key="-")
    prepare = getattr(_litellm.utils, operations.PREPARERS.get(request.operation, "get_optional_params"))
    try:
        prepare(model=model, custom_llm_provider=provider, **{name: copied(request.params[name], request)})
    except _litellm.UnsupportedParamsError:
        return False
    except Exception:  # it says something else about the value alone: the real call will say it better
        return True
    return True


def _watch_clients() -> None:
    """From now on, every HTTP client that LiteLLM makes on the engine's loop is a watched one."""
    cache = _litellm.in_memory_llm_clients_cache
    if getattr(cache.set_cache, "magma", False):
        return
    original: Callable[..., Any] = cache.set_cache

    def set_cache(key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if asyncio._get_running_loop() is engine().loop:
            _watch(value)
        return original(key, value, *args, **kwargs)

    set_cache.magma = True  # type: ignore[attr-defined]
    cache.set_cache = set_cache


def _watch(client: Any) -> None:
    import httpx

    from .wire import watch

    if hasattr(client, "max_retries"):  # LiteLLM hands `max_retries=0` on for chat alone
        client.max_retries = 0
    inner = getattr(client, "_client", None) or getattr(client, "client", None)
    if isinstance(inner, httpx.AsyncClient) and inner is not _litellm.aclient_session:
        watch(inner)


# --- what comes back ------------------------------------------------------------------------------------


async def send(ask: Ask) -> Answer:
    """Asks once and returns the whole answer."""
    exchange = _exchange(ask)
    body, warned = await (
        _complete(ask, exchange) if ask.request.operation == "completion" else _operate(ask, exchange)
    )
    return Answer(body=body, status=exchange.status, request_id=exchange.request_id, warnings=warned)


def _exchange(ask: Ask) -> wire.Exchange:
    """The notes of this ask, which the watched clients find in the context."""
    from . import wire

    exchange, request = wire.Exchange(ask.sent), ask.request
    exchange.respells, exchange.secrets = request.provider in PROVIDERS, request.secrets()
    if request.operation == "completion":
        exchange.fill = None if request.stream else facts.FILLS.get(request.provider)
    else:  # LiteLLM hands headers on for some operations only
        exchange.headers = dict(request.extra_headers)
        if request.organization is not None and request.provider in OPENAI_LIKE:
            exchange.headers["OpenAI-Organization"] = request.organization
    wire.current.set(exchange)
    return exchange


async def _operate(ask: Ask, exchange: wire.Exchange) -> tuple[dict[str, Any], list[str]]:
    """The answer of an operation that is not chat."""
    request, warned = ask.request, list[str]()
    try:
        if any(map(operations.is_remote, request.inputs.values())):
            request = await operations.with_files(request)
        answer, warned = await _call(request)
        return operations.body_of(request, answer, exchange), warned
    except Exception as error:
        raw = exchange.json() if exchange.status == 200 else None
        if (
            isinstance(raw, dict)
            and operations.is_in_shape(request.operation, raw)
            and not isinstance(error, ModelError)
        ):
            return raw, warned  # LiteLLM stumbled over a good answer
        failed = _told(error, exchange, request)
    raise failed


async def _complete(ask: Ask, exchange: wire.Exchange) -> tuple[dict[str, Any], list[str]]:
    from . import wire

    request = ask.request
    warned: list[str] = []
    try:
        answer, warned = await _call(request)
        body = _body(answer)
        raw = exchange.json() if exchange.response is not None else None
        facts.correct(body, raw)
        if rb"\ud" in exchange.content.lower():  # LiteLLM keeps lone surrogates
            body = wire.mended(body)
        failed = None
    except Exception as error:
        raw = exchange.json()
        body = raw  # LiteLLM stumbled over a good answer (groq without service_tier)
        failed = None if exchange.status == 200 and facts.is_answer(raw) else _told(error, exchange, request)
    if failed is not None:
        raise failed
    facts.check(body, raw, exchange, request)
    return body, warned


def _body(answer: Any) -> dict[str, Any]:
    if not hasattr(answer, "model_dump"):
        raise TypeError(f"{type(answer).__name__} is not an answer")
    body: dict[str, Any] = answer.model_dump(warnings=False)
    return body


def _told(error: Exception, exchange: Any, request: Request) -> ModelError:
    """The error to raise, outside of the `except`: LiteLLM's own, whose texts hold keys, headers and paths, dies here."""
    if isinstance(error, ModelError):
        return error
    raw = exchange.json() if exchange.status == 200 else None
    if isinstance(raw, dict) and raw.get("error"):
        told = failure.reported(raw, exchange, request)
    else:
        told = failure.translate(error, exchange, request)
    if os.environ.get("MAGMA_DEBUG") == "1":
        told.__cause__ = error
    return told


async def stream(ask: Ask, job: Job, bounds: Callable[[], float | None]) -> Answer:
    """Asks once, gives each delta (an OpenAI chunk as plain data) to `job`, returns the answer without its body.

    `bounds()` is when the next delta must have come; it is asked after each one that is more than a keep-alive.
    """
    request, exchange = ask.request, _exchange(ask)
    if request.operation == "speech":
        return await _speak(ask, exchange, job, bounds)
    source, failed, answer = None, None, Answer(body={})
    try:
        source, warned = await _call(request)
        answer = Answer(body={}, status=exchange.status, request_id=exchange.request_id, warnings=warned)
        async for chunk in chunks_of(source, exchange, request):
            if ends(chunk):  # whole: what is late now (usage) is no reason to throw it away
                job.fallback = msgspec.structs.replace(answer, warnings=[*warned, _NO_END])
            await job.give(chunk)
            if carries(chunk) or ends(chunk) or chunk.get("usage"):
                job.expect(bounds())
        if job.fallback is None:
            failed = failure.truncated(exchange, request)
    except Exception as error:
        failed = _told(error, exchange, request)
    finally:
        await _close(source, exchange)
    if failed is not None:
        raise failed
    return answer


async def _speak(ask: Ask, exchange: wire.Exchange, job: Job, bounds: Callable[[], float | None]) -> Answer:
    """Gives the sound to `job` as it arrives; LiteLLM itself would wait for the last byte."""
    count = 0

    async def tap(chunk: bytes) -> None:
        nonlocal count
        count += 1
        await job.give({"audio": chunk})
        job.expect(bounds())

    exchange.tap = tap
    body, warned = await _operate(ask, exchange)
    if not count:  # it came inside of JSON
        await job.give({"audio": body["audio"]})
    end = {"media_type": body["media_type"]}
    return Answer(body=end, status=exchange.status, request_id=exchange.request_id, warnings=warned)


_NO_END = "the stream did not end in time after its finish_reason: usage may be missing"


async def _close(source: Any, exchange: Any) -> None:
    """Frees the connection at once; LiteLLM's wrapper would leave that to the garbage collector."""
    for closing in (exchange.response, getattr(source, "completion_stream", None)):
        close = getattr(closing, "aclose", None)
        try:
            if close is not None:
                await close()
        except Exception:  # a connection that is already gone
            pass


if hasattr(os, "register_at_fork"):  # a fork waits for an import: its child could never finish it
    os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)
