//! The decisions in force over a dataset, and what they say of one path.

use serde::Serialize;
use serde_json::Value;

use crate::catalogue::{RecordFilter, RecordRow};
use crate::git::Pattern;
use crate::model::{Class, DatasetName, RecordKind, Time, VersionId};
use crate::ops::target::Target;
use crate::ops::{Error, Result};
use crate::repo::Repository;

/// A decision in force: the newest one about exactly its target.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// The entry of the journal that holds it.
    pub number: u64,
    /// What it is about.
    #[serde(flatten)]
    pub target: Target,
    /// The class.
    pub class: Class,
    /// Why.
    pub reason: String,
    /// Who has looked at it.
    pub reviewer: String,
    /// It must not be destroyed before.
    pub keep_until: Option<Time>,
    /// It must be destroyed by then.
    pub destroy_by: Option<Time>,
    /// Who recorded it: `Name <mail>`.
    pub by: String,
    /// When.
    pub time: Time,
    #[serde(skip)]
    pattern: Option<Pattern>,
}

/// What the decisions say of one path of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The class, from the most specific rule that fits; of several equally specific ones from the
    /// latest.
    pub class: Class,
    /// It must not be destroyed before: the latest floor of all rules that fit.
    pub keep_until: Option<Time>,
    /// It must be destroyed by then: the earliest ceiling of all rules that fit.
    pub destroy_by: Option<Time>,
}

/// The decisions in force over one dataset.
///
/// A pattern in a version is more specific than the version, that than a pattern in the dataset,
/// and that than the dataset.
#[derive(Debug, Default)]
pub struct Rules {
    /// The most specific first, of equally specific ones the latest.
    rules: Vec<Rule>,
}

impl Rule {
    fn of(row: RecordRow) -> Result<Option<Self>> {
        let Some(target) = Target::of(&row.record) else { return Ok(None) };
        let bad = |what: &str| {
            let text = format!("entry {} of the journal classifies with a bad {what}", row.number);
            Error::Refused(text)
        };
        let text = |key: &str| row.record.body.get(key).and_then(Value::as_str);
        let time = |key: &str| -> Result<Option<Time>> {
            text(key).map(|text| text.parse().map_err(|_| bad(key))).transpose()
        };
        let name = row.record.name.as_deref().unwrap_or_default();
        Ok(Some(Self {
            number: row.number,
            class: name.parse().map_err(|_| bad("class"))?,
            reason: row.record.text.clone().unwrap_or_default(),
            reviewer: text("reviewer").unwrap_or_default().to_owned(),
            keep_until: time("keep_until")?,
            destroy_by: time("destroy_by")?,
            by: row.actor.clone(),
            time: row.time,
            pattern: target.compiled()?,
            target,
        }))
    }

    /// How specific it is.
    fn rank(&self) -> u8 {
        2 * u8::from(self.target.version.is_some()) + u8::from(self.target.pattern.is_some())
    }

    fn fits(&self, version: &VersionId, path: &[u8]) -> bool {
        self.target.version.is_none_or(|own| own == *version)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(path))
    }

    /// Whether it covers everything that `other` is about, or the other way round.
    fn is_above_or_below(&self, other: &Target) -> bool {
        let own = &self.target;
        let within = |small: &Target, large: &Target| {
            (large.version.is_none() || large.version == small.version)
                && (large.pattern.is_none() || large.pattern == small.pattern)
        };
        within(own, other) || within(other, own)
    }
}

impl Rules {
    /// The decisions in force over `dataset`.
    ///
    /// # Errors
    ///
    /// The catalogue's; [`Error::Refused`] if a record cannot be read as a decision.
    pub fn of(repository: &Repository, dataset: &DatasetName) -> Result<Self> {
        let filter = RecordFilter {
            kind: Some(RecordKind::Class),
            dataset: Some(dataset.clone()),
            ..RecordFilter::default()
        };
        let mut rules = Vec::new();
        for row in repository.catalogue.records(&filter)? {
            rules.extend(Rule::of(row)?);
        }
        Ok(Self::new(rules))
    }

    /// Rules in the order in which they were recorded.
    fn new(rules: Vec<Rule>) -> Self {
        let mut newest: Vec<Rule> = Vec::new();
        for rule in rules.into_iter().rev() {
            if !newest.iter().any(|later| later.target == rule.target) {
                newest.push(rule);
            }
        }
        newest.sort_by_key(|rule| std::cmp::Reverse(rule.rank()));
        Self { rules: newest }
    }

    /// The rules, the most specific first.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether any rule is about this version alone.
    pub fn speak_of(&self, version: &VersionId) -> bool {
        self.rules.iter().any(|rule| rule.target.version.as_ref() == Some(version))
    }

