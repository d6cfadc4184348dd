"""The shape of src/: a test file for each module, sizes, words, and what is public."""

import ast
from pathlib import Path

import ambassador

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ambassador"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# Modules without a test file of their own, each with the reason. It only ever gets shorter.
UNTESTED: dict[str, str] = {
    "__main__": "one call; the tests of the command line start it",
    "core.reports": "frozen fields, made by every plane",
    "model.route": "frozen fields, seen by everything",
}
# Modules whose tests need more than the module: where they are.
ELSEWHERE: dict[str, str] = {
    "log.__init__": "unit/log/test_log.py",
    "cli.__init__": "unit/cli/test_cli.py",
    "cli.demo": "unit/demo/test_demo.py",
    "core.touched": "property/test_touched.py",
    "core.chosen": "unit/core/test_decide.py",
    "core.moving": "unit/core/test_decide.py",
    "core.proxy.header": "unit/core/proxy/test_reading.py",
    "planes.relay.limit_queue": "relay/test_limits.py",
    "planes.relay.greeting": "relay/test_proxy.py",
    "planes.relay.handshake": "relay/test_secret.py",
    "probes.secret": "scenario/test_identity.py",
    "planes.relay.tls_side": "relay/test_secret.py",
    "tls.contexts": "relay/test_secret.py",
    "tls.dialect": "unit/tls/test_starttls.py",
    "tls.dialects": "unit/tls/test_starttls.py",
    "tls.keyring": "relay/test_secret.py",
    "tls.records": "unit/tls/test_stream.py",
    "tls.opening": "relay/test_secret.py",
    "tls.words": "relay/test_secret.py",
    "tls.authority": "unit/cli/test_pair.py",
    "planes.relay.introduction": "relay/test_proxy.py",
    "model.reasons": "unit/core/test_departure.py",
    "core.situation": "unit/core/test_decide.py",
    "control.moves": "unit/control/test_execute.py",
    "control.owed": "unit/control/test_execute.py",
    "control.reloads": "unit/control/test_reconciler.py",
    "control.showing": "unit/control/test_execute.py",
    "app.feeds": "contract/test_name_feed.py",
    "app.figures": "conformance/test_metrics.py",
    "app.kept": "contract/test_memory_store.py",
    "core.usual_ports": "unit/sources/test_hosts.py",
    "resolve.srv": "contract/test_name_feed.py",
    "app.follow": "scenario/test_follow.py",
    "app.identity": "scenario/test_identity.py",
    "app.watches": "unit/app/test_application.py",
    "control.switches": "scenario/test_follow.py",
    "control.commands": "unit/control/test_execute.py",
    "control.noted": "unit/control/test_execute.py",
    "control.telling": "unit/control/test_apply.py",
    "core.containers.views": "unit/engine/test_feed.py",
    "core.known": "unit/control/test_views.py",
    "core.follow.stage": "unit/core/follow/test_sentinel.py",
    "follow.asking": "scenario/test_lineage.py",
    "follow.base": "scenario/test_follow.py",
    "follow.claimants": "scenario/test_lineage.py",
    "follow.patronis": "scenario/test_patroni.py",
    "follow.replicas": "scenario/test_replicas.py",
    "spec.option": "unit/spec/test_options.py",
    "spec.stores": "unit/spec/test_options.py",
    "follow.postgres": "scenario/test_timeline.py",
    "follow.members": "scenario/test_lineage.py",
    "follow.following": "scenario/test_follow.py",
    "follow.sentinel": "scenario/test_follow.py",
    "follow.sentinels": "scenario/test_follow.py",
    "follow.talk": "scenario/test_follow.py",
    "handover.counters": "property/test_counters.py",
    "handover.process": "unit/handover/test_plane.py",
    "handover.sessions": "unit/handover/test_plane.py",
    "spec.instead": "unit/test_every_example.py",
    "planes.kernel.conntrack": "kernel/test_conntrack.py",
    "planes.kernel.departures": "kernel/test_departures.py",
    "planes.kernel.flows": "kernel/test_flows.py",
    "planes.kernel.following": "kernel/test_following.py",
    "planes.kernel.hearing": "kernel/test_hearing.py",
    "planes.kernel.host": "kernel/test_host.py",
    "planes.kernel.netconf": "kernel/test_host.py",
    "planes.kernel.strays": "conformance/test_invalid.py",
    "planes.kernel.vanished": "conformance/test_vanished.py",
    "app.announce": "scenario/test_fleet.py",
    "app.operate": "scenario/test_fleet.py",
    "cli.announce": "scenario/test_fleet.py",
    "cli.shared": "unit/cli/test_promises.py",
    "cli.fleet": "scenario/test_fleet.py",
    "cli.fleet_text": "scenario/test_fleet.py",
    "fleet.standing": "unit/fleet/test_mover.py",
    "planes.kernel.local_peers": "kernel/test_local_peers.py",
    "planes.kernel.leftover": "kernel/test_leftover.py",
    "planes.kernel.netlink": "kernel/test_conntrack.py",
    "planes.kernel.plane": "kernel/test_kernel_plane.py",
    "app.reclaim": "scenario/test_reclaim.py",
    "planes.relay.claims": "unit/planes/relay/test_worker_protocol.py",
    "planes.relay.dismissal": "unit/planes/relay/test_offload.py",
    "planes.relay.keeping": "scenario/test_reclaim.py",
    "planes.relay.ledger": "scenario/test_reclaim.py",
    "planes.relay.notes": "scenario/test_reclaim.py",
    "planes.relay.opening": "relay/test_doors.py",
    "planes.relay.orphan": "scenario/test_reclaim.py",
    "planes.relay.outlive": "scenario/test_reclaim.py",
    "planes.relay.outliving": "scenario/test_reclaim.py",
    "planes.relay.reclaim": "scenario/test_reclaim.py",
    "planes.relay.reclaimed": "scenario/test_reclaim.py",
    "planes.relay.worker_passing": "unit/planes/relay/test_worker_main.py",
    "planes.relay.row": "relay/test_doors.py",
    "planes.relay.incoming": "scenario/test_upgrade_sessions.py",
    "planes.relay.onward": "scenario/test_upgrade_sessions.py",
    "planes.relay.outgoing": "scenario/test_upgrade_sessions.py",
    "planes.relay.parcels": "scenario/test_upgrade_sessions.py",
    "planes.relay.serials": "scenario/test_upgrade_sessions.py",
    "planes.relay.taken": "scenario/test_upgrade_sessions.py",
    "planes.relay.binding": "relay/test_plane.py",
    "planes.relay.channel": "unit/planes/relay/test_worker_protocol.py",
    "planes.relay.departures": "relay/test_departures.py",
    "planes.relay.doors": "relay/test_doors.py",
    "planes.relay.doorway": "relay/test_doors.py",
    "planes.relay.facts": "relay/test_departures.py",
    "planes.relay.listener": "relay/test_crowd.py",
    "planes.relay.own": "relay/test_plane.py",
    "planes.relay.plane": "relay/test_plane.py",
    "planes.relay.search": "relay/test_connecting.py",
    "planes.relay.side": "unit/planes/relay/test_pair.py",
    "planes.relay.arrivals": "relay/test_crowd.py",
    "planes.relay.waiting": "relay/test_limits.py",
    "planes.relay.session": "unit/planes/relay/test_session_broken.py",
    "planes.relay.shared_session": "relay/test_doors.py",
    "planes.relay.udp": "relay/test_udp.py",
    "planes.relay.udp_endpoints": "relay/test_udp_endpoints.py",
    "planes.relay.surroundings": "relay/test_plane.py",
    "planes.relay.worker_loop": "unit/planes/relay/test_worker_main.py",
    "planes.relay.worker_messages": "unit/planes/relay/test_worker_protocol.py",
    "ports.planes": "contract/test_plane.py",
    "ports.probes": "contract/test_probe.py",
    "ports.sources": "contract/test_source.py",
    "ports.stores": "contract/test_store.py",
    "ports.told": "contract/test_told.py",
    "settings.__init__": "unit/settings/test_settings.py",
    "settings.fleet": "unit/settings/test_settings.py",
    "settings.setting": "unit/settings/test_settings.py",
    "settings.table": "unit/settings/test_settings.py",
    "settings.values": "unit/settings/test_settings.py",
    "sockets.systemd": "deploy/test_systemd.py",
}


