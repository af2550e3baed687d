//! Many databases in place of one: which they are, and in which waves they are deployed to.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use crate::at::At;
use crate::code;
use crate::hooks::{Hooks, Point};
use crate::limit as limits;
use crate::raw::{self, Raw};
use crate::reading::Reading;
use crate::services::Services;
use crate::verification::Verification;

/// What a database of a fleet may be called.
pub(crate) const NAME_PATTERN: &str = "^[A-Za-z0-9_.:-]{1,100}$";
const NAME_HELP: &str = "1 to 100 letters, digits, `_`, `.`, `:` and `-`";

/// The databases of an environment, and the order in which they are deployed to.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The databases.
    pub targets: Targets,
    /// At least one; the last one takes what the others leave.
    pub waves: Vec<Wave>,
}

/// Where the databases of a fleet come from.
#[derive(Debug, Clone)]
pub enum Targets {
    /// From pipeline.yaml or a file; each name once.
    Listed(Vec<FleetTarget>),
    /// From a query on the environment's own database: rows of name and URL.
    Query(String),
}

/// A database of a fleet.
#[derive(Debug, Clone)]
pub struct FleetTarget {
    /// What it is called.
    pub name: String,
    /// Where it is. It may hold a password.
    pub url: SecretString,
}

/// Databases that are deployed to together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// What it is called.
    pub name: String,
    /// Names that it takes, with `*` and `?`; empty for any.
    pub matching: Vec<String>,
    /// How many it takes at most.
    pub take: Option<Amount>,
    /// How many are at work at once; never zero.
    pub max_parallel: u64,
    /// How long to wait after it.
    pub soak: Duration,
    /// What has to be so after that.
    pub verify: Vec<Verification>,
    /// How many may fail.
    pub failure_budget: Amount,
}

/// So many, or such a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Number(u64),
    /// Such a share, at most 100.
    Percent(u64),
}

/// What surrounds the stages in the environment of a fleet.
pub(crate) struct Around<'a> {
    pub(crate) services: Option<&'a Services>,
    pub(crate) hooks: &'a Hooks,
}

/// Whether a database of a fleet may be called so.
pub fn is_target_name(name: &str) -> bool {
    let fits = |one: u8| one.is_ascii_alphanumeric() || b"_.:-".contains(&one);
    (1..=100).contains(&name.len()) && name.bytes().all(fits)
}

