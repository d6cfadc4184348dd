"""Ambassador: a small, fast, observable go-between in front of a network service.

The map, from the ground up; nothing imports what stands below it in this list:

    errors, model, spec   what is wrong, what there is, how it is written
    core                  pure decisions: merge, plan, pick, departure, session; commands, wishes
    ports, tasks, log     the seams as protocols; named tasks; one line an event
    sockets               how a listening socket is made, or inherited
    sources               where routes come from: environment and arguments, file, /etc/hosts
    resolve               names to addresses, by their TTL
    probes                whether endpoints work, one file a protocol
    store, telemetry      what the operator wants, on disk; what is counted and told
    planes                what carries the traffic: relay, with a worker for each core; kernel
    handover              how one ambassador takes over from another
    control               the reconciler, which leads the observed to the desired
    admin                 what an operator or a health check asks, over HTTP
    app                   puts the concrete parts together
    cli                   one file a verb

docs/architecture.md has more, docs/trips.md four ways through it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
