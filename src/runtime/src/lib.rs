//! The Connect engine: worker, tasks, herders, offset stores.
