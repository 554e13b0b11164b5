"""A handle as plain data and back: `serialize()`, `from_serialized(…)`, in the shape of msgflux. No secret is in it."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError, is_secret_name
from ._factory import HOMES, class_of
from ._frozen import thaw


def serialize(handle: Any) -> dict[str, Any]:
    """`{"msgflux_type", "provider", "model_type", "state": {"model_id", "sampling_params", "sampling_run_params"}}`."""
    values = {name: getattr(handle, name) for name in handle.fields}
    connection = {
        name: _plain(name, values[name])
        for name in handle.fields
        if name in handle.connection - {"id", "api_key", "extra", "labels"}
        and values[name] != handle.fields[name].default
    }
    if values.get("labels") is not None:
        connection["labels"] = thaw(values["labels"])
    run = {
        name: _plain(name, values[name])
        for name in handle.parameters
        if values[name] is not None or handle.fields[name].default is not None
    }
    if extra := _without_secrets(thaw(handle.extra)):
        run["extra"] = extra
    provider, _, name = handle.id.partition("/")
    return {
        "msgflux_type": "model",
        "provider": provider,
        "model_type": handle.model_type,
        "state": {
            "model_id": name,
            "sampling_params": {
                key: value for key, value in connection.items() if value not in (None, {}) or key == "timeout"
            },
            "sampling_run_params": run,
        },
    }


def _plain(name: str, value: Any) -> Any:
    if name == "timeout" and hasattr(value, "total"):
        return {part: getattr(value, part) for part in value.__slots__ if getattr(value, part) is not None}
    if name == "cache" and value is not None:
        return {"size": value.size}
    if name == "extra_headers":
        return _without_secrets(thaw(value or {}))
    return list(value) if isinstance(value, tuple) else thaw(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items() if not is_secret_name(name)}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def restored(cls: Any, given: Any, others: Mapping[str, Any], *, provider: Any, model_type: Any, state: Any) -> Any:
    """The handle that `serialize` described, whatever the environment's defaults are by now; what is unknown is passed over.

    Raises:
        ConfigError: a state that is none, or values that no handle can have.
    """
    if given is not None:
        whole = _mapping(given, "the state")
        others = dict(whole)
        provider, model_type, state = (whole.get(name) for name in ("provider", "model_type", "state"))
    if others.get("msgflux_type", "model") != "model":
        raise ConfigError(f"this is a serialized {others['msgflux_type']!r:.40}, not a model")
    model_type = cls.model_type if model_type is None else model_type
    if not isinstance(model_type, str) or model_type not in HOMES:
        raise ConfigError(f"model_type must be one of {', '.join(HOMES)}; not {model_type!r:.80}")
    made = cls if cls.model_type == model_type else class_of(model_type)
    if made is not cls and cls.model_type != "chat_completion":  # Model makes all types
        raise ConfigError(f"{cls.__name__} cannot be a {model_type}; use {made.__name__} or Model.from_serialized")
    state = _mapping(state, "state")
    if not isinstance(provider, str) or not isinstance(state.get("model_id"), str):
        raise ConfigError(
            f"a serialized model needs provider and state['model_id']; got {provider!r:.40} and {state.get('model_id')!r:.40}"
        )
    values = {name: field.default for name, field in made.fields.items() if name not in ("id", "api_key", "extra")}
    values |= _known(made, _mapping(_given(state, "sampling_params"), "sampling_params"))
    run = dict(_mapping(_given(state, "sampling_run_params"), "sampling_run_params"))
    extra = dict(_mapping(run.pop("extra", None) or {}, "sampling_run_params['extra']"))
    values |= {name: value for name, value in run.items() if name in made.parameters}
    extra |= {name: value for name, value in run.items() if name not in made.fields and value is not None}
    return made(f"{provider}/{state['model_id']}", **values, extra=extra)


def _given(state: Mapping[str, Any], name: str) -> Any:
    return {} if state.get(name) is None else state[name]


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f"{what} must be a dict with text keys, not {value!r:.80}")
    return value


def _known(made: Any, told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields among `sampling_params`."""
    known = {name: value for name, value in told.items() if name in made.connection and name in made.fields}
    if "base_url" in told and "api_base" not in told:
        known["api_base"] = told["base_url"]
    if isinstance(known.get("cache"), Mapping):
        from .._call.cache import Cache

        known["cache"] = Cache(size=known["cache"].get("size", 128))  # in memory: a state names no file to write
    return {name: value for name, value in known.items() if name not in ("id", "extra", "api_key")}


def save(data: Any, path: str | os.PathLike[str]) -> None:
    """Writes plain data, such as `model.serialize()`, as a JSON file.

    Raises:
        ConfigError: something that JSON cannot carry, or a file that cannot be written.
    """
    try:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        pathlib.Path(path).write_text(text, encoding="utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"this cannot be saved as JSON: {error}") from None
    except OSError as error:
        raise ConfigError(f"{os.fspath(path)!r} cannot be written: {error.strerror}") from None


def load(path: str | os.PathLike[str]) -> Any:
    """Reads the plain data of a JSON file, such as one that `save` wrote.

    Raises:
        ConfigError: a file that is missing, cannot be read, or is not JSON.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{os.fspath(path)!r} is not a text in UTF-8") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{os.fspath(path)!r} is not JSON: {error}") from None
