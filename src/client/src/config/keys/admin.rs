//! Keys that only admin clients have.

use super::super::definition::Definition;
use super::super::key::{Key, List, list};

keys! { ADMIN:
    BOOTSTRAP_CONTROLLERS: List = list("bootstrap.controllers", "")
        .high()
        .refused("controllers are not asked directly; name brokers in bootstrap.servers")
        .doc("Controllers to connect to first, instead of brokers.");
}