    /// The rule about exactly this.
    pub fn exactly(&self, target: &Target) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.target == *target)
    }

    /// What is decided about a path of a version.
    pub fn judge(&self, version: &VersionId, path: &[u8]) -> Judged {
        let fit = || self.rules.iter().filter(|rule| rule.fits(version, path));
        Judged {
            class: fit().next().map_or(Class::Unclassified, |rule| rule.class),
            keep_until: fit().filter_map(|rule| rule.keep_until).max(),
            destroy_by: fit().filter_map(|rule| rule.destroy_by).min(),
        }
    }

    /// Fails if these dates contradict each other, or those of a rule that covers the target or
    /// lies within it. A rule about exactly the target is replaced, so it does not count.
    pub(super) fn refuse_conflict(
        &self,
        target: &Target,
        keep_until: Option<Time>,
        destroy_by: Option<Time>,
    ) -> Result<()> {
        let others = || {
            let rules = self.rules.iter().filter(|rule| rule.target != *target);
            rules.filter(|rule| rule.is_above_or_below(target))
        };
        let own = target.show();
        let floors = keep_until.map(|time| (time, own.clone()));
        let floors = floors.into_iter().chain(
            others().filter_map(|rule| rule.keep_until.map(|time| (time, rule.target.show()))),
        );
        let ceilings: Vec<_> = destroy_by
            .map(|time| (time, own.clone()))
            .into_iter()
            .chain(
                others().filter_map(|rule| rule.destroy_by.map(|time| (time, rule.target.show()))),
            )
            .collect();
        for (floor, floor_of) in floors {
            for (ceiling, ceiling_of) in &ceilings {
                let concerned = floor_of == own || *ceiling_of == own;
                if concerned && floor > *ceiling {
                    return Err(Error::Retention(format!(
                        "{floor_of} must be kept until {floor}, and {ceiling_of} must be \
                         destroyed by {ceiling}"
                    )));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(number: u64, version: Option<u8>, pattern: Option<&str>, class: Class) -> Rule {
        Rule {
            number,
            target: Target {
                dataset: "corpus".parse().unwrap(),
                version: version.map(|byte| VersionId::from_bytes([byte; 32])),
                pattern: pattern.map(str::to_owned),
            },
            class,
            reason: "because".into(),
            reviewer: "Ann".into(),
            keep_until: Time::from_unix(number as i64 * 10)
                .ok()
                .filter(|_| number.is_multiple_of(3)),
            destroy_by: Time::from_unix(number as i64 * 7)
                .ok()
                .filter(|_| number.is_multiple_of(2)),
            by: "Ann <a@example.org>".into(),
            time: Time::EPOCH,
            pattern: pattern.and_then(Pattern::parse),
        }
    }

    const PATTERNS: [Option<&str>; 4] = [None, Some("*.txt"), Some("a/"), Some("a/b.txt")];
    const PATHS: [&str; 5] = ["a/b.txt", "a/c", "b.txt", "c", "a/d/e.txt"];

    proptest! {
        /// However the rules are recorded, the class is that of the last one of the highest rank
        /// that fits, and the dates are the strictest of those in force: told without an order,
        /// without replacing, straight from the words of the documentation.
        #[test]
        fn the_most_specific_and_latest_rule_decides(
            given in prop::collection::vec((0_u8..3, 0_usize..4, 0_usize..3), 0..12),
            version in 1_u8..3,
            path in 0_usize..5,
        ) {
            let rules: Vec<Rule> = given.iter().zip(1..).map(|((own, pattern, class), number)| {
                let own = Some(*own).filter(|own| *own > 0);
                rule(number, own, PATTERNS[*pattern], Class::ALL[*class])
            }).collect();
            let judged = Rules::new(rules.clone())
                .judge(&VersionId::from_bytes([version; 32]), PATHS[path].as_bytes());
            let fits = |rule: &&Rule| {
                let own = rule.target.version;
                let pattern = rule.target.pattern.as_deref();
                let replaced = rules.iter()
                    .any(|other| other.target == rule.target && other.number > rule.number);
                let at_path = match pattern {
                    None => true,
                    Some("*.txt") => PATHS[path].ends_with(".txt"),
                    Some("a/") => PATHS[path].starts_with("a/"),
                    Some(exact) => PATHS[path] == exact,
                };
                !replaced && at_path && own.is_none_or(|own| own.as_bytes()[0] == version)
            };
            let rank = |rule: &Rule| match (rule.target.version, &rule.target.pattern) {
                (Some(_), Some(_)) => 3,
                (Some(_), None) => 2,
                (None, Some(_)) => 1,
                (None, None) => 0,
            };
            let winner = rules.iter().filter(fits).max_by_key(|rule| (rank(rule), rule.number));
            prop_assert_eq!(judged.class, winner.map_or(Class::Unclassified, |rule| rule.class));
            let floor = rules.iter().filter(fits).filter_map(|rule| rule.keep_until).max();
            prop_assert_eq!(judged.keep_until, floor);
            let ceiling = rules.iter().filter(fits).filter_map(|rule| rule.destroy_by).min();
            prop_assert_eq!(judged.destroy_by, ceiling);
        }
    }

    #[test]
    fn a_floor_above_a_ceiling_is_refused() {
        let time = |day: i64| Time::from_unix(day * 86_400).ok();
        let mut whole = rule(1, None, None, Class::Core);
        (whole.keep_until, whole.destroy_by) = (time(100), None);
        let rules = Rules::new(vec![whole.clone()]);
        let mut target = whole.target.clone();
        assert!(rules.refuse_conflict(&target, time(9), time(8)).is_err(), "by itself");
        assert!(rules.refuse_conflict(&target, None, time(8)).is_ok(), "it replaces the floor");
        target.pattern = Some("logs/".into());
        assert!(rules.refuse_conflict(&target, None, time(99)).is_err(), "the dataset's floor");
        assert!(rules.refuse_conflict(&target, None, time(100)).is_ok());
    }
}
