// The objects of Kubernetes and KEDA that `mainstay plan files` writes, against the schemas of both projects.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, it } from "node:test";

import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";
import * as apps from "kubernetes-models/apps/v1";
import * as autoscaling from "kubernetes-models/autoscaling/v2";
import * as networking from "kubernetes-models/networking.k8s.io/v1";
import * as policy from "kubernetes-models/policy/v1";
import * as core from "kubernetes-models/v1";
import { parseAllDocuments } from "yaml";

const MODELS = {
  v1: core,
  "apps/v1": apps,
  "autoscaling/v2": autoscaling,
  "keda.sh/v1alpha1": keda,
  "networking.k8s.io/v1": networking,
  "policy/v1": policy,
};

/** Every object in the folders `kubernetes` under a folder, with where it stands. */
function objects(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path.endsWith(".yaml") && path.includes("/kubernetes/"))
    .sort()
    .flatMap((path) =>
      parseAllDocuments(readFileSync(path, "utf8")).map((document) => {
        assert.deepEqual(document.errors, [], path);
        return { path: relative(folder, path), object: document.toJS() };
      }),
    );
}

/** The same value, which notes what is read of it. The validators read what their schema knows and nothing else. */
function watched(value, path, unread) {
  if (value === null || typeof value !== "object") return value;
  const parts = new Map();
  unread.push(() =>
    Array.isArray(value) ? [] : Object.keys(value).filter((key) => !parts.has(key)).map((key) => `${path}.${key}`),
  );
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== "string" || !Object.hasOwn(target, key)) return Reflect.get(target, key);
      if (!parts.has(key)) parts.set(key, watched(target[key], `${path}.${key}`, unread));
      return parts.get(key);
    },
  });
}

/** What is wrong with an object: breaks its schema, or has a field that the schema does not know. */
function problems(object) {
  const Model = MODELS[object.apiVersion]?.[object.kind];
  if (!Model) return [`no schema of ${object.apiVersion} ${object.kind}`];
  const unread = [];
  const proxy = watched(object, object.kind, unread);
  const model = new Model({});
  for (const key of Object.keys(object)) model[key] = proxy[key];
  try {
    model.validate();
  } catch (error) {
    return [`${error.message}`];
  }
  return unread.flatMap((rest) => rest()).map((field) => `${field} is no field`);
}

describe("generated objects of Kubernetes", () => {
  const all = objects(process.env.MAINSTAY_MANIFESTS);

  it("are there, of every kind", () => {
    const kinds = new Set(all.map(({ object }) => object.kind));
    for (const kind of ["Deployment", "StatefulSet", "HorizontalPodAutoscaler", "PodDisruptionBudget"]) {
      assert.ok(kinds.has(kind), kind);
    }
    for (const kind of ["ConfigMap", "Service", "NetworkPolicy", "ScaledObject"]) assert.ok(kinds.has(kind), kind);
  });

  for (const { path, object } of all) {
    it(`${path}: ${object.kind} ${object.metadata.name} is what its schema says`, () => {
      assert.deepEqual(problems(object), []);
    });
  }

  it("are refused when a field is wrong, missing or misspelt", () => {
    const sample = (kind) => structuredClone(all.find(({ object }) => object.kind === kind).object);
    const spoilt = (kind, spoil) => {
      const object = sample(kind);
      spoil(object.spec);
      return problems(object).length;
    };
    assert.equal(spoilt("ScaledObject", (spec) => (spec.minReplicas = 1)), 1);
    assert.equal(spoilt("ScaledObject", (spec) => (spec.triggers[0].metadata.threshold = 1)), 1);
    assert.equal(spoilt("Deployment", (spec) => delete spec.selector), 1);
    assert.equal(spoilt("Deployment", (spec) => (spec.template.spec.containers[0].livenesProbe = {})), 1);
  });
});
