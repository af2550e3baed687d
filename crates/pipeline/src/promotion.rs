//! The order of environments: `after` names environments that exist, and never goes in a circle.

use crate::at::At;
use crate::code;
use crate::raw::Environment;
use crate::reading::Reading;
use crate::shape::nearest;

type Declared = [(At<String>, Environment)];

impl Reading<'_> {
    pub(crate) fn promotion(&mut self, environments: &Declared) {
        let names: Vec<&str> = environments.iter().map(|(name, _)| name.value.as_str()).collect();
        for (name, environment) in environments {
            let after = environment.after.as_deref().unwrap_or_default();
            for (nth, upstream) in after.iter().enumerate() {
                let text = upstream.value.as_str();
                let span = upstream.span();
                if text == name.value {
                    let message = format!("`{text}` cannot come after itself");
                    self.refuse(
                        code::CYCLE,
                        span,
                        message,
                        "name the environment that a release reaches before",
                    );
                } else if !names.contains(&text) {
                    self.no_such_environment(upstream, &names);
                } else if after[..nth].iter().any(|one| one.value == text) {
                    self.refuse(code::BAD_VALUE, span, format!("`{text}` is named twice"), "once is enough");
                }
            }
        }
        let mut done = Vec::new();
        for name in names {
            self.follow(name, environments, &mut Vec::new(), &mut done);
        }
    }

    /// Refuses the name of an environment that nobody declared.
    pub(crate) fn no_such_environment(&mut self, written: &At<String>, names: &[&str]) {
        let help = match nearest(&written.value, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the environments are {}", names.join(", ")),
        };
        let message = format!("there is no environment `{}`", written.value);
        self.refuse(code::UNKNOWN_ENVIRONMENT, written.span(), message, help);
    }

    /// Goes upstream depth first; a name met again on its own way closes a circle.
    fn follow<'e>(
        &mut self,
        name: &'e str,
        environments: &'e Declared,
        way: &mut Vec<&'e str>,
        done: &mut Vec<&'e str>,
    ) {
        if done.contains(&name) {
            return;
        }
        way.push(name);
        let found = environments.iter().find(|(declared, _)| declared.value == name);
        for upstream in found.iter().flat_map(|(_, environment)| environment.after.iter().flatten()) {
            let next = upstream.value.as_str();
            match way.iter().position(|one| *one == next) {
                // An environment after itself has its own message.
                Some(_) if next == name => {}
                Some(start) => {
                    let circle = [&way[start..], &[next]].concat().join(" after ");
                    let message = format!("these environments wait for each other: {circle}");
                    self.refuse(code::CYCLE, upstream.span(), message, "one of them has to come first");
                }
                None => self.follow(next, environments, way, done),
            }
        }
        way.pop();
        done.push(name);
    }
}
