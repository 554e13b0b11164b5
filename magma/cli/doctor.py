"""`magma doctor`: what is installed, configured and reachable, and what of it is broken."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from . import output, reach

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from ..model._base import Handle

_REQUIRED = ("litellm", "pydantic", "openai", "aiohttp")
_VARIABLES = ("MAGMA_ALLOW_REQUESTS", "MAGMA_CONFIG", "MAGMA_DB", "MAGMA_DEBUG")
_KEY_KINDS = re.compile(r"(sk-lf|pk-lf|sk-ant|sk-or|sk-proj|sk|pk|rk|gsk|xai|r8|hf|pplx|nvapi|AIza|AKIA)[-_]?")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    value: str = ""
    note: str = ""
    state: str = "ok"
    """`ok`, `warning` (works, but look at it) or `broken`."""


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Do not try connections.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, offline: bool, as_json: bool) -> None:
    """Tells what is installed, configured and reachable.

    Nothing is sent to anybody: reachable means that a connection can be opened. The exit code is 1 where something is
    broken; what cannot be reached is told, but is not broken.
    """
    sections = {
        "versions": _versions(),
        "extras": _extras(),
        "keys": _keys(),
        "tracing": [_langfuse()],
        "variables": [*_dotenv(ctx.obj or []), *_variables()],
        "reachable": _reachable(offline),
    }
    broken = [finding for findings in sections.values() for finding in findings if finding.state == "broken"]
    if as_json:
        told = {section: [asdict(finding) for finding in findings] for section, findings in sections.items()}
        output.line({"usable": not broken, **told})
    else:
        _print(sections)
    for finding in broken:
        output.notice(f"{finding.name}: {finding.note or finding.value}", "error")
    ctx.exit(1 if broken else 0)


def _print(sections: dict[str, list[Finding]]) -> None:
    for section, findings in sections.items():
        click.echo(section)
        rows = [
            (finding.name, finding.value, f"{'' if finding.state == 'ok' else finding.state + ': '}{finding.note}")
            for finding in findings
        ]
        output.table(rows or [("none", "", "")], indent="  ")


def _versions() -> list[Finding]:
    from .. import __version__

    requirements = {requirement.name: requirement for requirement in _requirements() if requirement.marker is None}
    python = ".".join(map(str, sys.version_info[:3]))
    found = [Finding("python", python), Finding("magma", __version__)]
    found += [_version(name, requirements.get(name), required=True) for name in _REQUIRED]
    langfuse = next((requirement for requirement in _requirements("langfuse") if requirement.name == "langfuse"), None)
    return [*found, _version("langfuse", langfuse, required=False)]


def _version(name: str, requirement: Requirement | None, *, required: bool) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version(name)
    except PackageNotFoundError:
        if required:
            return Finding(name, "not installed", "pip install magma-model", "broken")
        return Finding(name, "not installed", f'pip install "magma-model[{name}]"')
    fault = _fault(installed, requirement)
    if fault is None:
        return Finding(name, installed, f"ok ({requirement.specifier})" if requirement is not None else "")
    state = "broken" if required and fault != "too new" else "warning"
    return Finding(name, installed, f'{fault}: pip install "{name}{requirement and requirement.specifier}"', state)


def _fault(version: str, requirement: Requirement | None) -> str | None:
    """What a requirement has against a version: excluded, too old or too new (untested); None if nothing."""
    if requirement is None or requirement.specifier.contains(version, prereleases=True):
        return None
    faults = {one.operator for one in requirement.specifier if not one.contains(version, prereleases=True)}
    if "!=" in faults:
        return "excluded"
    return "too new" if faults & {"<", "<="} else "too old"


def _requirements(extra: str | None = None) -> list[Requirement]:
    """What the distribution needs: all of it, or only what an extra adds."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        from packaging.requirements import Requirement

        requirements = [Requirement(text) for text in requires("magma-model") or ()]
    except (ImportError, PackageNotFoundError):  # a bare source tree has nothing to compare with
        return []
    if extra is None:
        return requirements
    markers = ((requirement, requirement.marker) for requirement in requirements)
    return [
        found
        for found, marker in markers
        if marker and marker.evaluate({"extra": extra}) > marker.evaluate({"extra": ""})
    ]


def _extras() -> list[Finding]:
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        extras = metadata("magma-model").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return [Finding("magma-model", "not installed", "its extras are not known", "warning")]
    found = []
    for extra in sorted(set(extras) - {"dev"}):
        checked = [_version(needed.name, needed, required=False) for needed in _requirements(extra)]
        absent = [one.name for one in checked if one.value == "not installed"]
        note = f'{", ".join(absent)} missing: pip install "magma-model[{extra}]"' if absent else ""
        found.append(Finding(extra, "not installed" if absent else "installed", note))
    return found


