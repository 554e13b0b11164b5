"""From the keywords of a constructor, and the environment, to the fields of a handle.

Order: keyword > environment (`MAGMA_<TYPE>_DEFAULT_<FIELD>`) > class default. What is no field goes to
`extra`, unless it looks like a misspelt field, or would switch off something that magma owns.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from ..errors import ConfigError
from ..messages import own
from ._frozen import FrozenDict, frozen_mapping, thaw

# Parameters that LiteLLM or a provider knows: never taken for a misspelt field.
KNOWN = frozenset(
    """min_p top_a typical_p tfs top_n n best_of echo suffix min_tokens max_completion_tokens max_new_tokens num_predict
    num_ctx num_gpu num_thread num_keep repeat_penalty repetition_penalty repeat_last_n length_penalty no_repeat_ngram_size
    mirostat mirostat_eta mirostat_tau penalize_newline stop_sequences stop_token_ids bad_words ignore_eos logits_bias
    dynatemp_range dynatemp_exponent dry_multiplier xtc_probability xtc_threshold guided_json guided_regex guided_choice
    guided_grammar grammar json_schema response_format modalities audio prediction store metadata verbosity
    prompt_cache_key prompt_cache_retention safety_identifier safety_settings web_search_options functions function_call
    thinking thinking_config thinking_budget reasoning include_reasoning enable_thinking chat_template_kwargs extra_body
    cache_control context_management betas anthropic_beta container mcp_servers seeds keep_alive format options raw
    provider models route transforms plugins truncate documents citations input_type language region_name
    aws_region_name aws_access_key_id aws_secret_access_key aws_session_token aws_profile_name aws_role_name
    aws_session_name aws_bedrock_runtime_endpoint aws_web_identity_token guardrailConfig performanceConfig
    vertex_project vertex_location vertex_credentials azure_ad_token azure_deployment deployment_id api_type project
    custom_llm_provider allowed_openai_params drop_params additional_drop_params mock_response ssl_verify user_id
    temperature_last use_beam_search skip_special_tokens spaces_between_special_tokens timeouts encoding_format
    embedding_type normalized task late_chunking modality rank_fields return_documents max_chunks_per_doc
    max_tokens_per_doc truncation chunking_strategy include diarize smart_format punctuate stream_format
    partial_images output_compression style_preset negative_prompt aspect_ratio guidance_scale""".split()
)

_OWNED = {
    **dict.fromkeys(
        ("schema", "generation_schema", "typed_parser", "prefilling", "tools", "tool_schemas"), "give it to the call"
    ),
    "tool_choice": "give it to the call",
    "system_prompt": "give it to the call",
    "num_retries": "use max_retries",
    "fallbacks": "use a Balancer",
    "context_window_fallback_dict": "use a Balancer",
    "model_list": "use a Balancer",
    "model": "the id is the first argument",
    "messages": "give them to the call",
    "stream": "only calls of Model and Speaker take it",
    "caching": "use cache",
    "callbacks": "use register_hook",
    "success_callback": "use register_hook",
    "failure_callback": "use register_hook",
    "logger_fn": "use register_hook",
    "client": "magma owns all connections",
    "shared_session": "magma owns all connections",
    "acompletion": "call acall()",
    "litellm_logging_obj": "use register_hook",
}

TEXTS = frozenset(
    """id api_base api_key api_version organization user service_tier reasoning_effort on_unsupported language prompt voice
    instructions input_type size quality style background output_format input_fidelity response_format""".split()
)
MAPPINGS = frozenset(("extra", "extra_headers", "logit_bias"))


def settle(cls: Any, given: dict[str, Any], *, environment: bool = True) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of the fields, and which environment variable each comes from that comes from one."""
    fields = cls.fields
    values = {name: value for name, value in given.items() if name in fields}
    others = {name: value for name, value in given.items() if name not in fields}
    variables: dict[str, str] = {}
    if environment:
        for name in fields:
            variable = variable_of(cls, name)
            text = os.environ.get(variable)
            if text is not None and name not in values and not (name == "cache" and "enable_cache" in others):
                values[name], variables[name] = from_text(name, text, variable), variable
    _take_cache(values, others, variables.get("cache"))
    if "base_url" in others:
        if given.get("api_base") is not None:
            raise ConfigError("api_base and base_url are the same: give one")
        values["api_base"] = others.pop("base_url")
    where = variables.get("extra", f"{cls.__name__}.extra")
    extra = thaw(_mapping(values.get("extra"), where))
    _take_api_keys(values, given, others)
    _take_api_keys(values, given, extra)
    _sort_out(cls, others, cls.__name__)
    if others or extra or "extra" in values:
        _sort_out(cls, extra, where, spelling=False)
        merged = {**extra, **frozen_mapping(others, "extra")}
        values["extra"] = frozen_mapping({name: value for name, value in merged.items() if value is not None}, "extra")
    return _shape(cls, values, variables), variables


