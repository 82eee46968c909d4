//! What callers ask for, beyond names.

/// Which parts of a connector to restart (KIP-745).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestartRequest {
    /// Also the tasks.
    pub include_tasks: bool,
    /// Only what is FAILED.
    pub only_failed: bool,
}

/// What an operator wants of a connector (`TargetState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetState {
    /// To run.
    #[default]
    Started,
    /// To keep its tasks, which do no work.
    Paused,
    /// To have no tasks.
    Stopped,
}

impl TargetState {
    /// As `initial_state` names it, in any case; `None` for other names.
    pub fn of_initial_state(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(Self::Started),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }

    /// Connect's name of it, as error texts have it.
    pub fn connects_name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// The signature of a request of another worker (KIP-507).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSignature {
    /// Its algorithm, as `HmacSHA256`.
    pub algorithm: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// What was signed.
    pub body: Vec<u8>,
}
