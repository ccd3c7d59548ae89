//! The compiled form of a listener's rules.

use std::collections::HashMap;
use std::sync::Arc;

use balance::AddressTable;
use model::{
    Action, Conditions, FieldEdits, FixedResponse, HostPattern, ListenerName, PathPattern, PathRewrite,
    Redirect, Rule, Service, TargetGroupName, WebSocket, WeightedGroup,
};

use super::same::same_arc;
use super::tables::TableCompiler;
use crate::live::{Live, RuleKey, RuleLive};
use crate::persist::{PersistencePlan, Scope};

#[derive(Debug)]
pub(crate) struct RulePlan {
    pub(crate) host: HostPattern,
    pub(crate) path: PathPattern,
    pub(crate) conditions: Conditions,
    pub(crate) adds_slash: bool,
    pub(crate) access: Option<Arc<AddressTable>>,
    pub(crate) action: ActionPlan,
    pub(crate) rewrite: Option<PathRewrite>,
    pub(crate) request_fields: FieldEdits,
    pub(crate) response_fields: FieldEdits,
    pub(crate) websocket: WebSocket,
    /// Instead of that of the groups.
    pub(crate) persistence: Option<Arc<PersistencePlan>>,
    /// `None`: the rule does not forward.
    pub(crate) live: Option<Arc<RuleLive>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ActionPlan {
    /// Indices in [`ListenerPlan::groups`](super::ListenerPlan::groups), and their weights.
    Forward {
        groups: Vec<usize>,
        weights: Vec<u32>,
    },
    Redirect(Redirect),
    Fixed(FixedResponse),
}

/// The groups to which the rules of one listener forward: each once, in the order of first use.
#[derive(Default)]
struct Groups {
    names: Vec<TargetGroupName>,
    indices: HashMap<TargetGroupName, usize>,
}

/// Compiles the rules of a listener, and its default action as the last rule. Returns them, and the names of the groups
/// that their actions refer to.
pub(super) fn compile_rules(
    listener: &ListenerName,
    service: &Service,
    tables: &mut TableCompiler<'_>,
    live: &Live,
) -> (Vec<RulePlan>, Vec<TargetGroupName>) {
    let mut groups = Groups::default();
    let compile = |rule| RulePlan::compile(rule, listener, &mut groups, tables, live);
    let mut rules: Vec<_> = service.rules().iter().map(compile).collect();
    rules.extend(service.default_action().map(|action| RulePlan::of_default(action, &mut groups)));
    (rules, groups.names)
}

impl RulePlan {
    fn compile(
        rule: &Rule,
        listener: &ListenerName,
        groups: &mut Groups,
        tables: &mut TableCompiler<'_>,
        live: &Live,
    ) -> Self {
        Self {
            host: rule.host.clone(),
            path: rule.path.clone(),
            conditions: rule.conditions.clone(),
            adds_slash: rule.adds_slash,
            access: tables.table(rule.access.as_ref()),
            action: ActionPlan::compile(&rule.action, groups),
            rewrite: rule.rewrite.clone(),
            request_fields: rule.request_fields.clone(),
            response_fields: rule.response_fields.clone(),
            websocket: rule.websocket.clone(),
            persistence: rule.persistence.as_ref().map(|persistence| {
                let identity = rule.identity();
                let scope = Scope::Rule(listener.as_str(), &identity);
                PersistencePlan::compile(persistence, scope, live, None)
            }),
            live: matches!(rule.action, Action::Forward(_))
                .then(|| live.rule(RuleKey { listener: listener.clone(), rule: rule.identity() })),
        }
    }

    fn of_default(action: &Action, groups: &mut Groups) -> Self {
        Self {
            host: HostPattern::Any,
            path: PathPattern::Any,
            conditions: Conditions::default(),
            adds_slash: false,
            access: None,
            action: ActionPlan::compile(action, groups),
            rewrite: None,
            request_fields: FieldEdits::default(),
            response_fields: FieldEdits::default(),
            websocket: WebSocket::default(),
            persistence: None,
            live: None,
        }
    }

    /// True if a request that matches both has the same outcome with either.
    pub(crate) fn has_same_effect(&self, other: &Self) -> bool {
        // No `..`: a new field must be compared, too.
        let Self {
            host: _,
            path: _,
            conditions: _,
            adds_slash,
            access,
            action,
            rewrite,
            request_fields,
            response_fields,
            websocket,
            persistence,
            live: _,
        } = self;
        !adds_slash
            && !other.adds_slash
            && same_arc(access.as_ref(), other.access.as_ref())
            && *action == other.action
            // How a path is rewritten depends on the rule's own path.
            && rewrite.is_none()
            && other.rewrite.is_none()
            && *request_fields == other.request_fields
            && *response_fields == other.response_fields
            && *websocket == other.websocket
            && same_persistence(persistence.as_ref(), other.persistence.as_ref())
    }

    /// True if both rules match the same requests and have the same effect.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // No `..`: a new field must be compared, too.
        let Self {
            host,
            path,
            conditions,
            adds_slash,
            access,
            action,
            rewrite,
            request_fields,
            response_fields,
            websocket,
            persistence,
            live,
        } = self;
        *host == other.host
            && *path == other.path
            && *conditions == other.conditions
            && *adds_slash == other.adds_slash
            && same_arc(access.as_ref(), other.access.as_ref())
            && *action == other.action
            && *rewrite == other.rewrite
            && *request_fields == other.request_fields
            && *response_fields == other.response_fields
            && *websocket == other.websocket
            && same_persistence(persistence.as_ref(), other.persistence.as_ref())
            && same_arc(live.as_ref(), other.live.as_ref())
    }
}

fn same_persistence(one: Option<&Arc<PersistencePlan>>, other: Option<&Arc<PersistencePlan>>) -> bool {
    super::same::same(one, other, |one, other| one.is_same(other))
}

impl ActionPlan {
    /// The groups to which it forwards.
    pub(super) fn groups(&self) -> &[usize] {
        match self {
            Self::Forward { groups, .. } => groups,
            Self::Redirect(_) | Self::Fixed(_) => &[],
        }
    }

    fn compile(action: &Action, groups: &mut Groups) -> Self {
        match action {
            Action::Forward(weighted) => {
                let entry = |entry: &WeightedGroup| (groups.index(&entry.group), entry.weight);
                let (groups, weights) = weighted.iter().map(entry).unzip();
                Self::Forward { groups, weights }
            }
            Action::Redirect(redirect) => Self::Redirect(redirect.clone()),
            Action::Fixed(fixed) => Self::Fixed(fixed.clone()),
        }
    }
}

impl Groups {
    fn index(&mut self, name: &TargetGroupName) -> usize {
        *self.indices.entry(name.clone()).or_insert_with(|| {
            self.names.push(name.clone());
            self.names.len() - 1
        })
    }
}
