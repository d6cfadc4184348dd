"""The command line of the bench."""

from __future__ import annotations

import os
import sys

from bench import isolate
from bench.containers.run import main as containers
from bench.errors import BenchError
from bench.fleet.run import main as fleet
from bench.follow.run import main as follow
from bench.options import Options, parse
from bench.refused import main as refused
from bench.tls.run import main as tls
from bench.verbs import compare, document, measure, run_peer

__all__ = ["main"]

_OF_THEIR_OWN = {"containers": containers, "follow": follow, "fleet": fleet}


def main(arguments: list[str]) -> int:
    """Do what is asked for; return the exit code: 0 done, 1 could not, 2 wrong usage."""
    try:
        if arguments and (own := _OF_THEIR_OWN.get(arguments[0])):
            return own(arguments[1:])
        for verb, run in (("follow", follow), ("tls", tls), ("refused", refused)):
            if arguments[:1] == [verb]:
                return run(arguments[1:])
        options = parse(arguments)
        if options.verb == "run":
            run_peer(options)
        if options.verb == "compare":
            return compare(options)
        if options.verb == "document":
            return document(options)
        return _isolated(options, arguments)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def _isolated(options: Options, arguments: list[str]) -> int:
    if level := os.environ.pop(isolate.LEVEL, ""):
        isolate.prepare(level)
        return measure(options, level, os.environ.pop(isolate.LACKS, ""))
    level, lacks = isolate.how()
    status = isolate.run_inside(level, lacks, arguments)
    if status > 128:
        print(
            "\nbench: interrupted; everything started is gone. The same command goes on from here",
            file=sys.stderr,
        )
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
