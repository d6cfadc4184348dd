"""Which port of a container is meant, where the endpoint does not name one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["port_of"]


def port_of(
    exposed: Sequence[tuple[int, str]], proto: str, image: str, usual: Sequence[int]
) -> tuple[int, str]:
    """Return the only port of `proto` that is `exposed`, else the first `usual` port of the program
    that `image` is named after; 0 and the problem where there is neither.
    """
    fitting = sorted({port for port, carried in exposed if carried == proto})
    if len(fitting) == 1:
        return fitting[0], ""
    if usual and (not fitting or usual[0] in fitting):
        return usual[0], ""
    if fitting:
        listed = ", ".join(f"{port}/{proto}" for port in fitting)
        what = f"which port is meant? It exposes {listed}"
        return 0, f"{what}: write one after the name, as in :{fitting[0]}"
    others = ", ".join(f"{port}/{carried}" for port, carried in sorted(exposed))
    return 0, (
        f"its image {image or 'without a name'} exposes no {proto.upper()} port"
        + (f", only {others}" if others else "")
        + ": write one after the name, as in :6379"
    )


def image_name(image: str) -> str:
    """Return `redis` for `docker.io/library/redis:7-alpine@sha256:...`."""
    return re.sub(r"[:@].*", "", image.rpartition("/")[2])
