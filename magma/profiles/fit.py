"""Whether a chat call would fit its model, and what it may cost, before anything is sent. All of it offline.

`fit` looks at plain data (the messages, tools and schema as they would be sent) and at a `Profile`; it knows no handle.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from .profile import Profile
from .tokens import HOW, estimate, kinds_of

SOON = datetime.timedelta(days=90)
_CAPABILITY = {"image": "vision", "audio": "audio_input", "video": "video_input", "pdf": "pdf_input"}
_NO_CHAT = ("text_embedder", "text_reranker", "moderation", "speech_to_text")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `fit` found; true where nothing speaks against the call."""

    problems: tuple[str, ...] = ()
    """Why the call would fail, one sentence each."""
    warnings: tuple[str, ...] = ()
    """What may go wrong, or is not known, one sentence each."""
    input_tokens: int = 0
    """The likely length of the prompt in tokens, tools and schema included; `estimate` says how it is counted."""
    input_range: tuple[int, int] = (0, 0)
    """Lowest and highest length that ordinary text of this kind has."""
    estimate: str = HOW
    """How the tokens were counted."""
    cost_range: tuple[float, float] | None = None
    """Dollars: the lowest prompt and no answer, the highest prompt and the longest answer; None where unknown."""
    context: bool | None = None
    """Whether prompt and answer fit the model's context; None where that is not known, or too close to tell."""
    modalities: tuple[str, ...] = ("text",)
    """What the messages hold: text, image, audio, video, pdf, file."""

    def __bool__(self) -> bool:
        return not self.problems


def fit(
    profile: Profile | None,
    *,
    messages: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any] | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    schema: Any = None,
    max_tokens: int | None = None,
    takes: Callable[[str], bool | None] | None = None,
    today: datetime.date | None = None,
) -> Report:
    """Whether the model takes this call, as far as its profile tells.

    Args:
        profile: the model's; None where nothing is known about it.
        messages: in OpenAI's wire shape.
        params: the parameters that would be sent; None values are left out of account.
        tools: tool schemas.
        schema: the JSON schema of the answer, or anything that JSON can hold; it counts with its length.
        max_tokens: the longest answer asked for; None: the model's own limit.
        takes: says of a parameter's name whether the model takes it; None for not known.
        today: for deprecation; today's date by default.

    >>> from magma.profiles import get_model_profile
    >>> report = fit(get_model_profile("openai/gpt-4o"), messages=[{"role": "user", "content": "Hi"}], max_tokens=100)
    >>> bool(report), report.context, report.modalities
    (True, True, ('text',))
    """
    given = {name: value for name, value in (params or {}).items() if value is not None}
    kinds = kinds_of(messages)
    low, likely, high = estimate(messages, tools, schema)
    findings = [*_about_params(profile, given, takes)]
    if profile is None:
        findings.append(
            Doubt("nothing is known about this model: its limits, capabilities and prices were not checked")
        )
    else:
        findings += _about_type(profile)
        findings += _about_kinds(profile, kinds)
        findings += _about_capabilities(profile, messages, given, tools, schema)
        findings += _about_date(profile, today or datetime.datetime.now(datetime.UTC).date())
        findings += _about_length(profile, (low, high), max_tokens)
    uncounted = sorted(kinds - {"text", "image"})
    if uncounted:
        findings.append(Doubt(f"the length of {' and '.join(uncounted)} is not in the estimate"))
    answers = given.get("n") if isinstance(given.get("n"), int) else 1
    return Report(
        problems=tuple(str(finding) for finding in findings if not isinstance(finding, Doubt)),
        warnings=tuple(str(finding) for finding in findings if isinstance(finding, Doubt)),
        input_tokens=likely,
        input_range=(low, high),
        cost_range=None if uncounted else _cost(profile, low, high, max_tokens, answers or 1),
        context=_fits(profile, (low, high), max_tokens, counted=not uncounted),
        modalities=tuple(kind for kind in ("text", "image", "audio", "video", "pdf", "file") if kind in kinds),
    )


class Doubt(str):
    """A sentence that is a warning; any other is a problem."""

    __slots__ = ()


