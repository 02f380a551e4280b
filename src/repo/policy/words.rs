//! A rule in words.

use super::{Approvals, Deed, On, Rule, Threshold};

impl Rule {
    /// When it is asked.
    pub fn when(&self) -> String {
        let on = |on: &On| match on {
            On::Commit => "at a commit",
            On::Merge => "at a merge or move",
            On::Tag => "at a tag",
        };
        let mut when: Vec<String> = self.on.iter().map(|one| on(one).to_owned()).collect();
        if self.branches != ["*"] {
            when.push(format!("on branches {}", quoted(&self.branches)));
        }
        if self.on.contains(&On::Tag) && self.tags != ["*"] {
            when.push(format!("on tags {}", quoted(&self.tags)));
        }
        if self.datasets != ["*"] {
            when.push(format!("in datasets {}", quoted(&self.datasets)));
        }
        when.join(", ")
    }

    /// What it demands, one sentence each.
    pub fn demands(&self) -> Vec<String> {
        let mut says = Vec::new();
        if self.protected {
            let tags =
                if self.on.contains(&On::Tag) { "; tags are not moved or removed" } else { "" };
            says.push(format!(
                "only `merge` moves the branch: no direct commit, reset, rollback, removal{tags}"
            ));
        }
        for need in &self.require {
            let kind = need.kind.map(|kind| format!(", of type {}", kind.as_str()));
            let allowed: Vec<_> = need.one_of.iter().map(ToString::to_string).collect();
            let one_of = match allowed.is_empty() {
                true => String::new(),
                false => format!(", one of {}", allowed.join(", ")),
            };
            let each = if need.key.contains('.') && !need.key.starts_with("fields.") {
                match need.key.split('.').next() {
                    Some("sources") => ", by every source",
                    Some("steps") => ", by every step",
                    _ => "",
                }
            } else {
                ""
            };
            says.push(format!("`{}` is said{each}{}{one_of}", need.key, kind.unwrap_or_default()));
        }
        says.extend(self.metrics.iter().map(Threshold::demand));
        if !self.licences.is_empty() {
            says.push(format!("every source has one of the licences {}", self.licences.join(", ")));
        }
        if self.min_message_length > 0 {
            says.push(format!("the message has at least {} characters", self.min_message_length));
        }
        if self.signed {
            says.push(
                "the version carries a good signature by a trusted key (asked at a merge and at a tag, \
                 because a version is signed after it was committed)"
                    .into(),
            );
        }
        if self.required_reviews > 0 {
            says.push(format!(
                "people other than the author who approved it: {} (asked at a merge and at a tag)",
                self.required_reviews
            ));
        }
        says
    }
}

impl Approvals {
    /// What it demands.
    pub fn demand(&self) -> String {
        let deed = |one: &Deed| match one {
            Deed::Erase => "an erasure",
            Deed::Retire => "a retirement",
        };
        let what = self.on.iter().map(deed).collect::<Vec<_>>().join(" or ");
        let of = match self.datasets == ["*"] {
            true => String::new(),
            false => format!(" in datasets {}", quoted(&self.datasets)),
        };
        format!("{what}{of} is approved by {} keys of others than who asks for it", self.keys)
    }
}

impl Threshold {
    fn demand(&self) -> String {
        let of =
            self.slice.as_ref().map(|slice| format!(" of slice `{slice}`")).unwrap_or_default();
        let bound = match (self.min, self.max) {
            (Some(min), Some(max)) => format!("is from {min} to {max}"),
            (Some(min), None) => format!("is at least {min}"),
            (None, Some(max)) => format!("is at most {max}"),
            (None, None) => "is recorded".into(),
        };
        let unless = if self.must_exist { "" } else { ", if it is recorded" };
        format!("metric `{}`{of} {bound}{unless}", self.name)
    }
}

fn quoted(patterns: &[String]) -> String {
    patterns.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")
}
