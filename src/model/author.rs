//! Who did it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A person: name and mail address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Author {
    /// How the person is called.
    pub name: String,
    /// Mail address, without brackets; may be empty.
    pub email: String,
}

/// Text that does not name a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form \"Name <mail>\"")]
pub struct AuthorError(pub String);

impl FromStr for Author {
    type Err = AuthorError;

    /// Reads `Name <mail>`.
    fn from_str(text: &str) -> Result<Self, AuthorError> {
        let fail = || AuthorError(text.into());
        let (name, rest) = text.split_once('<').ok_or_else(fail)?;
        let email = rest.trim_end().strip_suffix('>').ok_or_else(fail)?;
        let (name, email) = (name.trim(), email.trim());
        let odd = |part: &str| part.contains(['<', '>']) || part.chars().any(char::is_control);
        if name.is_empty() || odd(name) || odd(email) {
            return Err(fail());
        }
        Ok(Self { name: name.into(), email: email.into() })
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_mail_address_make_an_author() {
        let author: Author = " Ada Lovelace <ada@x.org> ".parse().unwrap();
        assert_eq!((author.name.as_str(), author.email.as_str()), ("Ada Lovelace", "ada@x.org"));
        for wrong in ["", "Ada", "<ada@x>", "Ada <ada", "A <b> <c>", "A\nB <c>"] {
            assert!(wrong.parse::<Author>().is_err(), "{wrong}");
        }
    }
}
