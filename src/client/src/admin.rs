//! Topics, offsets and configurations.
pub struct Admin;
