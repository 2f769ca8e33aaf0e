"""The charts that `mainstay plan files` writes, read by Helm itself: its library, without a cluster."""

import os
from pathlib import Path

import pytest
import yaml
from helm_python.chart import Chart, lint

PLANS = sorted(path.parent for path in Path(os.environ["MAINSTAY_MANIFESTS"]).glob("**/helm"))
NAMESPACE = "somewhere-else"
INFORMATION = 1


def objects(texts):
    """Every object of YAML files, by kind and name."""
    found = [one for text in texts for one in yaml.safe_load_all(text) if one]
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(by_name) == len(found), "two objects have one name"
    return by_name


def rendered(plan, values=None):
    with Chart.load(plan / "helm") as chart:
        manifests = chart.render(values=values, name="release", namespace=NAMESPACE)
    return objects(text for path, text in manifests.items() if path.endswith(".yaml"))


def written(plan):
    """The plain objects of the first region, in the namespace that the chart is installed into."""
    folder = next(path for path in sorted((plan / "kubernetes").glob("**/")) if list(path.glob("*.yaml")))
    plain = objects(path.read_text() for path in sorted(folder.glob("*.yaml")))
    namespaces = {name for kind, name in plain if kind == "Namespace"}
    assert len(namespaces) == 1

    def moved(value, key=None):
        if isinstance(value, dict):
            return {key: moved(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [moved(item) for item in value]
        return NAMESPACE if key == "namespace" and value in namespaces else value

    return {key: moved(value) for key, value in plain.items() if key[0] != "Namespace"}


def changed(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f"{value}0"


def variants(values):
    """The values with one of them changed, and which."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from (((key, *path), {key: other}) for path, other in variants(value))
        else:
            yield (key,), {key: changed(value)}


def ids(plan):
    return "/".join(plan.parts[-2:])


def test_every_plan_has_a_chart():
    assert PLANS


@pytest.mark.parametrize("plan", PLANS, ids=ids)
def test_helm_finds_nothing_wrong(plan):
    report = lint(plan / "helm", strict=True, namespace=NAMESPACE, kube_version="v1.30.0")
    assert [message for message in report["messages"] if message["severity"] != INFORMATION] == []
    assert report["errors"] == []


@pytest.mark.parametrize("plan", PLANS, ids=ids)
def test_the_chart_renders_to_the_plain_objects(plan):
    of_chart, plain = rendered(plan), written(plan)
    assert sorted(of_chart) == sorted(plain)
    for key, one in plain.items():
        assert of_chart[key] == one, key


@pytest.mark.parametrize("plan", PLANS, ids=ids)
def test_every_value_is_read(plan):
    values = yaml.safe_load((plan / "helm" / "values.yaml").read_text())
    as_it_is = rendered(plan)
    unread = [path for path, other in variants(values) if rendered(plan, other) == as_it_is]
    assert unread == []


def test_a_value_that_nothing_reads_is_found():
    assert rendered(PLANS[0], {"nobody": "reads this"}) == rendered(PLANS[0])