def variable_of(cls: Any, field: str) -> str:
    """The environment variable that gives a field its default.

    >>> from magma import Model
    >>> variable_of(Model, "temperature")
    'MAGMA_MODEL_DEFAULT_TEMPERATURE'
    """
    return f"MAGMA_{cls.env_name}_DEFAULT_{field.upper()}"


def from_text(name: str, text: str, variable: str) -> Any:
    """The value that a variable's text means: JSON where it is JSON, text fields and everything else as written."""
    if name in TEXTS:
        return None if text.strip().lower() in ("null", "none") and name != "id" else text
    if text.strip().lower() in ("none", "null", ""):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if name in MAPPINGS:  # its text may hold secrets
            raise ConfigError(f"{variable} must be a JSON object, but is not JSON") from None
        lowered = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        return lowered.get(text.strip().lower(), text)
    if name == "stop" and not isinstance(value, list):
        return text
    return value


def _take_cache(values: dict[str, Any], others: dict[str, Any], variable: str | None) -> None:
    """`enable_cache=True, cache_size=128` (seed 001), and a cache named in the environment."""
    from .._call.cache import Cache

    enabled, size = others.pop("enable_cache", None), others.pop("cache_size", None)
    if enabled not in (None, True, False):
        raise ConfigError(f"enable_cache must be True or False, not {enabled!r}")
    if enabled and values.get("cache") is None:
        values["cache"] = Cache(size=128 if size is None else size)
    elif enabled is False:
        values["cache"] = None
    elif variable and not isinstance(cache := values.get("cache"), (Cache, type(None))):
        try:
            if cache is True or cache is False:
                values["cache"] = Cache() if cache else None
            else:
                values["cache"] = Cache(size=cache) if isinstance(cache, int) else Cache(cache)
        except ConfigError as error:
            raise ConfigError(f"{variable}: {error}") from None


def _take_api_keys(values: dict[str, Any], given: dict[str, Any], others: dict[str, Any]) -> None:
    """`groq_api_key="…"` is the api_key of a groq model: a secret that must never become a parameter."""
    from ..profiles import ALIASES

    provider = str(values.get("id", "")).partition("/")[0]
    names = {provider, ALIASES.get(provider, provider)}
    for name in [name for name in others if isinstance(name, str) and name.lower().endswith("_api_key")]:
        owner, key = name.lower().removesuffix("_api_key"), others.pop(name)
        if {owner, ALIASES.get(owner, owner)}.isdisjoint(names):
            raise ConfigError(f"{name} does not belong to {provider or 'a model without id'}; give the key as api_key=")
        if key is None:
            continue
        if given.get("api_key") not in (None, key):
            raise ConfigError(f"api_key and {name} are both given; give one")
        values["api_key"] = key


def _sort_out(cls: Any, others: Mapping[str, Any], where: str, *, spelling: bool = True) -> None:
    """Raises for keywords that magma owns, and for those that look like a misspelt field."""
    for name in others:
        if name in _OWNED:
            raise ConfigError(f"{name} cannot be a parameter ({where}): {_OWNED[name]}")
        if name in cls.fields:
            raise ConfigError(f"{where}[{name!r}] is a field of {cls.__name__}: give {name}= instead")
        if spelling and (near := misspelt(cls, name)):
            raise ConfigError(
                f"{cls.__name__} has no field {name!r}; did you mean {near!r}? "
                f"To send it to the provider as it is, use extra={{{name!r}: …}}"
            )


