//! Who calls and whether they may: every request goes through here before anything is done for it.
//!
//! [`Access::identify`] establishes the caller from the credential and from nothing else; [`Access::authorize`] asks the
//! policies. What is revoked, suspended or deleted holds for the next request, and for a stream that is running within a
//! second ([`Access::until_revoked`]).

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::identity::Via;
use mainstay_domain::{Allotment, Caller, Clock, KeyId, Permission, RoleName, TenantId};
use mainstay_policy::{
    Context, Environment, Explanation, Policies, Principal, Question, Resource, ResourceKind,
};
use mainstay_store::tenants::TenantState;

use crate::keys::{IdentityError, KeyTable};
use crate::logins::IdToken;
use crate::residency::Residency;
use crate::revocations::Revocations;
use crate::tenants::Tenants;
use crate::tokens::{TokenError, TokenIdentity, TokenVerifier, looks_like_token};

/// Who may come in, and to what.
#[derive(Debug)]
pub struct Access {
    /// The API keys.
    pub keys: Arc<KeyTable>,
    /// The tenants.
    pub tenants: Arc<Tenants>,
    /// The identity providers whose tokens are accepted, where there are any.
    pub tokens: Option<Tokens>,
    /// Who may do what.
    pub policies: Policies,
    /// What this Mainstay is for.
    pub environment: Environment,
    /// Where this Mainstay is.
    pub residency: Residency,
    /// Time.
    pub clock: Clock,
}

/// The tokens that are accepted.
#[derive(Debug)]
pub struct Tokens {
    /// Tells good ones from others.
    pub verifier: TokenVerifier,
    /// The good ones that were taken away.
    pub revocations: Arc<Revocations>,
}

/// Why somebody who is known may not do what they ask for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// The policies do not permit it.
    #[error("{reason}")]
    Policy {
        /// What was asked for.
        permission: Permission,
        /// Who may, and why this caller may not.
        reason: String,
    },
    /// The credential was narrowed to other things.
    #[error("this key is narrowed to other permissions than \"{}\"; make one without `only`, or with it", .0.as_str())]
    Narrowed(Permission),
}

/// How soon a stream that is running notices that its caller may not go on.
const NOTICED_WITHIN: Duration = Duration::from_millis(500);

impl Access {
    /// Who shows this credential: an API key, or a token of an identity provider.
    pub async fn identify(&self, presented: Option<&str>) -> Result<Caller, IdentityError> {
        let caller = match (&self.tokens, presented) {
            (Some(tokens), Some(shown)) if looks_like_token(shown) => {
                return self.admit_person(tokens.verifier.verify(shown).await?);
            }
            _ => self.keys.identify(presented, self.clock.now())?,
        };
        self.admit_tenant(caller)
    }

    /// Who has signed in with this, and how they are known from then on.
    pub async fn sign_in(&self, token: &IdToken) -> Result<(Caller, TokenIdentity), IdentityError> {
        let tokens = self.tokens.as_ref().ok_or(TokenError::UnknownIssuer)?;
        let identity = tokens.verifier.verify_id_token(token).await?;
        Ok((self.admit_person(identity.clone())?, identity))
    }

    /// The caller whom an identity provider has named, where their tokens were not taken away.
    pub fn admit_person(&self, identity: TokenIdentity) -> Result<Caller, IdentityError> {
        let caller = caller_of(identity);
        if self.is_token_revoked(&caller) {
            return Err(TokenError::Revoked.into());
        }
        self.admit_tenant(caller)
    }

    fn is_token_revoked(&self, caller: &Caller) -> bool {
        match (&self.tokens, &caller.user, &caller.token) {
            (Some(tokens), Some(user), Some(token)) => {
                tokens.revocations.is_revoked(&caller.tenant, user, token)
            }
            _ => false,
        }
    }

    /// The caller with what its tenant says, where the tenant is served, here.
    fn admit_tenant(&self, mut caller: Caller) -> Result<Caller, IdentityError> {
        let tenant = self.tenants.find(&caller.tenant).ok_or(IdentityError::UnknownTenant)?;
        match tenant.state {
            TenantState::Active => {}
            TenantState::Suspended => return Err(IdentityError::SuspendedTenant),
            TenantState::Deleted => return Err(IdentityError::UnknownTenant),
        }
        caller.tier = caller.tier.or_else(|| tenant.settings.tier.clone());
        caller.allotment = Allotment {
            weight: tenant.settings.weight.unwrap_or(1),
            requests_per_minute: tenant.settings.requests_per_minute,
            tokens_per_minute: tenant.settings.tokens_per_minute,
        };
        // What the tenant says holds for all of its people: no token takes their data elsewhere.
        caller.region = tenant.settings.region.clone().or(caller.region);
        self.residency.check(&caller).map_err(|wrong| IdentityError::WrongRegion(Box::new(wrong)))?;
        caller.models = tenant.settings.models.as_deref().map(Arc::from);
        caller.keeps_content = tenant.settings.keep_content.unwrap_or(false);
        Ok(caller)
    }

