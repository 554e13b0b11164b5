"""`@handle`: what makes a frozen, validated value out of a class with fields."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from .. import profiles
from .._call.address import check_header_value, check_headers, check_url
from ..errors import ConfigError, is_secret_name
from ._settle import settle

H = TypeVar("H")


@dataclass_transform(frozen_default=True)
def handle(cls: type[H]) -> type[H]:
    """Makes a model type out of a class: a frozen pydantic dataclass whose constructor settles its keywords."""
    config = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)
    if not cls.model_type:  # type: ignore[attr-defined]  # what types share is never made: 5 ms less of an import
        config["defer_build"] = True
    made: Any = pydantic_dataclass(cls, frozen=True, slots=True, repr=False, config=config)
    made.__pydantic_init__ = made.__init__
    fields = {field.name: field for field in dataclasses.fields(made)}  # without the ClassVars
    own = {name: field for name, field in fields.items() if name not in made.connection}
    made.fields = {"id": fields["id"], **own, **fields}  # its own before those of the connection
    made.parameters = tuple(own)
    if hasattr(made, "_inputs"):
        made.arguments = frozenset(inspect.signature(made._inputs).parameters) - {"self"}
        if "_inputs" in vars(cls):
            _show_calls(cls, made)

    def __init__(self: Any, id: Any = None, /, **keywords: Any) -> None:  # noqa: N807 - it becomes the class's own
        if id is not None:
            if "id" in keywords:
                raise TypeError(f"{type(self).__name__}() got the id twice")
            keywords["id"] = id
        initialize(self, keywords)

    __init__.__doc__, __init__.__qualname__ = cls.__doc__, f"{cls.__name__}.__init__"
    made.__init__ = __init__
    made.__signature__ = _signature(made)
    made.__setattr__ = made.__delattr__ = _refuse  # CPython 3.11's own for frozen slots stumbles over unknown names
    return made  # type: ignore[no-any-return]


def _show_calls(cls: type, made: Any) -> None:
    """Gives a type's calls the arguments and the docstring of its `_inputs`, which is what they take."""
    inputs = inspect.signature(made._inputs)
    extra = [inspect.Parameter("overrides", inspect.Parameter.VAR_KEYWORD)]
    if "__call__" in vars(cls):  # it streams as well
        extra.insert(0, inspect.Parameter("stream", inspect.Parameter.KEYWORD_ONLY, default=False))
    else:
        _own_calls(made)
    told = inputs.replace(parameters=[*inputs.parameters.values(), *extra], return_annotation=inspect.Signature.empty)
    made.__call__.__signature__ = made.acall.__signature__ = told
    made.__call__.__doc__ = made._inputs.__doc__ or made.__call__.__doc__


def _own_calls(made: Any) -> None:
    """Calls of a type's own, which do what the inherited ones do."""
    call, acall = made.__call__, made.acall

    def __call__(self: Any, *args: Any, **arguments: Any) -> Any:  # noqa: N807 - it becomes the class's own
        return call(self, *args, **arguments)

    async def own_acall(self: Any, *args: Any, **arguments: Any) -> Any:
        """As calling the handle, awaited; on asyncio's or trio's loop."""
        return await acall(self, *args, **arguments)

    for name, function in (("__call__", __call__), ("acall", own_acall)):
        function.__name__, function.__qualname__ = name, f"{made.__name__}.{name}"
        setattr(made, name, function)


def _signature(cls: Any) -> inspect.Signature:
    """The constructor as `help()` and editors show it: every field, and anything else into `extra`."""
    fields = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD if name == "id" else inspect.Parameter.KEYWORD_ONLY,
            default=None if name == "id" else {} if name == "extra" else field.default,
            annotation=field.type,
        )
        for name, field in cls.fields.items()
    ]
    return inspect.Signature([*fields, inspect.Parameter("others", inspect.Parameter.VAR_KEYWORD)])


def _refuse(self: Any, name: str, value: Any = None) -> None:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__}.{name} cannot be set; use with_({name}=…)")


def initialize(self: Any, keywords: dict[str, Any], *, environment: bool = True) -> None:
    """Gives a new handle its values: settled, validated, checked; `environment`: its defaults have a say."""
    cls = type(self)
    values, variables = settle(cls, keywords, environment=environment)
    if not isinstance(values.get("id"), str):
        got = "no id" if values.get("id") is None else f"{values['id']!r:.80}"
        raise ConfigError(f'{cls.__name__} needs an id "provider/name" such as "openai/gpt-4o", got {got}')
    try:
        self.__pydantic_init__(**values)
    except ValidationError as error:
        raise ConfigError(_told(cls, error, variables)) from None
    _check_id(self.id, cls, variables.get("id", f"{cls.__name__}.id"))
    check_url(self.api_base, variables.get("api_base", f"{cls.__name__}.api_base"))
    check_headers(self.extra_headers, variables.get("extra_headers", f"{cls.__name__}.extra_headers"))
    if self.api_key is not None:
        check_header_value(self.api_key.get_secret_value(), variables.get("api_key", f"{cls.__name__}.api_key"))


def _told(cls: type, error: ValidationError, variables: Mapping[str, str]) -> str:
    """The first thing that pydantic found wrong, in one sentence."""
    found = error.errors(include_url=False, include_context=False)[0]
    name = str(found["loc"][0]) if found["loc"] else "arguments"
    messages = {
        one["msg"][0].lower() + one["msg"][1:] for one in error.errors() if str(one["loc"][:1]) == str(found["loc"][:1])
    }
    value = "a secret" if is_secret_name(name) else f"{found['input']!r:.80}"
    where = f"{variables[name]} ({cls.__name__}.{name})" if name in variables else f"{cls.__name__}.{name}"
    return f"{where}: {' or '.join(sorted(messages))}; got {value}"


def _check_id(id: str, cls: type, where: str) -> None:
    provider, slash, name = id.partition("/")
    if not slash or not provider.strip() or not name.strip() or id != id.strip() or any(ord(sign) < 32 for sign in id):
        raise ConfigError(f'{where} must be "provider/name" such as "openai/gpt-4o"; got {id!r:.80}')
    provider = profiles.ALIASES.get(provider, provider)
    if not profiles.is_provider_of(provider, cls.model_type):  # type: ignore[attr-defined]
        source = "" if where.startswith(cls.__name__) else f" ({where})"
        raise ConfigError(f"Provider `{provider}` not registered for type `{cls.model_type}`{source}")  # type: ignore[attr-defined]
