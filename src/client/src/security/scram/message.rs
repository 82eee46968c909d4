//! Messages of the server, and names, as text. The grammars are those of Kafka's `ScramMessages`.

use super::ScramError;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// As `java.util.Base64`'s decoder: padding is needed, stray bits in the last character are not seen.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// A user's name as it is sent: `=` and `,` are escaped (`ScramFormatter.saslName`).
pub fn sasl_name(username: &str) -> String {
    username.replace('=', "=3D").replace(',', "=2C")
}

/// A user's name from what was sent (`ScramFormatter.username`).
///
/// # Errors
///
/// [`ScramError::Username`] if a `=` starts no escape.
pub fn username(sasl_name: &str) -> Result<String, ScramError> {
    let name = sasl_name.replace("=2C", ",");
    if name.replace("=3D", "").contains('=') {
        return Err(ScramError::Username(sasl_name.to_owned()));
    }
    Ok(name.replace("=3D", "="))
}

/// `[reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]`; extensions are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFirst {
    /// The client's nonce, and the server's.
    pub nonce: String,
    /// The salt of the server's credential.
    pub salt: Vec<u8>,
    /// How often the password is hashed; at least 1.
    pub iterations: u32,
}

impl ServerFirst {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// [`ScramError::ServerFirst`], with the message.
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let text = String::from_utf8_lossy(message);
        let invalid = || ScramError::ServerFirst(text.clone().into_owned());
        let mut parts = text.split(',').peekable();
        if parts.peek().and_then(|p| p.strip_prefix("m=")).is_some_and(is_value) {
            parts.next();
        }
        let mut part = |name| parts.next().and_then(|p| p.strip_prefix(name)).ok_or_else(invalid);
        let nonce = part("r=")?;
        let salt = part("s=")?;
        let digits = part("i=")?;
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_printable(nonce) || !is_number || !parts.all(is_extension) {
            return Err(invalid());
        }
        let salt = LENIENT.decode(salt).map_err(|_| invalid())?;
        // Java's `Integer.parseInt`.
        match digits.parse::<i32>() {
            Ok(0) => Err(ScramError::ServerFirst("invalid iterations 0".to_owned())),
            Ok(n) => Ok(Self { nonce: nonce.to_owned(), salt, iterations: n.unsigned_abs() }),
            Err(_) => Err(ScramError::ServerFirst("invalid iterations".to_owned())),
        }
    }
}

/// `"e=" error | "v=" signature ["," extensions]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFinal {
    /// The client is refused, for this reason.
    Error(String),
    /// The client is accepted, and the server proves itself.
    Signature(Vec<u8>),
}

impl ServerFinal {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// [`ScramError::ServerFinal`], with the message.
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let text = String::from_utf8_lossy(message);
        let invalid = || ScramError::ServerFinal(text.clone().into_owned());
        if let Some(error) = text.strip_prefix("e=") {
            let is_safe = is_value(error) && !error.contains('=');
            return if is_safe { Ok(Self::Error(error.to_owned())) } else { Err(invalid()) };
        }
        let mut parts = text.split(',');
        let signature = parts.next().and_then(|p| p.strip_prefix("v=")).ok_or_else(invalid)?;
        if !parts.all(is_extension) {
            return Err(invalid());
        }
        LENIENT.decode(signature).map(Self::Signature).map_err(|_| invalid())
    }
}

/// At least one character of 7 bits, but neither NUL nor a comma.
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| (1..=0x7f).contains(&b) && b != b',')
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b',')
}

fn is_extension(part: &str) -> bool {
    part.split_once('=').is_some_and(|(name, value)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic()) && is_value(value)
    })
}
