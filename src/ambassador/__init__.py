"""Ambassador: a small, fast, observable go-between in front of a network service.

The map, from the ground up; no module imports what is below it in this list:

    errors, model, spec   what is wrong, what there is, how it is written
    core                  pure decisions: merge, plan, pick, departure, session; commands, wishes
    ports, tasks, log     interfaces as protocols; named tasks; one line an event
    sockets               how a listening socket is created, or inherited
    tls                   identities in files, and sockets that speak TLS
    sources               where routes come from: environment and arguments, file, /etc/hosts
    resolve               names to addresses, by their TTL
    probes                whether endpoints work, one file a protocol
    store, telemetry      what the operator wants, on disk; counters, metrics and logs
    planes                what carries the traffic: relay, with a worker for each core; kernel
    handover              how one ambassador takes over from another
    follow, engine        the primary of a store; containers by name
    fleet                 the keys in etcd that many ambassadors share
    control               the reconciler, which brings the installed to the desired state
    admin                 commands of an operator and health checks, over HTTP
    settings              AMBASSADOR_* and --setting
    app                   puts the concrete parts together
    demo                  the demonstration
    cli                   one file a verb

docs/architecture.md has more, docs/trips.md four ways through it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
