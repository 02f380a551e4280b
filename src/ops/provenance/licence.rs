//! Licences by their SPDX names.

/// What is wrong with a licence, and what may have been meant.
pub(super) fn flaw(text: &str) -> Option<(String, Option<String>)> {
    if let Some(own) = text.strip_prefix("other:") {
        let empty = own.trim().is_empty();
        return empty.then(|| ("says nothing after `other:`".to_owned(), None));
    }
    let error = spdx::Expression::parse(text).err()?;
    let meant = spdx::imprecise_license_id(text).map(|(id, _)| id.name);
    let meant = meant.or_else(|| in_other_letters(text));
    let hint = match meant {
        Some(name) => format!("did you mean `{name}`?"),
        None => "write an SPDX expression such as `CC-BY-4.0`, `LicenseRef-name`, or `other:` and \
                 your own words"
            .to_owned(),
    };
    Some((
        format!("`{}` is not a licence that SPDX knows: {}", show(text), error.reason),
        Some(hint),
    ))
}

/// The identifier that differs only in the case of its letters.
fn in_other_letters(text: &str) -> Option<&'static str> {
    let all = spdx::identifiers::LICENSES;
    all.iter().map(|licence| licence.name).find(|name| name.eq_ignore_ascii_case(text))
}

fn show(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
