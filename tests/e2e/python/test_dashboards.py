"""The dashboards that `mainstay plan files` writes, read by Grafana's own library.

The library leaves out what it does not know: whatever is gone when it writes a dashboard again is no field of Grafana.
"""

import json
import os
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()
BOARDS = sorted(Path(os.environ["MAINSTAY_MANIFESTS"]).glob("**/grafana/*.json"))


def lost(written, read, path="$"):
    """Where `read` lacks or changes something of `written`."""
    if isinstance(written, dict) and isinstance(read, dict):
        return [place for key in written for place in lost(written[key], read.get(key), f"{path}.{key}")]
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        pairs = zip(written, read)
        return [place for index, pair in enumerate(pairs) for place in lost(*pair, f"{path}[{index}]")]
    return [] if written == read else [path]


def again(dashboard):
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def test_there_are_four_for_every_plan():
    assert BOARDS and len(BOARDS) % 4 == 0


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: "/".join(path.parts[-3:]))
def test_nothing_is_lost(path):
    dashboard = json.loads(path.read_text())
    assert lost(dashboard, again(dashboard)) == []


def test_an_unknown_field_is_found():
    dashboard = json.loads(BOARDS[0].read_text())
    dashboard["panels"][0]["treshold"] = 1
    dashboard["panels"][0]["targets"][0]["expression"] = "up"
    assert lost(dashboard, again(dashboard)) == ["$.panels[0].targets[0].expression", "$.panels[0].treshold"]
