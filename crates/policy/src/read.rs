//! A text to policies that hold together: parsed, named, and checked against the schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy as cedar;
use mainstay_domain::config::closest;
use mainstay_domain::identity::Permission;
use miette::Diagnostic;

use crate::decision::{Effect, PolicyId};
use crate::error::{Fault, PolicyError};
use crate::reads::Reads;
use crate::scan::{self, Statement};

/// A policy that is in force.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub id: PolicyId,
    /// What it does where it applies.
    pub effect: Effect,
    /// Its `@reason`; empty where it has none.
    pub reason: Arc<str>,
    /// The file it stands in.
    pub file: Arc<str>,
    /// The line at which it begins, counted from 1.
    pub line: usize,
    /// Its text, as it was written.
    pub text: Arc<str>,
    pub(crate) cedar: cedar::Policy,
    /// The same policy as a set with nothing else in it, to ask it for itself.
    pub(crate) alone: cedar::PolicySet,
    pub(crate) reads: Reads,
}

/// The policies of a text, in the order in which they stand, each with a name that none of `taken` has.
pub(crate) fn read(text: &str, file: &str, taken: &[Rule]) -> Result<Vec<Rule>, PolicyError> {
    if text.len() > scan::MAX_BYTES {
        return Err(PolicyError::TooLarge { file: file.to_owned(), bytes: text.len() });
    }
    let reader = Reader { text, file };
    let statements = scan::statements(text);
    reader.measure(&statements)?;
    let set: cedar::PolicySet = text.parse().map_err(|errors| reader.does_not_parse(&errors))?;
    let mut rules: Vec<Rule> = Vec::with_capacity(statements.len());
    let mut faults = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        match reader.rule(&set, index, statement) {
            Ok(rule) => {
                let earlier = taken.iter().chain(&rules).find(|earlier| earlier.id == rule.id);
                if let Some(earlier) = earlier {
                    let message = format!("there are two policies {:?}", rule.id);
                    let hint = format!(
                        "give this one another @id: the other stands in {}:{}",
                        earlier.file, earlier.line
                    );
                    faults.push(reader.fault(statement.span.start, message, Some(hint)));
                }
                rules.push(rule);
            }
            Err(fault) => faults.push(*fault),
        }
    }
    if faults.is_empty() { Ok(rules) } else { Err(PolicyError::Invalid(faults)) }
}

struct Reader<'t> {
    text: &'t str,
    file: &'t str,
}

impl Reader<'_> {
    fn fault(&self, offset: usize, message: impl Into<String>, hint: Option<String>) -> Fault {
        let (line, column) = scan::place(self.text, offset);
        Fault { file: self.file.to_owned(), line, column, message: message.into(), hint }
    }

    fn measure(&self, statements: &[Statement]) -> Result<(), PolicyError> {
        let mut faults = Vec::new();
        if let Some(statement) = statements.get(scan::MAX_POLICIES) {
            let message =
                format!("there are {} policies; at most {} are read", statements.len(), scan::MAX_POLICIES);
            let hint = "let policies name roles, and give people their roles where they sign in";
            faults.push(self.fault(statement.span.start, message, Some(hint.to_owned())));
        }
        for Statement { span, depth, operators } in statements {
            let bounds = [
                ("bytes", span.len(), scan::MAX_POLICY_BYTES),
                ("levels of brackets", *depth, scan::MAX_DEPTH),
                ("characters of operators", *operators, scan::MAX_OPERATORS),
            ];
            if let Some((what, count, most)) = bounds.into_iter().find(|(_, count, most)| count > most) {
                let message =
                    format!("the policy that begins here has {count} {what}; at most {most} are read");
                faults.push(self.fault(span.start, message, Some("write it as several policies".to_owned())));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(PolicyError::Invalid(faults)) }
    }

    fn does_not_parse(&self, errors: &cedar::ParseErrors) -> PolicyError {
        let faults = errors.iter().map(|error| {
            let (span, label) = label(error);
            let hint = error.help().map(|help| help.to_string()).or(label);
            self.fault(span.start, error.to_string(), hint)
        });
        PolicyError::Invalid(faults.collect())
    }

    /// The policy that Cedar numbered `index`: it counts them as they stand.
    fn rule(&self, set: &cedar::PolicySet, index: usize, statement: &Statement) -> Result<Rule, Box<Fault>> {
        let start = statement.span.start;
        let refuse =
            |message: String, hint: &str| Box::new(self.fault(start, message, Some(hint.to_owned())));
        let Some(policy) = set.policy(&cedar::PolicyId::new(format!("policy{index}"))) else {
            let hint = "write out what ?principal and ?resource stand for, such as a role";
            return Err(refuse("this is a template, and nothing here fills in its slots".to_owned(), hint));
        };
        let (line, _) = scan::place(self.text, start);
        let id = match policy.annotation("id").map(str::trim) {
            None | Some("") => PolicyId::new(format!("{}:{line}", self.file)),
            Some(id) => PolicyId::new(id),
        };
        let json = policy.to_json().map_err(|error| {
            refuse(format!("this policy cannot be looked through: {error}"), "write it in simpler words")
        })?;
        let reads = Reads::of(&json);
        if let Some(named) = reads.unmatchable.first() {
            let hint = "users and resources are told apart by their attributes, such as `principal has user && \
                        principal.user == \"alice\"` or `resource has name && resource.name == \"handbook\"`";
            return Err(refuse(format!("no user and no resource is {named}"), hint));
        }
        let cedar = policy.new_id(cedar::PolicyId::new(id.as_str()));
        let alone = cedar::PolicySet::from_policies([cedar.clone()])
            .map_err(|error| refuse(error.to_string(), "give it another @id"))?;
        Ok(Rule {
            effect: match policy.effect() {
                cedar::Effect::Permit => Effect::Permit,
                cedar::Effect::Forbid => Effect::Forbid,
            },
            reason: Arc::from(policy.annotation("reason").unwrap_or_default()),
            file: Arc::from(self.file),
            line,
            text: Arc::from(&self.text[statement.span.clone()]),
            cedar,
            alone,
            id,
            reads,
        })
    }
}

