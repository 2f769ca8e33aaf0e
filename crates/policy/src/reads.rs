//! What a policy looks at.
//!
//! Policies see a question through attributes, and roles and tenants only by comparing them with the ones that they name.
//! So two questions that agree in what the policies look at have the same answer, which is what makes decisions worth
//! keeping: ten thousand tenants and their users are a handful of different questions.

use std::collections::BTreeSet;

use mainstay_domain::id::{RegionName, TierName, UserId};
use mainstay_domain::identity::Permission;

use crate::question::{Environment, Question, ResourceKind, Via};

/// What one policy, or several, look at.
#[derive(Clone, Default, Debug)]
pub(crate) struct Reads {
    /// The names of attributes. The same name on principal and context counts as both.
    attributes: BTreeSet<String>,
    /// `context` is used other than for one of its attributes, so all of them may matter.
    whole_context: bool,
    /// The roles that are named.
    pub(crate) roles: BTreeSet<String>,
    /// The tenants that are named.
    pub(crate) tenants: BTreeSet<String>,
    /// Every other text that is written: what attributes may be compared with.
    pub(crate) texts: BTreeSet<String>,
    /// Users and resources that are named, which never are who asks or what is acted on.
    pub(crate) unmatchable: BTreeSet<String>,
}

impl Reads {
    /// What a policy looks at, from Cedar's JSON form of it, where every spelling of an attribute is the same.
    pub(crate) fn of(policy: &serde_json::Value) -> Self {
        let mut reads = Self::default();
        // Annotations are names and texts of the author's own.
        let parts = policy.as_object().into_iter().flatten().filter(|(key, _)| *key != "annotations");
        let mut open: Vec<&serde_json::Value> = parts.map(|(_, part)| part).collect();
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::Array(values) => open.extend(values),
                serde_json::Value::Object(fields) => reads.look(fields, &mut open),
                _ => {}
            }
        }
        reads
    }

    fn look<'v>(
        &mut self,
        fields: &'v serde_json::Map<String, serde_json::Value>,
        open: &mut Vec<&'v serde_json::Value>,
    ) {
        let text = |key: &str| fields.get(key).and_then(serde_json::Value::as_str);
        if let (Some(kind), Some(id)) = (text("type"), text("id")) {
            match kind.rsplit("::").next() {
                Some("Role") => self.roles.insert(id.to_owned()),
                Some("Tenant") => self.tenants.insert(id.to_owned()),
                Some("User" | "Resource") => self.unmatchable.insert(format!("{kind}::{id:?}")),
                _ => false,
            };
            return;
        }
        if text("Var") == Some("context") {
            self.whole_context = true;
        }
        if let Some(attribute) = text("attr") {
            self.attributes.insert(attribute.to_owned());
            let left = fields.get("left");
            let is_variable = left.and_then(|left| left.get("Var")).is_some();
            open.extend(left.filter(|_| !is_variable));
            return;
        }
        if let Some(written) = text("Value") {
            self.texts.insert(written.to_owned());
        }
        if let Some(pattern) = fields.get("pattern").and_then(serde_json::Value::as_array) {
            let literals = pattern.iter().filter_map(|part| part.get("Literal")?.as_str());
            self.texts.insert(literals.collect());
        }
        open.extend(fields.values());
    }

    pub(crate) fn attribute(&self, name: &str) -> bool {
        let of_context = matches!(name, "environment" | "region" | "approved");
        self.attributes.contains(name) || (of_context && self.whole_context)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.attributes.extend(other.attributes.iter().cloned());
        self.whole_context |= other.whole_context;
        self.roles.extend(other.roles.iter().cloned());
        self.tenants.extend(other.tenants.iter().cloned());
        self.texts.extend(other.texts.iter().cloned());
        self.unmatchable.extend(other.unmatchable.iter().cloned());
    }
}

/// Reduces a question to what policies look at.
#[derive(Debug)]
pub(crate) struct Lens {
    /// In order, to be found by halving: quicker than hashing where callers bring hundreds of roles.
    roles: Vec<String>,
    tenants: Vec<String>,
    user: bool,
    tier: bool,
    region: bool,
    via: bool,
    kind: bool,
    name: bool,
    environment: bool,
    approved: bool,
}

/// Most roles that policies may name: one bit each.
pub(crate) const MAX_ROLES: usize = u128::BITS as usize;

