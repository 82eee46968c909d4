//! Recursion into values and schemas that may be nested deeper than the stack reaches.
//!
//! Values are trees, and what walks them is clearest as recursion. A task's thread has 2 MiB of stack, which a few
//! thousand levels fill, and an overflow ends the process; so every step into a list, map or struct goes through
//! [`descend`], which takes more memory for the stack when little is left. Dropping values needs no stack at all.

/// What is left of the stack at least when `descend` calls: more than the functions between two calls use.
const LEFT_AT_LEAST: usize = 128 * 1024;
/// What is added at a time.
const SEGMENT: usize = 1024 * 1024;

/// Calls `inner`, on a new piece of stack if little of the present one is left. Costs a nanosecond or two otherwise.
#[inline]
pub fn descend<T>(inner: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(LEFT_AT_LEAST, SEGMENT, inner)
}
