//! Transactions (KIP-98, KIP-360, KIP-447, KIP-588, KIP-890): batches and group offsets that become visible
//! together, or not at all.
//!
//! # Layout
//!
//! - [`error`]: what the calls of a transactional producer fail with.
//! - `handle`: those calls, as methods of [`super::Producer`].
//! - `machine`: the state machine, without I/O and clock: which request is next (`machine::progress`: what its
//!   answer means).
//! - `step`: what goes between it and the sender.
//! - `verdict`: what an error code means for the transaction, by request.
//! - `request`: the requests themselves.
//!
//! # How data flows
//!
//! ```text
//! begin, commit, abort, send_offsets ─▶ machine ─ next_action ─▶ sender ─ request ─▶ coordinator
//! append ── is it allowed? ───────────────▲ ▲ ▲                                          │
//! sender: may this partition be sent to? ─┘ │ └────────────── answered ◀─────────────────┘
//! sender: this batch failed ────────────────┘
//! ```
//!
//! The machine lives under the accumulator's lock, so that "in a transaction" and "these records belong to it"
//! can never disagree. The sender carries out one of its actions at a time.
//!
//! # What it must never do
//!
//! End a transaction while one of its batches may still be written, report a commit that was not answered as
//! one, send EndTxn with another result than before while the first one's outcome is unknown, or go on after
//! another instance has taken over.

mod error;
mod handle;
mod machine;
pub(super) mod request;
mod step;
mod verdict;

pub use error::TransactionError;
pub(super) use machine::Machine;
pub(super) use step::{Action, Answer, Pause};