/// All of a question that can change its answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Facts {
    permission: Permission,
    roles: u128,
    same_tenant: bool,
    /// The tenants as policies know them: by their number, or as one that no policy names.
    tenants: [Option<usize>; 2],
    operator: bool,
    via: Option<Via>,
    kind: Option<ResourceKind>,
    environment: Option<Environment>,
    approved: Option<bool>,
    user: Option<UserId>,
    tier: Option<TierName>,
    region: Option<RegionName>,
    here: Option<RegionName>,
    name: Option<Box<str>>,
}

impl Lens {
    pub(crate) fn new(reads: &Reads) -> Self {
        Self {
            roles: reads.roles.iter().take(MAX_ROLES).cloned().collect(),
            tenants: reads.tenants.iter().cloned().collect(),
            user: reads.attribute("user"),
            tier: reads.attribute("tier"),
            region: reads.attribute("region"),
            via: reads.attribute("via"),
            kind: reads.attribute("kind"),
            name: reads.attribute("name"),
            environment: reads.attribute("environment"),
            approved: reads.attribute("approved"),
        }
    }

    /// Whether any policy names the role: one that none names makes no difference.
    pub(crate) fn knows_role(&self, name: &str) -> bool {
        number(&self.roles, name).is_some()
    }

    pub(crate) fn facts(&self, question: &Question<'_>) -> Facts {
        let Question { principal, permission, resource, context } = question;
        let roles = principal.roles.iter().filter_map(|role| number(&self.roles, role.as_str()));
        let tenant = |name: &str| number(&self.tenants, name);
        Facts {
            permission: *permission,
            roles: roles.fold(0, |roles, bit| roles | 1 << bit),
            same_tenant: principal.tenant == resource.tenant,
            tenants: [tenant(principal.tenant.as_str()), tenant(resource.tenant.as_str())],
            operator: principal.operator,
            via: self.via.then_some(principal.via),
            kind: self.kind.then_some(resource.kind),
            environment: self.environment.then_some(context.environment),
            approved: self.approved.then_some(context.approved),
            user: principal.user.filter(|_| self.user).cloned(),
            tier: principal.tier.filter(|_| self.tier).cloned(),
            region: principal.region.filter(|_| self.region).cloned(),
            here: context.region.filter(|_| self.region).cloned(),
            name: resource.name.filter(|_| self.name).map(Box::from),
        }
    }
}

fn number(names: &[String], name: &str) -> Option<usize> {
    names.binary_search_by(|known| known.as_str().cmp(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(condition: &str) -> Reads {
        let text = format!(
            "@type(\"Role\") @id(\"x\") permit (principal, action, resource) when {{ {condition} }};"
        );
        Reads::of(&text.parse::<cedar_policy::Policy>().unwrap().to_json().unwrap())
    }

    #[test]
    fn an_attribute_is_found_however_it_is_spelt() {
        let spelt = [
            "principal.tier == \"a\"",
            "principal[\"tier\"] == \"a\"",
            "principal[\"t\\u{69}er\"] == \"a\"",
            "principal has tier",
            "(if true then principal else principal).tier == \"a\"",
            "{ a: principal }.a.tier == \"a\"",
            "!([[principal.tier]].contains([\"a\"]))",
        ];
        for condition in spelt {
            assert!(reads(condition).attribute("tier"), "{condition}");
            assert!(!reads(condition).attribute("user"), "{condition}");
        }
    }

    #[test]
    fn a_context_that_is_used_as_a_whole_is_looked_at_as_a_whole() {
        for condition in
            ["context == context", "[context].contains({ approved: true })", "{ a: context } == { a: 1 }"]
        {
            assert!(reads(condition).attribute("approved"), "{condition}");
        }
        assert!(!reads("context.environment == context.environment").attribute("approved"));
    }

    #[test]
    fn roles_tenants_and_texts_are_found_and_annotations_are_not() {
        let reads = reads(
            "principal in [Mainstay::Role::\"a\", Mainstay::Role::\"b\"] && principal.tenant == \
             Mainstay::Tenant::\"t\" && principal.user like \"x*y\" && [\"z\"].contains(resource.name)",
        );
        let all = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(
            (all(&reads.roles), all(&reads.tenants), all(&reads.texts)),
            ("a b".into(), "t".into(), "xy z".into())
        );
    }
}