def has_code(path: Path) -> bool:
    """Return whether a file does more than import, document and export."""
    plain = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
    return not all(isinstance(node, plain) for node in ast.parse(path.read_text()).body)


def test_files_of(module: str) -> list[Path]:
    """Return the test file of `module`: planes.relay.pair has tests/unit/planes/relay/test_pair.py,
    unless `ELSEWHERE` names another.
    """
    *folders, name = module.split(".")
    mirrored = "/".join(["unit", *folders, f"test_{name}.py"])
    path = ROOT / "tests" / ELSEWHERE.get(module, mirrored)
    return [path] if path.exists() else []


test_files_of.__test__ = False  # type: ignore[attr-defined]


def test_each_module_has_a_test_file():
    tested = {name for name, path in MODULES.items() if not has_code(path) or test_files_of(name)}
    assert sorted(set(MODULES) - tested - set(UNTESTED)) == []


def test_no_entry_of_the_list_of_untested_modules_is_stale():
    stale = [name for name in UNTESTED if name not in MODULES or test_files_of(name)]
    stale += [name for name in ELSEWHERE if name not in MODULES or not test_files_of(name)]
    assert stale == []


def test_no_file_is_too_large():
    lines = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > 350} == {}


def test_the_application_is_an_assembly_and_stays_small():
    assert len(MODULES["app.application"].read_text().splitlines()) < 250


def test_each_module_says_what_it_is_for_and_what_is_public():
    silent = []
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text())
        exports = [n for n in tree.body if isinstance(n, ast.Assign) and "__all__" in ast.dump(n)]
        if not ast.get_docstring(tree) or (has_code(path) and not exports and path.stem[0] != "_"):
            silent.append(module)
    assert silent == []


def test_everything_exported_exists_and_nothing_else_is_promised():
    assert ambassador.__all__ == ["__version__"]
    for name in ambassador.__all__:
        assert hasattr(ambassador, name)
