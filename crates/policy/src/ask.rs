//! A question in Cedar's words.

use std::collections::{HashMap, HashSet};

use cedar::{EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use cedar_policy as cedar;
use mainstay_domain::identity::Permission;

use crate::question::{Environment, Question, ResourceKind, Via};
use crate::reads::Lens;

/// Asks Cedar. The names that every question uses are made once.
pub(crate) struct Asker {
    authorizer: cedar::Authorizer,
    role: EntityTypeName,
    tenant: EntityTypeName,
    /// Who asks. There is one in every question, and no policy can name it.
    principal: EntityUid,
    /// What is acted on, likewise.
    resource: EntityUid,
    actions: Vec<EntityUid>,
    vias: Vec<EntityUid>,
    environments: Vec<EntityUid>,
    kinds: Vec<EntityUid>,
}

/// A question that Cedar could not be asked; the text says why.
pub(crate) struct Unaskable(pub(crate) String);

impl<E: std::error::Error> From<E> for Unaskable {
    fn from(error: E) -> Self {
        Self(format!("the question cannot be put: {error}"))
    }
}

impl Asker {
    pub(crate) fn new() -> Result<Self, Box<cedar::ParseErrors>> {
        let type_name = |name: &str| format!("Mainstay::{name}").parse::<EntityTypeName>().map_err(Box::new);
        let uids = |kind: &EntityTypeName, ids: &mut dyn Iterator<Item = &str>| {
            ids.map(|id| uid(kind, id)).collect::<Vec<_>>()
        };
        Ok(Self {
            authorizer: cedar::Authorizer::new(),
            role: type_name("Role")?,
            tenant: type_name("Tenant")?,
            principal: uid(&type_name("User")?, "who asks"),
            resource: uid(&type_name("Resource")?, "what is acted on"),
            actions: uids(&type_name("Action")?, &mut Permission::ALL.iter().map(|one| one.as_str())),
            vias: uids(&type_name("Via")?, &mut Via::ALL.iter().map(|one| one.as_str())),
            environments: uids(
                &type_name("Environment")?,
                &mut Environment::ALL.iter().map(|one| one.as_str()),
            ),
            kinds: uids(&type_name("Kind")?, &mut ResourceKind::ALL.iter().map(|one| one.as_str())),
        })
    }

    /// Cedar's answer. Roles that no policy names are left out: they make no difference, and callers may have hundreds.
    pub(crate) fn ask(
        &self,
        policies: &cedar::PolicySet,
        lens: &Lens,
        question: &Question<'_>,
    ) -> Result<cedar::Response, Unaskable> {
        let (request, entities) = self.put(lens, question, None)?;
        Ok(self.authorizer.is_authorized(&request, policies, &entities))
    }

    /// The question as a request and its entities, checked against a schema where one is given.
    pub(crate) fn put(
        &self,
        lens: &Lens,
        question: &Question<'_>,
        schema: Option<&cedar::Schema>,
    ) -> Result<(cedar::Request, cedar::Entities), Unaskable> {
        let Question { principal, permission, resource, context } = question;
        let entity = |uid: &EntityUid| RestrictedExpression::new_entity_uid(uid.clone());
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let tenant = |id: &str| RestrictedExpression::new_entity_uid(uid(&self.tenant, id));

        let mut attributes = HashMap::from([
            ("tenant".to_owned(), tenant(principal.tenant.as_str())),
            ("operator".to_owned(), RestrictedExpression::new_bool(principal.operator)),
            ("via".to_owned(), entity(&self.vias[principal.via as usize])),
        ]);
        let optional = [
            ("user", principal.user.map(|user| user.as_str())),
            ("tier", principal.tier.map(|tier| tier.as_str())),
            ("region", principal.region.map(|region| region.as_str())),
        ];
        attributes
            .extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), text(value?)))));
        let roles = principal.roles.iter().filter(|role| lens.knows_role(role.as_str()));
        let roles: HashSet<_> = roles.map(|role| uid(&self.role, role.as_str())).collect();
        let who = cedar::Entity::new(self.principal.clone(), attributes, roles)?;

        let mut attributes = HashMap::from([
            ("tenant".to_owned(), tenant(resource.tenant.as_str())),
            ("kind".to_owned(), entity(&self.kinds[resource.kind as usize])),
        ]);
        attributes.extend(resource.name.map(|name| ("name".to_owned(), text(name))));
        let what = cedar::Entity::new(self.resource.clone(), attributes, HashSet::new())?;

        let mut circumstances = vec![
            ("environment".to_owned(), entity(&self.environments[context.environment as usize])),
            ("approved".to_owned(), RestrictedExpression::new_bool(context.approved)),
        ];
        circumstances.extend(context.region.map(|region| ("region".to_owned(), text(region.as_str()))));
        let circumstances = cedar::Context::from_pairs(circumstances)?;

        let action = self.actions[*permission as usize].clone();
        let request = cedar::Request::new(
            self.principal.clone(),
            action,
            self.resource.clone(),
            circumstances,
            schema,
        )?;
        Ok((request, cedar::Entities::from_entities([who, what], schema)?))
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