    /// Whether the caller may do this with what belongs to `tenant`. `approved`: whether somebody else has agreed to exactly
    /// this.
    pub fn authorize(
        &self,
        caller: &Caller,
        permission: Permission,
        tenant: &TenantId,
        approved: bool,
    ) -> Result<(), Denied> {
        if caller.is_narrowed_from(permission) {
            return Err(Denied::Narrowed(permission));
        }
        let question = self.question(caller, &caller.roles, permission, tenant, approved);
        if self.policies.decide(&question).allowed {
            return Ok(());
        }
        Err(Denied::Policy { permission, reason: self.refusal(caller, permission, tenant) })
    }

    /// Whether the caller may give a key of `tenant` this role: nobody gives away more than they may do themselves.
    pub fn may_grant(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        role: &RoleName,
        only: Option<&[Permission]>,
    ) -> Result<(), Denied> {
        let roles = std::slice::from_ref(role);
        // Whoever gets the key is of that tenant, and otherwise somebody of whom nothing is known.
        let holder = Caller::of(tenant.clone(), KeyId::new(""));
        for permission in Permission::ALL {
            let is_gained = only.is_none_or(|only| only.contains(&permission))
                && self.policies.decide(&self.question(&holder, roles, permission, tenant, true)).allowed;
            if is_gained && self.authorize(caller, permission, tenant, true).is_err() {
                let reason = format!(
                    "the role {:?} has the permission {:?}, which you do not have yourself",
                    role.as_str(),
                    permission.as_str()
                );
                return Err(Denied::Policy { permission, reason });
            }
        }
        Ok(())
    }

    /// How a decision about somebody with these roles comes about.
    pub fn explain(
        &self,
        caller: &Caller,
        permission: Permission,
        tenant: &TenantId,
        approved: bool,
    ) -> Explanation {
        self.policies.explain(&self.question(caller, &caller.roles, permission, tenant, approved))
    }

    fn question<'a>(
        &'a self,
        caller: &'a Caller,
        roles: &'a [RoleName],
        permission: Permission,
        tenant: &'a TenantId,
        approved: bool,
    ) -> Question<'a> {
        Question {
            principal: Principal {
                user: caller.user.as_ref(),
                tenant: &caller.tenant,
                roles,
                tier: caller.tier.as_ref(),
                region: caller.region.as_ref(),
                operator: caller.tenant.is_operator(),
                via: match caller.via {
                    Via::Key => mainstay_policy::Via::Key,
                    Via::Token => mainstay_policy::Via::Token,
                    Via::Process => mainstay_policy::Via::Process,
                },
            },
            permission,
            resource: Resource { tenant, kind: kind_of(permission), name: None },
            context: Context {
                environment: self.environment,
                region: self.residency.here.as_ref(),
                approved,
            },
        }
    }

    fn refusal(&self, caller: &Caller, permission: Permission, tenant: &TenantId) -> String {
        let roles: Vec<&str> = caller.roles.iter().map(RoleName::as_str).collect();
        let whose = if caller.tenant == *tenant {
            ""
        } else {
            " with what belongs to another tenant or to the operator"
        };
        let may: Vec<&str> = self.policies.roles_with(permission).iter().map(RoleName::as_str).collect();
        let who = match may.as_slice() {
            [] => "no role may".to_owned(),
            may => format!("these roles may: {}", may.join(", ")),
        };
        format!("the role {} may not {}{whose}; {who}", roles.join(", "), permission.as_str())
    }

    /// Ends when the caller's credential or tenant is not valid any more.
    pub async fn until_revoked(&self, caller: &Caller) {
        while self.is_still_valid(caller) {
            self.clock.sleep(NOTICED_WITHIN).await;
        }
    }

    fn is_still_valid(&self, caller: &Caller) -> bool {
        let now = self.clock.now();
        let shown = match caller.via {
            Via::Key | Via::Process => self.keys.is_valid(&caller.key, now),
            Via::Token => caller.expires_at.is_none_or(|end| now < end) && !self.is_token_revoked(caller),
        };
        shown && self.tenants.is_active(&caller.tenant)
    }
}

/// A caller as a token names them. A user is one of their provider: two providers may give the same name to two people.
fn caller_of(identity: TokenIdentity) -> Caller {
    let key = KeyId::from(format!("token:{}", identity.issuer));
    Caller {
        user: Some(identity.user),
        roles: identity.roles.into(),
        tier: identity.tier,
        region: identity.region,
        via: Via::Token,
        expires_at: Some(identity.expires_at),
        token: Some(identity.token),
        ..Caller::of(identity.tenant, key)
    }
}

/// What kind of thing a permission is about.
const fn kind_of(permission: Permission) -> ResourceKind {
    match permission {
        Permission::AnswersAsk => ResourceKind::Model,
        Permission::DocumentsRead | Permission::DocumentsWrite => ResourceKind::Document,
        Permission::QualityManage => ResourceKind::Corpus,
        Permission::IndexRebuild => ResourceKind::Index,
        Permission::CostsRead => ResourceKind::Costs,
        Permission::ServiceRead | Permission::ServiceManage => ResourceKind::Service,
        Permission::KeysManage => ResourceKind::Key,
        Permission::TenantsRead | Permission::TenantsManage => ResourceKind::Tenant,
        Permission::PoliciesRead => ResourceKind::Policy,
        Permission::ApprovalsDecide => ResourceKind::Approval,
        Permission::AuditRead => ResourceKind::Audit,
        Permission::ContentRead => ResourceKind::Content,
        Permission::ErasureManage => ResourceKind::User,
    }
}
