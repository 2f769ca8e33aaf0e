//! Who calls and whether they may: every request goes through here before anything is done for it.
//!
//! [`Access::identify`] establishes the caller from the credential and from nothing else; [`Access::authorize`] asks the
//! policies. What is revoked, suspended or deleted holds for the next request, and for a stream that is running within a
//! second ([`Access::until_revoked`]).

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::identity::Via;
use mainstay_domain::{Caller, Clock, Permission, RoleName, TenantId};
use mainstay_store::tenants::TenantState;

use crate::keys::{IdentityError, KeyTable};
use crate::residency::Residency;
use crate::tenants::Tenants;

/// Who may come in, and to what.
#[derive(Debug)]
pub struct Access {
    keys: Arc<KeyTable>,
    tenants: Arc<Tenants>,
    /// Where this process is.
    residency: Residency,
    clock: Clock,
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
    /// Access by these keys, of these tenants.
    pub fn new(keys: Arc<KeyTable>, tenants: Arc<Tenants>, residency: Residency, clock: Clock) -> Self {
        Self { keys, tenants, residency, clock }
    }

    /// Who shows this credential.
    pub async fn identify(&self, presented: Option<&str>) -> Result<Caller, IdentityError> {
        let caller = self.keys.identify(presented, self.clock.now())?;
        self.admit_tenant(caller)
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
        caller.region = caller.region.or_else(|| tenant.settings.region.clone());
        self.residency.check(&caller).map_err(|wrong| IdentityError::WrongRegion(Box::new(wrong)))?;
        caller.models = tenant.settings.models.as_deref().map(Arc::from);
        Ok(caller)
    }

    /// Whether the caller may do this with what belongs to `tenant`.
    pub fn authorize(
        &self,
        caller: &Caller,
        permission: Permission,
        tenant: &TenantId,
    ) -> Result<(), Denied> {
        if caller.is_narrowed_from(permission) {
            return Err(Denied::Narrowed(permission));
        }
        if may(&caller.roles, &caller.tenant, permission, tenant) {
            return Ok(());
        }
        let roles: Vec<&str> = caller.roles.iter().map(RoleName::as_str).collect();
        let whose =
            if caller.tenant == *tenant { String::new() } else { format!(" of the tenant {tenant:?}") };
        let reason = format!(
            "the role {} does not have the permission {:?}{whose}",
            roles.join(", "),
            permission.as_str()
        );
        Err(Denied::Policy { permission, reason })
    }

    /// Whether the caller may give a key of `tenant` this role: nobody gives away more than they may do themselves.
    pub fn may_grant(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        role: &RoleName,
        only: Option<&[Permission]>,
    ) -> Result<(), Denied> {
        let role = std::slice::from_ref(role);
        let gained = Permission::ALL.into_iter().filter(|permission| {
            only.is_none_or(|only| only.contains(permission)) && may(role, tenant, *permission, tenant)
        });
        for permission in gained {
            if caller.is_narrowed_from(permission) || !may(&caller.roles, &caller.tenant, permission, tenant)
            {
                let reason = format!(
                    "the role {:?} has the permission {:?}, which you do not have yourself",
                    role[0].as_str(),
                    permission.as_str()
                );
                return Err(Denied::Policy { permission, reason });
            }
        }
        Ok(())
    }

    /// Ends when the caller's credential or tenant is not valid any more.
    pub async fn until_revoked(&self, caller: &Caller) {
        while self.is_still_valid(caller) {
            self.clock.sleep(NOTICED_WITHIN).await;
        }
    }

    fn is_still_valid(&self, caller: &Caller) -> bool {
        let shown = match caller.via {
            Via::Key | Via::Process => self.keys.is_valid(&caller.key, self.clock.now()),
            Via::Token => true,
        };
        shown && self.tenants.is_active(&caller.tenant)
    }
}

/// Whether somebody with these roles in `own` may do this with what belongs to `tenant`.
fn may(roles: &[RoleName], own: &TenantId, permission: Permission, tenant: &TenantId) -> bool {
    use Permission::{
        AnswersAsk, ApprovalsDecide, AuditRead, CostsRead, DocumentsRead, DocumentsWrite, ErasureManage,
        IndexRebuild, KeysManage, PoliciesRead, QualityManage, ServiceManage, ServiceRead, TenantsManage,
        TenantsRead,
    };
    let oversees = matches!(
        permission,
        TenantsRead | TenantsManage | KeysManage | AuditRead | CostsRead | ErasureManage | PoliciesRead
    );
    if own != tenant && !(own.is_operator() && oversees) {
        return false;
    }
    roles.iter().any(|role| match role.as_str() {
        "admin" => true,
        "viewer" | "prompter" => matches!(permission, AnswersAsk | DocumentsRead | ServiceRead),
        "engineer" => matches!(
            permission,
            AnswersAsk
                | DocumentsRead
                | DocumentsWrite
                | QualityManage
                | IndexRebuild
                | ServiceRead
                | ServiceManage
                | PoliciesRead
                | ApprovalsDecide
        ),
        "auditor" => matches!(permission, AuditRead | PoliciesRead | CostsRead | ServiceRead | TenantsRead),
        "ingester" => matches!(permission, AnswersAsk | DocumentsRead | DocumentsWrite),
        "customer_admin" => matches!(
            permission,
            AnswersAsk | DocumentsRead | DocumentsWrite | QualityManage | KeysManage | ErasureManage
        ),
        "customer_user" => matches!(permission, AnswersAsk | DocumentsRead),
        _ => false,
    })
}