def misspelt(cls: Any, name: str) -> str | None:
    """The field that a keyword looks like a misspelling of; None for a name that means something itself.

    >>> from magma import Model
    >>> misspelt(Model, "temprature"), misspelt(Model, "top_a")
    ('temperature', None)
    """
    if name in KNOWN:
        return None
    plain = re.sub(r"[^a-z]", "", name.lower())
    near = next((field for field in cls.fields if field.replace("_", "") == plain), None)
    return near or next(iter(difflib.get_close_matches(name.lower(), cls.fields, n=1, cutoff=0.8)), None)


def _mapping(value: Any, where: str) -> FrozenDict:
    return FrozenDict() if value is None else frozen_mapping(value, where)


def _shape(cls: Any, values: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    """Lists, dicts and secrets in the form in which a frozen handle holds them."""
    for name in ("stop", "timestamp_granularities"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    if isinstance(values.get("timestamp_granularities"), str):
        values["timestamp_granularities"] = (values["timestamp_granularities"],)
    if values.get("labels") is not None:
        values["labels"] = _labels(values["labels"], variables.get("labels", f"{cls.__name__}.labels"))
    if isinstance(values.get("logit_bias"), Mapping):
        values["logit_bias"] = _token_biases(
            values["logit_bias"], variables.get("logit_bias", f"{cls.__name__}.logit_bias")
        )
    for name in ("extra_headers", "logit_bias"):
        if values.get(name) is not None:
            values[name] = frozen_mapping(values[name], variables.get(name, f"{cls.__name__}.{name}"))
    if isinstance(values.get("timeout"), Mapping):
        values["timeout"] = _timeout(values["timeout"], variables.get("timeout", f"{cls.__name__}.timeout"))
    if isinstance(values.get("timeout"), int) and not isinstance(values["timeout"], bool):
        values["timeout"] = float(values["timeout"])
    if isinstance(values.get("api_key"), str):
        from pydantic import SecretStr

        own(values["api_key"], "api_key")
        values["api_key"] = SecretStr(values["api_key"])
    for name, value in values.items():
        if isinstance(value, str) or name == "stop":
            own(value, variables.get(name, f"{cls.__name__}.{name}"))  # refuses what UTF-8 cannot carry
    return values


def _token_biases(biases: Mapping[Any, Any], where: str) -> dict[str, float]:
    for token, bias in biases.items():
        is_number = isinstance(bias, (int, float)) and not isinstance(bias, bool)
        if not isinstance(token, (int, str)) or not is_number or not -100 <= bias <= 100:
            raise ConfigError(f"{where} maps token ids to numbers from -100 to 100; got {token!r}: {bias!r:.40}")
    return {str(token): bias for token, bias in biases.items()}


def _labels(labels: Any, where: str) -> FrozenDict:
    """A classifier's labels with what they mean, "" where that was not said."""
    told = labels if isinstance(labels, Mapping) else None
    if told is None and (isinstance(labels, (str, bytes)) or not isinstance(labels, (Sequence, Set))):
        raise ConfigError(f"{where} must be a list of str or a dict label -> description, not {type(labels).__name__}")
    if isinstance(labels, Set):  # whose order is another in each process
        labels = sorted(labels, key=str)
    named = [(label, told[label] if told is not None else "") for label in labels]
    for label, meaning in named:
        if not isinstance(label, str) or not label.strip() or not isinstance(meaning, (str, type(None))):
            raise ConfigError(f"{where} must be texts; got {label!r:.40}" + (f": {meaning!r:.40}" if told else ""))
    if not named or len({label for label, _ in named}) != len(named):
        raise ConfigError(f"{where} must be at least one label, each once; got {[label for label, _ in named]!r:.80}")
    return FrozenDict((label, meaning or "") for label, meaning in named)


def _timeout(parts: Mapping[str, Any], where: str) -> Any:
    from .._call.timeout import Timeout

    known = Timeout.__slots__
    if not set(parts) <= set(known):
        raise ConfigError(
            f"{where} has the parts {', '.join(known)}; not {', '.join(map(str, set(parts) - set(known)))}"
        )
    try:
        return Timeout(**parts)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