impl Reading<'_> {
    /// `None` where something essential is wrong, which is among the problems then.
    pub(crate) fn fleet(
        &mut self,
        raw: &raw::Fleet,
        (name, environment): (&At<String>, &raw::Environment),
        pipeline: &Raw,
        around: &Around<'_>,
        base: &Path,
    ) -> Option<Fleet> {
        self.goes_with_a_fleet(name, environment, around);
        let targets = self.targets(raw, name, environment.is_gated(), base);
        let parallel = self.number(raw.max_parallel.as_ref(), &limits::FLEET_PARALLEL);
        let budget = self.amount(raw.failure_budget.as_ref(), 0).unwrap_or(Amount::Number(0));
        let one = raw::Wave {
            name: Some(At { start: name.start, end: name.end, value: "all".into() }),
            matching: None,
            take: None,
            max_parallel: None,
            soak: None,
            verify: None,
            failure_budget: None,
        };
        let written = raw.waves.as_deref().filter(|waves| !waves.is_empty());
        let written = written.unwrap_or(std::slice::from_ref(&one));
        let mut waves: Vec<Wave> = Vec::new();
        for (nth, wave) in written.iter().enumerate() {
            let Some(named) = &wave.name else { continue };
            self.name(named, "a wave");
            if waves.iter().any(|known| known.name == named.value) {
                let message = format!("two waves are called `{}`", named.value);
                self.refuse(code::BAD_WAVE, named.span(), message, "records tell them apart by their names");
            }
            self.takes_its_part(wave, named, nth + 1 == written.len());
            waves.push(self.wave(wave, named, (parallel, budget), (pipeline, &name.value)));
        }
        Some(Fleet { targets: targets?, waves })
    }

    /// By construction no database is left out: the last wave takes the rest.
    fn takes_its_part(&mut self, wave: &raw::Wave, named: &At<String>, is_last: bool) {
        let takes_some = wave.matching.is_some() || wave.take.is_some();
        let (message, help) = match (is_last, takes_some) {
            (true, true) => (
                format!(
                    "`{}` is the last wave and does not take the rest: databases could be left out",
                    named.value
                ),
                "add a last one with neither match nor take: - { name: rest }",
            ),
            (false, false) => (
                format!("`{}` takes all that is left, and there are waves after it", named.value),
                "write match or take; only the last wave takes the rest",
            ),
            _ => return,
        };
        self.refuse(code::BAD_WAVE, named.span(), message, help);
    }

    fn wave(
        &mut self,
        raw: &raw::Wave,
        named: &At<String>,
        (parallel, budget): (u64, Amount),
        (pipeline, environment): (&Raw, &str),
    ) -> Wave {
        let matching: Vec<String> = match &raw.matching {
            None => Vec::new(),
            Some(raw::Match::Text(one)) => vec![one.value.clone()],
            Some(raw::Match::List(all)) => all.iter().map(|one| one.value.clone()).collect(),
        };
        let verify = raw.verify.as_deref().unwrap_or_default();
        Wave {
            name: named.value.clone(),
            matching,
            take: raw.take.as_ref().and_then(|take| self.amount(Some(take), 1)),
            max_parallel: match &raw.max_parallel {
                Some(_) => self.number(raw.max_parallel.as_ref(), &limits::FLEET_PARALLEL),
                None => parallel,
            },
            soak: self.duration(raw.soak.as_ref(), &limits::WAVE_SOAK),
            verify: self.verification(verify, pipeline, environment),
            failure_budget: self.amount(raw.failure_budget.as_ref(), 0).unwrap_or(budget),
        }
    }

    /// A number of at least `least`, or a share of as many percent.
    fn amount(&mut self, written: Option<&At<raw::Amount>>, least: u64) -> Option<Amount> {
        let written = written?;
        let text = written.value.0.trim();
        let (digits, is_share) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim(), true),
            None => (text, false),
        };
        let most = if is_share { 100 } else { 1_000_000 };
        let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|one| one.is_ascii_digit()));
        match number {
            Some(number) if (least..=most).contains(&number) => {
                Some(if is_share { Amount::Percent(number) } else { Amount::Number(number) })
            }
            Some(_) => {
                let unit = if is_share { "%" } else { "" };
                let help = format!("at least {least}{unit}, at most {most}{unit}");
                self.refuse(code::OUT_OF_BOUNDS, written.span(), format!("{text} is out of bounds"), help);
                None
            }
            None => {
                let message = format!("`{text}` is neither a number nor a percentage");
                self.refuse(code::BAD_WAVE, written.span(), message, "such as 3, or 10%");
                None
            }
        }
    }

    fn targets(&mut self, raw: &raw::Fleet, name: &At<String>, gated: bool, base: &Path) -> Option<Targets> {
        match (&raw.targets, &raw.file, &raw.sql) {
            (Some(listed), None, None) => self.listed(listed, gated, base).map(Targets::Listed),
            (None, Some(file), None) => self.fleet_file(file, base).map(Targets::Listed),
            (None, None, Some(sql)) if !sql.value.trim().is_empty() => {
                Some(Targets::Query(sql.value.clone()))
            }
            (listed, file, sql) => {
                let first = listed.iter().flatten().find_map(|one| one.name.as_ref());
                let place =
                    [first, file.as_ref(), sql.as_ref()].into_iter().flatten().max_by_key(|one| one.start);
                let found = if place.is_none() {
                    "no source of its databases"
                } else {
                    "more than one source, or an empty one"
                };
                let message = format!("the fleet of `{}` has {found}", name.value);
                let help = "exactly one of targets, file and sql";
                self.refuse(code::NO_FLEET, place.unwrap_or(name).span(), message, help);
                None
            }
        }
    }

    fn listed(&mut self, raw: &[raw::FleetTarget], gated: bool, base: &Path) -> Option<Vec<FleetTarget>> {
        let mut all: Vec<FleetTarget> = Vec::new();
        let mut complete = true;
        for target in raw {
            let Some(name) = &target.name else { continue };
            if !is_target_name(&name.value) {
                let message = format!("`{}` cannot name a database", name.value);
                self.refuse(code::BAD_TARGET, name.span(), message, NAME_HELP);
            }
            if all.iter().any(|known| known.name == name.value) {
                let message = format!("two databases are called `{}`", name.value);
                self.refuse(code::BAD_TARGET, name.span(), message, "give each a name of its own");
            }
            let message = format!("`{}` needs exactly one source of its URL", name.value);
            match self.source(target.into(), name, (code::BAD_TARGET, message), gated, base) {
                Some(url) => all.push(FleetTarget { name: name.value.clone(), url }),
                None => complete = false,
            }
        }
        complete.then_some(all)
    }

    /// What would be done around one database cannot be done around many.
    fn goes_with_a_fleet(&mut self, name: &At<String>, environment: &raw::Environment, around: &Around<'_>) {
        let mut refuse = |message: &str, help: &str| {
            let message = format!("`{}` is a fleet, and {message}", name.value);
            self.refuse(code::NOT_WITH_A_FLEET, name.span(), message, help);
        };
        if environment.database.as_ref().is_some_and(raw::Database::is_embedded) {
            refuse("its own database is embedded", "give it a URL: it keeps account of the fleet");
        }
        let has = |services: &&Services| {
            services.stop.is_some()
                || services.start.is_some()
                || services.quiesced.is_some()
                || !services.health.is_empty()
        };
        if around.services.filter(has).is_some() {
            refuse(
                "services cannot be stopped around it: they would be down for all of its waves",
                "write `services: {}` in this environment, and change its schemas so that the application can stay up",
            );
        }
        let once = [Point::BeforeDeploy, Point::AfterDeploy, Point::OnSuccess, Point::OnFailure];
        let of_a_stage = around.hooks.iter().find(|hook| !once.contains(&hook.point));
        if let Some(hook) = of_a_stage {
            refuse(
                &format!("`{}` is a hook of {}, a stage of one database", hook.name, hook.point.as_str()),
                "before_deploy, after_deploy, on_success and on_failure run once around a fleet; leave others out with `only`",
            );
        }
    }
}
