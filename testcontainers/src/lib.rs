//! Starts the real services that tests need.