def _keys() -> list[Finding]:
    return [Finding(name, mask(os.environ[name]), provider) for name, provider in reach.keys().items()]


def mask(secret: str) -> str:
    """A secret that its owner recognises: its kind and last four characters; of a short one nothing.

    >>> mask("sk-0123456789abcdef3f2a"), mask("short")
    ('sk-…3f2a', '***')
    """
    if len(secret) < 12:
        return "***"
    kind = _KEY_KINDS.match(secret) if len(secret) >= 20 else None
    return f"{kind[0] if kind else ''}…{secret[-4:]}"


def _langfuse() -> Finding:
    from importlib.util import find_spec

    given = [name for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY") if os.environ.get(name)]
    if not given:
        return Finding("langfuse", "off", "set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to switch it on")
    if len(given) == 1:
        return Finding(
            "langfuse",
            "off",
            f"only {given[0]} is set; it takes LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY",
            "warning",
        )
    if find_spec("langfuse") is None:
        return Finding("langfuse", "on", 'not installed: pip install "magma-model[langfuse]"', "broken")
    return Finding("langfuse", "on", " ".join(f"{name} {mask(os.environ[name])}" for name in given))


def _dotenv(added: list[str]) -> list[Finding]:
    return [Finding(".env", f"{len(added)} read", ", ".join(added))] if added else []


def _variables() -> list[Finding]:
    """The MAGMA_* variables of the environment, and whether they can be used."""
    defaults = {name: finding for cls in _handles() for name, finding in _defaults(cls).items()}
    names = [name for name in sorted(os.environ) if name.startswith("MAGMA_")]
    return [defaults.get(name) or _variable(name) for name in names]


def _variable(name: str) -> Finding:
    from difflib import get_close_matches

    from ..errors import is_secret_name, redact

    text = os.environ[name]
    value = mask(text) if is_secret_name(name) else repr(redact(text))
    if name.startswith("MAGMA_TEST_") or name in _VARIABLES:
        return Finding(name, value)
    near = get_close_matches(name, _VARIABLES, n=1, cutoff=0.8)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Finding(name, value, f"magma has no such variable{hint}", "warning")


def _handles() -> list[type[Handle]]:
    """The model types, one for each part of variables that names a type."""
    from .. import model
    from ..model._base import Handle

    exported: list[Any] = [getattr(model, name) for name in model.__all__]
    types = [one for one in exported if isinstance(one, type) and issubclass(one, Handle) and one is not Handle]
    return list({one.env_name: one for one in reversed(types)}.values())


def _defaults(cls: type[Handle]) -> dict[str, Finding]:
    """The variables of a type's defaults that are set, misspelt ones too."""
    from ..model._explain import explain, misspelt

    found = {}
    for row in explain(cls):
        source, _, variable = row.source.partition(" ")
        if source == "environment":
            problem = (row.problem or "").removeprefix(variable).lstrip(": ")
            found[variable] = Finding(variable, row.shown, problem, "broken" if problem else "ok")
    for variable, warning in misspelt(cls).items():
        found[variable] = Finding(variable, "ignored", warning.removeprefix(f"{variable} is ignored: "), "warning")
    return found


def _reachable(offline: bool) -> list[Finding]:
    if offline:
        return [Finding("not tried", "", "--offline")]
    allowed = os.environ.get("MAGMA_ALLOW_REQUESTS", "1")
    if allowed.strip().lower() in ("0", "false", "no", "off"):
        return [Finding("not tried", "", f"MAGMA_ALLOW_REQUESTS={allowed} forbids requests")]
    targets, found = _targets()
    for target, result in reach.connected(targets).items():
        where = f"{target.host}:{target.port}"
        if isinstance(result, float):
            found.append(Finding(target.name, where, f"yes, {result * 1000:.0f} ms"))
        else:
            found.append(Finding(target.name, where, f"no: {result}", "warning"))
    if found and (proxy := next((name for name in ("HTTPS_PROXY", "https_proxy") if os.environ.get(name)), None)):
        found.append(Finding(proxy, "is set", "the connections above were tried without it", "warning"))
    return found


def _targets() -> tuple[list[reach.Target], list[Finding]]:
    """What to connect to; and what cannot be, and why."""
    targets, found = [], []
    bases = reach.bases()
    for name, provider in bases.items():
        try:
            targets.append(reach.Target(name, *reach.address(os.environ[name])))
        except ValueError as error:
            if provider:  # magma's own variables are judged among the variables
                found.append(Finding(name, "", f"{error}", "broken"))
    for provider in sorted(set(reach.keys().values()) - set(bases.values())):
        host = reach.host_of(provider)
        if host is None:
            found.append(Finding(provider, "not tried", "its address is not known here"))
        else:
            targets.append(reach.Target(provider, host))
    return targets, found