def _about_params(
    profile: Profile | None, params: Mapping[str, Any], takes: Callable[[str], bool | None] | None
) -> Iterable[str]:
    for name in params if takes is not None else ():
        if takes is not None and takes(name) is False:
            yield f"{profile.id if profile else 'the model'} does not take {name}: leave it out"


def _about_type(profile: Profile) -> Iterable[str]:
    if profile.model_type in _NO_CHAT:
        yield f"{profile.id} is no chat model: it is a {profile.model_type}"


def _about_kinds(profile: Profile, kinds: set[str]) -> Iterable[str]:
    for kind in ("image", "audio", "video", "pdf"):
        if kind not in kinds:
            continue
        can = getattr(profile.capabilities, _CAPABILITY[kind])
        plural = {"image": "images", "pdf": "PDF files"}.get(kind, kind)
        if can is False:
            yield f"{profile.id} does not take {plural}"
        elif can is None and kind not in profile.modalities.input:
            yield Doubt(f"whether {profile.id} takes {plural} is not known")
    if "file" in kinds:
        yield Doubt(f"whether {profile.id} takes this kind of file is not known")


def _about_capabilities(
    profile: Profile, messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any], tools: Any, schema: Any
) -> Iterable[str]:
    can, id = profile.capabilities, profile.id
    if tools and can.tool_call is False:
        yield f"{id} does not call tools"
    elif tools and can.tool_call is None:
        yield Doubt(f"whether {id} calls tools is not known")
    if tools and params.get("parallel_tool_calls") and can.parallel_tool_call is False:
        yield Doubt(f"{id} calls one tool at a time")
    if tools and params.get("tool_choice") not in (None, "auto") and can.tool_choice is False:
        yield Doubt(f"{id} cannot be told which tool to call")
    if schema is not None and can.structured_output is False:
        yield Doubt(f"{id} cannot be held to a schema: its answer is only checked")
    roles = [message.get("role") for message in messages]
    if roles and roles[-1] == "assistant" and can.prefilling is False:
        yield f"{id} does not go on from an assistant message: end with another role"
    if {"system", "developer"} & set(roles) and can.system_messages is False:
        yield Doubt(f"{id} knows no system messages: they are sent as the user's")


def _about_date(profile: Profile, today: datetime.date) -> Iterable[str]:
    end = profile.deprecation_date
    if end is not None and end <= today:
        yield Doubt(f"{profile.id} is deprecated since {end}: it may be switched off")
    elif end is not None and end - today <= SOON:
        yield Doubt(f"{profile.id} is switched off on {end}, in {(end - today).days} days")


def _about_length(profile: Profile, prompt: tuple[int, int], max_tokens: int | None) -> Iterable[str]:
    id, limits, answer, (low, high) = profile.id, profile.limits, max_tokens or 0, prompt
    if limits.output is not None and answer > limits.output:
        yield f"max_tokens is {answer}, and {id} answers in at most {limits.output} tokens"
    if limits.context is not None and low > limits.context:
        yield f"the prompt has about {low} tokens or more, and {id} takes {limits.context}: shorten it"
    elif limits.context is not None and high + answer > limits.context:
        rest = f" and {answer} of the answer" if answer else ""
        yield Doubt(f"the prompt has {low} to {high} tokens{rest}, and {id} takes {limits.context}: it may not fit")


def _fits(profile: Profile | None, prompt: tuple[int, int], max_tokens: int | None, *, counted: bool) -> bool | None:
    context = None if profile is None else profile.limits.context
    if context is None:
        return None
    if prompt[0] > context:
        return False
    return True if counted and prompt[1] + (max_tokens or 0) <= context else None


def _cost(
    profile: Profile | None, low: int, high: int, max_tokens: int | None, answers: int
) -> tuple[float, float] | None:
    if profile is None:
        return None
    limits = [limit for limit in (max_tokens, profile.limits.output) if limit is not None]
    longest = min(limits) if limits else None
    if longest is None:
        return None
    least, most = profile.cost.calculate(low, 0), profile.cost.calculate(high, longest * answers)
    return None if least is None or most is None else (least, most)
