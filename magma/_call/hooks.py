"""Functions that are called along the line: observers and interceptors of every call.

`before_call(request)` may return a changed `Request`, a `Response` (which ends the call) or None, or
raise (a veto). `after_call(request, response)`, `on_error(request, error)` and
`on_retry(request, error, wait)` only watch: one that fails is logged and breaks nothing. All run in the
caller's thread or task, in the order of their registration.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..responses import Response
    from .request import Request

Hook = Callable[..., Any]

NAMES = ("before_call", "after_call", "on_error", "on_retry")
_registered: dict[str, tuple[Hook, ...]] = dict.fromkeys((*NAMES, "closed"), ())
_changing = threading.Lock()
_log = logging.getLogger("magma")


class HookHandle:
    """A registered hook: `remove()` takes it off, leaving a `with` block does too. Calling it calls the function."""

    def __init__(self, name: str, hook: Hook) -> None:
        self.name, self.hook = name, hook

    def remove(self) -> None:
        """Takes the hook off; a second time does nothing."""
        with _changing:
            _registered[self.name] = tuple(one for one in _registered[self.name] if one is not self)

    def __call__(self, *args: Any) -> Any:
        return self.hook(*args)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<{self.name} hook {getattr(self.hook, '__qualname__', self.hook)!s}>"


@overload
def register_hook(name: str) -> Callable[[Hook], HookHandle]: ...


@overload
def register_hook(name: str, hook: Hook) -> HookHandle: ...


def register_hook(name: str, hook: Hook | None = None) -> HookHandle | Callable[[Hook], HookHandle]:
    """Registers a function for all calls; as a decorator or directly, both give a `HookHandle`.

    Args:
        name: "before_call", "after_call", "on_error" or "on_retry".
        hook: the function; left out when used as a decorator.

    >>> @register_hook("before_call")
    ... def careful(request):
    ...     return request.with_(max_tokens=100)
    >>> careful.remove()

    Raises:
        ConfigError: an unknown name, or something that cannot be called.
    """
    if name not in NAMES:
        raise ConfigError(f"hook {name!r} does not exist; use one of {', '.join(NAMES)}")
    return add(name, hook) if hook is not None else lambda function: add(name, function)


def add(name: str, hook: Hook) -> HookHandle:
    """Registers without asking whether the name is a public one ("closed" ends every line, come what may)."""
    if not callable(hook):
        raise ConfigError(f"a {name} hook must be a function, not {hook!r}")
    if inspect.iscoroutinefunction(hook):
        raise ConfigError(f"a {name} hook must be a plain function, not an async one: it runs on sync calls too")
    handle = HookHandle(name, hook)
    with _changing:
        _registered[name] = (*_registered[name], handle)
    return handle


def before_call(request: Request) -> Request | Response:
    """The request after all `before_call` hooks, or the response that one of them gave."""
    from ..responses import Response
    from .request import Request

    for hook in _registered["before_call"]:
        result = hook(request)
        if isinstance(result, Response):
            return result
        if isinstance(result, Request):
            request = result
        elif result is not None:
            raise ConfigError(f"{hook!r} returned {type(result).__name__}; return None, a Request or a Response")
    return request


def tell(name: str, *what: Any) -> None:
    """Calls the observers of this name; one that fails is logged."""
    for hook in _registered[name]:
        try:
            hook(*what)
        except Exception as error:
            _log.warning("%r failed: %s", hook, type(error).__name__, exc_info=True)