/// Checks policies of one text against the schema. Gives the names of those that cannot apply, as far as Cedar sees that,
/// and what else it warns of.
pub(crate) fn check(
    rules: &[Rule],
    text: &str,
    file: &str,
    schema: &cedar::Schema,
) -> Result<Checked, PolicyError> {
    let reader = Reader { text, file };
    let set = cedar::PolicySet::from_policies(rules.iter().map(|rule| rule.cedar.clone()));
    let set = set.map_err(|error| PolicyError::Invalid(vec![reader.fault(0, error.to_string(), None)]))?;
    let result = cedar::Validator::new(schema.clone()).validate(&set, cedar::ValidationMode::Strict);
    let mut faults: Vec<_> = result.validation_errors().map(|error| reader.against_schema(error)).collect();
    faults.sort_by_key(|fault| (fault.line, fault.column));
    faults.dedup();
    if !faults.is_empty() {
        return Err(PolicyError::Invalid(faults));
    }
    let mut checked = Checked::default();
    for warning in result.validation_warnings() {
        match warning {
            cedar::ValidationWarning::ImpossiblePolicy(_)
            | cedar::ValidationWarning::InvalidActionApplication(_) => {
                checked.impossible.insert(PolicyId::new(warning.policy_id()));
            }
            other => {
                let id = PolicyId::new(other.policy_id());
                checked.confusable.push((id.clone(), without_policy(&other.to_string(), id.as_str())));
            }
        }
    }
    Ok(checked)
}

/// What Cedar says of policies that hold together.
#[derive(Default, Debug)]
pub(crate) struct Checked {
    /// Policies that are false whatever is asked.
    pub(crate) impossible: BTreeSet<PolicyId>,
    /// Texts and names that look like others.
    pub(crate) confusable: Vec<(PolicyId, String)>,
}

impl Reader<'_> {
    fn against_schema(&self, error: &cedar::ValidationError) -> Fault {
        let (span, _) = label(error);
        let message = without_policy(&error.to_string(), error.policy_id().as_ref());
        let written = self.text.get(span.clone()).unwrap_or_default();
        let hint = match error {
            cedar::ValidationError::UnrecognizedActionId(_) => Some(action_hint(written)),
            cedar::ValidationError::UnrecognizedEntityType(_) => Some(type_hint(written)),
            cedar::ValidationError::UnsafeOptionalAttributeAccess(_) => Some(optional_hint(written)),
            // Cedar asks for a report of a bug here, but what was met is the depth of the stack.
            cedar::ValidationError::InternalInvariantViolation(_) => {
                Some("write it as several policies".to_owned())
            }
            other => other.help().map(|help| without_policy(&help.to_string(), error.policy_id().as_ref())),
        };
        self.fault(span.start, message, hint)
    }
}

fn action_hint(written: &str) -> String {
    let names = || Permission::ALL.into_iter().map(Permission::as_str);
    // `Mainstay::Action::"documents.wirte"`; where the span is of more than that, its last quotes.
    let name = written.trim_end_matches(|c| c != '"').trim_end_matches('"').rsplit('"').next();
    let has_type = written.contains("Mainstay::Action::");
    match name.and_then(|name| closest(name, names())) {
        Some(meant) if name == Some(meant) && !has_type => {
            format!("write Mainstay::Action::\"{meant}\", with what it belongs to")
        }
        Some(meant) => format!("did you mean Mainstay::Action::\"{meant}\"?"),
        None => format!("the actions are: {}", names().collect::<Vec<_>>().join(", ")),
    }
}

fn optional_hint(written: &str) -> String {
    match written.rsplit_once('.') {
        Some((whose, attribute)) => format!("ask first: {whose} has {attribute} && {written}"),
        None => "ask with `has` first".to_owned(),
    }
}

fn type_hint(written: &str) -> String {
    const TYPES: [&str; 7] = ["Role", "Tenant", "User", "Resource", "Via", "Environment", "Kind"];
    let name = written.split("::\"").next().unwrap_or_default();
    let last = name.rsplit("::").next().unwrap_or_default().trim();
    match closest(last, TYPES) {
        Some(meant) => format!("did you mean Mainstay::{meant}?"),
        None => format!("the types are Mainstay:: followed by one of: {}", TYPES.join(", ")),
    }
}

/// Where a message of Cedar points, and what it says there.
fn label(diagnostic: &dyn Diagnostic) -> (std::ops::Range<usize>, Option<String>) {
    let label = diagnostic.labels().and_then(|mut labels| labels.next());
    label.map_or((0..0, None), |label| {
        (label.offset()..label.offset() + label.len(), label.label().map(str::to_owned))
    })
}

/// The message without the policy's name before it: the place says it already.
fn without_policy(message: &str, id: &str) -> String {
    let rest = message.strip_prefix(&format!("for policy `{id}`"));
    let rest = rest.map_or(message, |rest| rest.trim_start_matches([',', ':']).trim_start());
    rest.trim_end_matches('.').to_owned()
}
