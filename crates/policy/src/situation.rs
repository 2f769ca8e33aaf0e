//! Situations to try policies in: every combination of what they look at.

use mainstay_domain::id::{RegionName, RoleName, TenantId, TierName, UserId};
use mainstay_domain::identity::Permission;

use crate::question::{Context, Environment, Principal, Question, Resource, ResourceKind, Via};
use crate::reads::Reads;

/// A question with nobody behind it.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    pub(crate) roles: Vec<RoleName>,
    pub(crate) permission: Permission,
    /// The caller's, and that of what is acted on.
    pub(crate) tenants: (TenantId, TenantId),
    pub(crate) operator: bool,
    pub(crate) via: Via,
    pub(crate) environment: Environment,
    pub(crate) approved: bool,
    pub(crate) kind: ResourceKind,
    pub(crate) user: Option<UserId>,
    pub(crate) tier: Option<TierName>,
    pub(crate) region: Option<RegionName>,
    pub(crate) here: Option<RegionName>,
    pub(crate) name: Option<String>,
}

impl Situation {
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            principal: Principal {
                user: self.user.as_ref(),
                tenant: &self.tenants.0,
                roles: &self.roles,
                tier: self.tier.as_ref(),
                region: self.region.as_ref(),
                operator: self.operator,
                via: self.via,
            },
            permission: self.permission,
            resource: Resource { tenant: &self.tenants.1, kind: self.kind, name: self.name.as_deref() },
            context: Context {
                environment: self.environment,
                region: self.here.as_ref(),
                approved: self.approved,
            },
        }
    }
}

/// The values that each part of a situation takes; the situations are all their combinations. A part that no policy looks at
/// takes one value.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    pub(crate) roles: Vec<Vec<RoleName>>,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) tenants: Vec<(TenantId, TenantId)>,
    pub(crate) operator: Vec<bool>,
    vias: Vec<Via>,
    environments: Vec<Environment>,
    approved: Vec<bool>,
    pub(crate) kinds: Vec<ResourceKind>,
    users: Vec<Option<String>>,
    tiers: Vec<Option<String>>,
    regions: Vec<Option<String>>,
    here: Vec<Option<String>>,
    names: Vec<Option<String>>,
}

impl Axes {
    /// What policies that look at `reads` can tell apart, in the own tenant and in another, as the operator and not.
    pub(crate) fn new(reads: &Reads) -> Self {
        let home = || TenantId::new("the own tenant");
        let other = || TenantId::new("another tenant");
        let mut tenants = vec![(home(), home()), (home(), other())];
        for named in &reads.tenants {
            let named = TenantId::new(named);
            tenants.extend([(named.clone(), named.clone()), (named.clone(), other()), (home(), named)]);
        }
        let role = |name: &String| RoleName::new(name);
        let mut roles: Vec<Vec<_>> = reads.roles.iter().map(|name| vec![role(name)]).collect();
        // All at once, for a policy that asks for several, and none, for one that is about everybody else.
        if roles.len() > 1 {
            roles.push(reads.roles.iter().map(role).collect());
        }
        roles.push(Vec::new());
        let texts = |attribute: &str| {
            let values = reads.texts.iter().map(String::as_str).chain(["some", "other"]);
            let values = values.filter(|_| reads.attribute(attribute)).map(|text| Some(text.to_owned()));
            std::iter::once(None).chain(values).collect::<Vec<_>>()
        };
        fn each<T: Clone>(is_read: bool, all: &[T]) -> Vec<T> {
            all[..if is_read { all.len() } else { 1 }].to_vec()
        }
        Self {
            roles,
            permissions: Permission::ALL.to_vec(),
            tenants,
            operator: vec![false, true],
            vias: each(reads.attribute("via"), Via::ALL),
            environments: each(reads.attribute("environment"), Environment::ALL),
            approved: each(reads.attribute("approved"), &[false, true]),
            kinds: each(reads.attribute("kind"), ResourceKind::ALL),
            users: texts("user"),
            tiers: texts("tier"),
            regions: texts("region"),
            here: texts("region"),
            names: texts("name"),
        }
    }

    /// How many combinations there are.
    pub(crate) fn len(&self) -> u64 {
        let lengths = [
            self.roles.len(),
            self.permissions.len(),
            self.tenants.len(),
            self.operator.len(),
            self.vias.len(),
            self.environments.len(),
            self.approved.len(),
            self.kinds.len(),
            self.users.len(),
            self.tiers.len(),
            self.regions.len(),
            self.here.len(),
            self.names.len(),
        ];
        lengths.into_iter().fold(1, |product, length| product.saturating_mul(length as u64))
    }

    /// All combinations; what is named last changes slowest.
    pub(crate) fn situations(&self) -> impl Iterator<Item = Situation> {
        (0..self.len()).map(|number| self.situation(number))
    }

    pub(crate) fn situation(&self, number: u64) -> Situation {
        let mut rest = number;
        Situation {
            roles: pick(&self.roles, &mut rest),
            permission: pick(&self.permissions, &mut rest),
            tenants: pick(&self.tenants, &mut rest),
            operator: pick(&self.operator, &mut rest),
            via: pick(&self.vias, &mut rest),
            environment: pick(&self.environments, &mut rest),
            approved: pick(&self.approved, &mut rest),
            kind: pick(&self.kinds, &mut rest),
            user: pick(&self.users, &mut rest).map(UserId::from),
            tier: pick(&self.tiers, &mut rest).map(TierName::from),
            region: pick(&self.regions, &mut rest).map(RegionName::from),
            here: pick(&self.here, &mut rest).map(RegionName::from),
            name: pick(&self.names, &mut rest),
        }
    }
}

/// The value that the lowest digit of `rest` stands for; what remains are the digits above it.
fn pick<T: Clone>(values: &[T], rest: &mut u64) -> T {
    let length = values.len() as u64;
    let value = values[(*rest % length) as usize].clone();
    *rest /= length;
    value
}
