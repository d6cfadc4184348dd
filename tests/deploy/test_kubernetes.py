"""The Kubernetes example against the schemas of Kubernetes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

MANIFEST = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "sidecar.yaml"
OLDEST, NEWEST = "1.29", "1.37"  # sidecars are init containers since 1.29


def manifest() -> dict[str, Any]:
    return yaml.safe_load(MANIFEST.read_text())


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_manifest_satisfies_the_schema(version: str) -> None:
    kubernetes_validate.validate(manifest(), version, strict=True)


def test_a_key_in_the_wrong_place_would_not_satisfy_it() -> None:
    wrong = manifest()
    wrong["spec"]["template"]["spec"]["initContainers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)
