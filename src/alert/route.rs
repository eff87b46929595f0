//! Who is told: a flat list of routes, the first that matches decides.

use crate::config::{Receiver, Route};
use crate::hit::Severity;
use crate::rules::Rule;

/// The receivers that an alert goes to, each once. A rule's own `notify` comes before all routes;
/// where there is no route, everybody is told.
pub fn receivers_for<'a>(
    routes: &'a [Route],
    all: &'a [Receiver],
    rule: &'a Rule,
    severity: Severity,
) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    if !rule.notify.is_empty() {
        names.extend(rule.notify.iter().map(String::as_str));
    } else if routes.is_empty() {
        names.extend(all.iter().map(|receiver| receiver.name.as_str()));
    } else {
        for route in routes.iter().filter(|route| takes(route, rule, severity)) {
            names.extend(route.receivers.iter().map(String::as_str));
            if !route.continues {
                break;
            }
        }
    }
    let mut unique: Vec<&str> = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

fn takes(route: &Route, rule: &Rule, severity: Severity) -> bool {
    (route.severity.is_empty() || route.severity.contains(&severity))
        && (route.tags.is_empty() || route.tags.iter().any(|tag| rule.tags.contains(tag)))
        && (route.rule.is_empty() || route.rule.iter().any(|id| **id == *rule.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ReceiverKind;

    fn rule(notify: &[&str]) -> Rule {
        Rule {
            id: "arms".into(),
            title: "Arms".into(),
            severity: Severity::High,
            tags: vec!["dprk".to_owned()].into(),
            references: Box::default(),
            version: Default::default(),
            max_age: None,
            notify: notify.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn route(receivers: &[&str], severity: &[Severity], tags: &[&str], continues: bool) -> Route {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Route {
            severity: severity.to_vec(),
            tags: owned(tags),
            rule: Vec::new(),
            receivers: owned(receivers),
            continues,
        }
    }

    #[track_caller]
    fn check(routes: &[Route], notify: &[&str], expected: &[&str]) {
        let all = ["log", "pager"]
            .map(|name| Receiver { name: name.to_owned(), kind: ReceiverKind::Stdout });
        assert_eq!(receivers_for(routes, &all, &rule(notify), Severity::High), expected);
    }

    #[test]
    fn the_first_route_that_matches_decides_unless_it_continues() {
        check(&[], &[], &["log", "pager"]);
        check(
            &[route(&["log"], &[], &[], false), route(&["pager"], &[], &[], false)],
            &[],
            &["log"],
        );
        check(
            &[route(&["log"], &[], &[], true), route(&["pager", "log"], &[], &[], false)],
            &[],
            &["log", "pager"],
        );
        check(&[route(&["log"], &[Severity::Critical], &[], false)], &[], &[]);
        check(&[route(&["log"], &[], &["dprk"], false)], &[], &["log"]);
        check(&[route(&["log"], &[], &["china"], false)], &[], &[]);
    }

    #[test]
    fn a_rule_that_names_receivers_overrides_the_routes() {
        check(&[route(&["log"], &[], &[], false)], &["pager"], &["pager"]);
    }
}
