"""Ambassador: a small, fast, observable go-between in front of a network service.

The map, from the ground up; nothing imports what stands below it in this list:

    errors, model, spec   what is wrong, what there is, how it is written
    core                  pure decisions: merge, plan, pick, connect, session; commands, wishes
    ports, tasks          the seams between core and the world; named tasks
    events                the last things that happened, for those who follow them
    sources               where routes come from: environment and arguments, /etc/hosts
    resolve               names to addresses, by their TTL
    probes                whether endpoints work, one file a protocol
    planes                what carries the traffic: relay, with workers for busy sessions; kernel
    reconciler            the one loop that leads the observed to the desired
    admin                 the unix socket an operator or a health check asks
    app                   puts the concrete parts together
    cli                   one file a verb
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
