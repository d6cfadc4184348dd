"""Who may import whom, read from the syntax trees, so that nothing has to be run.

A layer may import the layers above it in `LAYERS` and itself. `ADAPTERS` touch the world, do not
know each other, and only `app` names them. `PURE` layers decide and never touch the world; so do
`PURE_MODULES` inside the rooms of adapters, which are those whose docstring says "Pure".
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

LAYERS: tuple[tuple[str, ...], ...] = (
    ("supervisor",),
    ("errors",),
    ("model",),
    ("spec",),
    ("core",),
    ("ports", "tasks", "garbage", "log", "pacing", "files"),
    ("sockets", "tls"),
    ADAPTERS := (
        *("sources", "resolve", "probes", "store", "telemetry"),
        *("planes.relay", "planes.kernel", "handover", "follow", "engine", "fleet"),
    ),
    ("control",),
    ("admin",),
    ("settings",),
    ("app",),
    ("demo",),
    ("cli",),
)
PURE = ("errors", "model", "spec", "core")
# Decisions and formats that belong to one adapter: a test without a world is all they need. They
# know pure layers, the contracts of `ports`, and each other.
PURE_MODULES = (
    *(
        f"planes.kernel.{name}"
        for name in (
            *(
                "chains",
                "continued",
                "cut_entry",
                "diag",
                "eligible",
                "entry",
                "evidence",
                "firewall",
            ),
            *(
                "entrance",
                "hindrances",
                "layout",
                "life",
                "marks",
                "messages",
                "orphans",
                "owned",
                "questions",
                "stops",
                "transaction",
            ),
            *("revival", "ruleset", "sieve", "skim", "timeouts", "traced", "verdicts", "ways"),
        )
    ),
    "planes.relay.client",
    "planes.relay.worker_messages",
    *(
        f"probes.{name}"
        for name in ("dns", "http", "memcached", "mysql", "nats", "postgres", "redis", "tcp")
    ),
    "follow.resp",
    "follow.scram",
    "fleet.requests",
    *("telemetry.exposition", "telemetry.metrics"),
    *("cli.board", "cli.frame", "cli.plot", "cli.rows", "cli.text"),
)
# Names of worldly modules that touch nothing: numbers, and the shape of addresses.
HARMLESS = {
    *("socket.AF_INET", "socket.AF_INET6", "socket.IPPROTO_TCP", "socket.IPPROTO_UDP"),
    *("socket.htonl", "socket.htons", "socket.inet_ntop", "socket.inet_pton", "sys.byteorder"),
}
WORLD = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "io", "logging", "multiprocessing", "os"),
    *("pathlib", "random", "secrets", "select", "selectors", "shutil", "signal", "socket"),
    *("socketserver", "ssl", "subprocess", "sys", "tempfile", "threading", "time"),
}
READ_SETTINGS = ("settings", "app", "cli")
NAME_ADAPTERS = ("app",)


def layer_of(module: str) -> str | None:
    """Return the entry of `LAYERS` that `module` (without "ambassador.") belongs to."""
    for names in LAYERS:
        for name in names:
            if module == name or module.startswith(f"{name}."):
                return name
    return None


def rank(layer: str) -> int:
    """Return the height of `layer`: the lower, the closer to the ground."""
    return next(height for height, names in enumerate(LAYERS) if layer in names)


def imported(module: str, tree: ast.AST, is_package: bool) -> Iterator[str]:
    """Yield the absolute name of everything that `module` imports, at any depth of its code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parents = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            # `from package import name` may name a module of the package or a thing in it
            yield from (f"{base}.{alias.name}" for alias in node.names)


def violations(package: Path) -> list[str]:
    """Return one line for each import or module under `package` that breaks a rule."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        tree = ast.parse(path.read_text())
        full = f"{package.name}.{module}".rstrip(".")
        names = list(imported(full, tree, path.name == "__init__.py"))
        found += [f"{full}: {why}" for why in _judge(module, names, package.name, tree)]
    return found


def _judge(module: str, names: list[str], root: str, tree: ast.Module) -> Iterator[str]:
    layer = layer_of(module)
    if layer is None:
        # The root and a folder that only holds layers (planes) may do nothing but say so.
        inside = [name for name in names if name.startswith(f"{root}.")]
        holds = not module or any(n.startswith(f"{module}.") for names in LAYERS for n in names)
        if module == "__main__":
            return
        if not holds:
            yield "in no layer of tests/house/imports.py"
        elif inside or any(isinstance(node, ast.FunctionDef) for node in tree.body):
            yield "a folder of layers holds no code and imports none"
        return
    pure = layer in PURE or module in PURE_MODULES
    if layer not in PURE and calls_itself_pure(tree) is not pure:
        yield "pure is what says so and stands in PURE_MODULES; this does one of both"
    for name in names:
        top, _, rest = name.partition(".")
        if top == root:
            other = layer_of(rest)
            yield from _judge_inside(layer, other, name) if other else ()
            if module in PURE_MODULES and not _is_pure(rest):
                yield f"pure, but imports {name}, which is not"
        elif pure and top in WORLD and name not in HARMLESS:
            yield f"pure, but imports {top}"
        elif pure and top not in sys.stdlib_module_names:
            yield f"pure, but imports {top}, which is not of the standard library"


def calls_itself_pure(tree: ast.Module) -> bool:
    """Return whether the docstring of a module says that it is pure."""
    return re.search(r"\b[Pp]ure\b", ast.get_docstring(tree) or "") is not None


def _is_pure(name: str) -> bool:
    """Return whether `name` (without "ambassador.") is, or is of, something pure."""
    return any(name == one or name.startswith(f"{one}.") for one in (*PURE, *PURE_MODULES, "ports"))


def _judge_inside(layer: str, other: str, name: str) -> Iterator[str]:
    if other == layer:
        return
    if other == "settings" and layer not in READ_SETTINGS:
        yield f"reads {name}; only app and cli may"
    elif layer in ADAPTERS and other in ADAPTERS:
        yield f"an adapter, but imports the adapter {name}"
    elif rank(other) > rank(layer):
        yield f"imports {name}, which stands above it"
    elif other in ADAPTERS and layer not in NAME_ADAPTERS:
        yield f"names the adapter {name}; only {', '.join(NAME_ADAPTERS)} may"
