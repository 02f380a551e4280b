//! What files hold: common lines, secrets that stand nowhere else, tables with people in them.

/// So many secrets and so many forms of each.
const SECRETS: u8 = 2;
const FORMS: u8 = 3;
/// The records of tables that may be erased.
pub(crate) const PEOPLE: [u32; 3] = [17, 260, 611];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Lines that many files have.
    Plain(u8),
    /// A secret in one of its forms, with common lines around it.
    Secret(u8, u8),
    /// Records, as JSON lines or as CSV.
    Table { csv: bool, rows: u8 },
}

impl Content {
    pub(crate) fn path(self) -> String {
        match self {
            Self::Plain(form) => format!("plain{}.txt", form % 3),
            Self::Secret(secret, _) => secret_path(secret),
            Self::Table { csv: true, .. } => "people.csv".into(),
            Self::Table { csv: false, rows } => format!("d/people{}.jsonl", rows % 2),
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Plain(form) => {
                common(u32::from(form % 4) * 300, 1500 + u32::from(form % 5) * 400)
            }
            Self::Secret(secret, form) => {
                let needle = needle_of(secret % SECRETS, form % FORMS);
                let lines = 20 + u32::from(form % FORMS) * 250;
                let mut bytes = common(0, 1200);
                for number in 0..lines {
                    bytes.extend(format!("{needle}{number}-{:x}\n", noise(number)).into_bytes());
                }
                bytes.extend(common(1200, 300));
                bytes
            }
            Self::Table { csv, rows } => {
                let (from, to) = (u32::from(rows % 3) * 120, 500 + u32::from(rows % 4) * 100);
                let head = if csv { "id,mail,text\n" } else { "" };
                let row = |id: u32| row(csv, id, Some(&mail(id)));
                (head.to_owned() + &(from..to).map(row).collect::<String>()).into_bytes()
            }
        }
    }
}

pub(crate) fn secret_path(secret: u8) -> String {
    format!("secret{}.txt", secret % SECRETS)
}

fn needle_of(secret: u8, form: u8) -> String {
    format!("canary-s{secret}f{form}-")
}

/// The strings that stand in exactly these contents of secrets.
pub(crate) fn needles() -> impl Iterator<Item = String> {
    (0..SECRETS).flat_map(|secret| (0..FORMS).map(move |form| needle_of(secret, form)))
}

/// The address of a person, which stands in their records only.
pub(crate) fn mail(id: u32) -> String {
    format!("canary-r{id}-{:08x}@example.org", noise(id))
}

/// A record, with or without the address.
pub(crate) fn row(csv: bool, id: u32, mail: Option<&str>) -> String {
    let text = noise(id ^ 0x5555);
    match (csv, mail) {
        (true, mail) => format!("{id},{},{text:x}\n", mail.unwrap_or_default()),
        (false, Some(mail)) => {
            format!("{{\"id\":{id},\"mail\":\"{mail}\",\"text\":\"{text:x}\"}}\n")
        }
        (false, None) => format!("{{\"id\":{id},\"mail\":null,\"text\":\"{text:x}\"}}\n"),
    }
}

fn common(from: u32, lines: u32) -> Vec<u8> {
    (from..from + lines).flat_map(|n| format!("{n} {:x}\n", noise(n)).into_bytes()).collect()
}

/// Digits that do not compress well (splitmix64).
fn noise(number: u32) -> u64 {
    let mut x = u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (x >> 31)
}
