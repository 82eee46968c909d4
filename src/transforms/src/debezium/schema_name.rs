//! Names of schemas that Avro allows.

/// What is done to names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adjustment {
    None,
    /// What Avro does not allow becomes an underscore.
    Avro,
    /// It becomes an underscore, a `u` and four hexadecimal digits.
    AvroUnicode,
}

impl Adjustment {
    pub(super) fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "avro" => Self::Avro,
            "avro_unicode" => Self::AvroUnicode,
            _ => Self::None,
        }
    }

    /// The name as it may be.
    pub(super) fn apply(self, name: &str) -> String {
        if self == Self::None {
            return name.to_owned();
        }
        let mut out = String::new();
        for (at, c) in name.chars().enumerate() {
            // With the escapes of Unicode an underscore has to be one itself.
            let is_letter = c.is_ascii_alphabetic() || c == '_' && self == Self::Avro;
            let is_inner = is_letter || c.is_ascii_digit() || c == '.';
            if is_letter || at > 0 && is_inner {
                out.push(c);
                continue;
            }
            match self {
                Self::AvroUnicode => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        out.push_str(&format!("_u{unit:04x}"));
                    }
                }
                _ => {
                    out.push('_');
                    if is_inner {
                        out.push(c);
                    }
                }
            }
        }
        out
    }
}
