//! What is asked: may this caller do this to that, as things are?

use mainstay_domain::id::{RegionName, RoleName, TenantId, TierName, UserId};
use mainstay_domain::identity::Permission;

/// A question that policies answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub principal: Principal<'a>,
    /// What they want to do.
    pub permission: Permission,
    /// What they want to do it to.
    pub resource: Resource<'a>,
    /// As things are.
    pub context: Context<'a>,
}

/// Who asks, once that has been established.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Principal<'a> {
    /// The person or the service, where it is known: a key may have none.
    pub user: Option<&'a UserId>,
    /// The tenant whose credentials were shown.
    pub tenant: &'a TenantId,
    /// What they are. A role that no policy names gives nothing.
    pub roles: &'a [RoleName],
    /// The group of callers that is served alike.
    pub tier: Option<&'a TierName>,
    /// Where their data is to stay.
    pub region: Option<&'a RegionName>,
    /// Whether their tenant operates this Mainstay. Where there is only one tenant, it does.
    pub operator: bool,
    /// How they showed who they are.
    pub via: Via,
}

/// What is acted on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resource<'a> {
    /// Whose it is. What belongs to the service as a whole belongs to the tenant that operates it.
    pub tenant: &'a TenantId,
    /// What kind of thing it is.
    pub kind: ResourceKind,
    /// Which one, where one is meant.
    pub name: Option<&'a str>,
}

/// As things are, apart from who asks and for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context<'a> {
    /// What this Mainstay is for.
    pub environment: Environment,
    /// Where this Mainstay runs.
    pub region: Option<&'a RegionName>,
    /// Whether somebody else has approved exactly this change.
    pub approved: bool,
}

/// An enumeration that policies know by name: the schema lists the same names.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in policies.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    };
}

named! {
    /// How a caller showed who they are.
    Via {
        /// An API key.
        Key = "key",
        /// A token of the identity provider.
        Token = "token",
        /// A session of the console.
        Session = "session",
        /// This process itself, for its own commands.
        Process = "process",
    }
}

named! {
    /// What a Mainstay is for.
    Environment {
        /// People depend on it.
        Production = "production",
        /// Changes are tried here first.
        Staging = "staging",
    }
}

named! {
    /// The kinds of things that can be acted on.
    ResourceKind {
        /// A model, an assistant or a cascade: what answers a question.
        Model = "model",
        /// A collection of documents.
        Corpus = "corpus",
        /// One document.
        Document = "document",
        /// The index of a corpus.
        Index = "index",
        /// Budgets and what was spent.
        Costs = "costs",
        /// How much of the service is offered.
        Service = "service",
        /// API keys.
        Key = "key",
        /// A tenant.
        Tenant = "tenant",
        /// The policies.
        Policy = "policy",
        /// A change that waits for approval.
        Approval = "approval",
        /// The audit records.
        Audit = "audit",
        /// What was said in turns that were kept.
        Content = "content",
        /// A person whose data is kept.
        User = "user",
    }
}
