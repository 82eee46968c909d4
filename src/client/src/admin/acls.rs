//! Access control lists: who may do what.

use super::{Admin, ItemResult};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::text::str_bytes;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_acls_response::DeleteAclsMatchingAcl;
use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};
use std::fmt;

const CREATE: &str = "CreateAcls";
const DELETE: &str = "DeleteAcls";
const DESCRIBE: &str = "DescribeAcls";

/// An enum of the protocol with its numbers and the names of Java's clients.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$item_doc])* $variant,)*
            /// One that this client does not know, by its number.
            Unknown(i8),
        }

        impl $name {
            fn number(self) -> i8 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Unknown(number) => number,
                }
            }

            fn of(number: i8) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Unknown(other),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Unknown(number) => write!(f, "UNKNOWN({number})"),
                }
            }
        }
    };
}

numbered! {
    /// What is accessed.
    AclResource {
        /// Whatever: only in filters.
        Any = 1, "ANY";
        /// A topic.
        Topic = 2, "TOPIC";
        /// A group.
        Group = 3, "GROUP";
        /// The cluster, whose name is `kafka-cluster`.
        Cluster = 4, "CLUSTER";
        /// A transactional id.
        TransactionalId = 5, "TRANSACTIONAL_ID";
        /// A delegation token.
        DelegationToken = 6, "DELEGATION_TOKEN";
        /// A user whose tokens are handled.
        User = 7, "USER";
    }
}

numbered! {
    /// How a resource's name is meant.
    AclPattern {
        /// Whatever: only in filters.
        Any = 1, "ANY";
        /// All that concern the resource of that name: only in filters.
        Match = 2, "MATCH";
        /// The name itself, or `*` for all.
        Literal = 3, "LITERAL";
        /// All names that begin so.
        Prefixed = 4, "PREFIXED";
    }
}

numbered! {
    /// What is done.
    AclOperation {
        /// Whatever: only in filters.
        Any = 1, "ANY";
        /// Everything.
        All = 2, "ALL";
        /// Consuming, and being a member of a group.
        Read = 3, "READ";
        /// Producing.
        Write = 4, "WRITE";
        /// Creating.
        Create = 5, "CREATE";
        /// Deleting.
        Delete = 6, "DELETE";
        /// Changing.
        Alter = 7, "ALTER";
        /// Seeing that it is there.
        Describe = 8, "DESCRIBE";
        /// What brokers do among themselves.
        ClusterAction = 9, "CLUSTER_ACTION";
        /// Reading settings.
        DescribeConfigs = 10, "DESCRIBE_CONFIGS";
        /// Changing settings.
        AlterConfigs = 11, "ALTER_CONFIGS";
        /// Producing idempotently.
        IdempotentWrite = 12, "IDEMPOTENT_WRITE";
        /// Creating tokens of a user.
        CreateTokens = 13, "CREATE_TOKENS";
        /// Seeing tokens of a user.
        DescribeTokens = 14, "DESCRIBE_TOKENS";
        /// Committing in two phases.
        TwoPhaseCommit = 15, "TWO_PHASE_COMMIT";
    }
}

numbered! {
    /// Whether it is allowed.
    AclPermission {
        /// Whatever: only in filters.
        Any = 1, "ANY";
        /// It is not, whatever else is.
        Deny = 2, "DENY";
        /// It is.
        Allow = 3, "ALLOW";
    }
}

/// One permission or prohibition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AclBinding {
    /// What is accessed.
    pub resource: AclResource,
    /// The resource's name.
    pub name: String,
    /// How the name is meant.
    pub pattern: AclPattern,
    /// By whom, as `User:alice`.
    pub principal: String,
    /// From where; `*` for everywhere.
    pub host: String,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it is allowed.
    pub permission: AclPermission,
}

impl AclBinding {
    /// Allows an operation on a resource of that very name, from everywhere.
    pub fn allow(
        principal: impl Into<String>,
        operation: AclOperation,
        resource: AclResource,
        name: impl Into<String>,
    ) -> Self {
        Self {
            resource,
            name: name.into(),
            pattern: AclPattern::Literal,
            principal: principal.into(),
            host: "*".to_owned(),
            operation,
            permission: AclPermission::Allow,
        }
    }

    fn to_wire(&self) -> AclCreation {
        AclCreation::default()
            .with_resource_type(self.resource.number())
            .with_resource_name(str_bytes(&self.name))
            .with_resource_pattern_type(self.pattern.number())
            .with_principal(str_bytes(&self.principal))
            .with_host(str_bytes(&self.host))
            .with_operation(self.operation.number())
            .with_permission_type(self.permission.number())
    }
}

impl fmt::Display for AclBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, name, pattern, principal, host, operation, permission } = self;
        write!(f, "ACL {permission} {operation} on {pattern} {resource} {name} to {principal} from {host}")
    }
}

/// Which ACLs are meant; the default is all of them. `None` is any name, principal or host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AclFilter {
    /// What is accessed.
    pub resource: AclResource,
    /// The resource's name.
    pub name: Option<String>,
    /// How the name is meant.
    pub pattern: AclPattern,
    /// By whom.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it is allowed.
    pub permission: AclPermission,
}

impl Default for AclFilter {
    fn default() -> Self {
        Self {
            resource: AclResource::Any,
            name: None,
            pattern: AclPattern::Any,
            principal: None,
            host: None,
            operation: AclOperation::Any,
            permission: AclPermission::Any,
        }
    }
}

impl AclFilter {
    fn to_wire(&self) -> DeleteAclsFilter {
        let text = |text: &Option<String>| text.as_deref().map(str_bytes);
        DeleteAclsFilter::default()
            .with_resource_type_filter(self.resource.number())
            .with_resource_name_filter(text(&self.name))
            .with_pattern_type_filter(self.pattern.number())
            .with_principal_filter(text(&self.principal))
            .with_host_filter(text(&self.host))
            .with_operation(self.operation.number())
            .with_permission_type(self.permission.number())
    }
}

impl fmt::Display for AclFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".to_owned());
        let Self { resource, pattern, operation, permission, .. } = self;
        let (name, principal, host) = (any(&self.name), any(&self.principal), any(&self.host));
        write!(f, "ACLs {permission} {operation} on {pattern} {resource} {name} to {principal} from {host}")
    }
}

impl Admin {
    /// The ACLs that match. [`ErrorCode::SECURITY_DISABLED`] means that the brokers have no authorizer.
    pub async fn describe_acls(&self, filter: &AclFilter) -> Result<Vec<AclBinding>, ClientError> {
        let wire = filter.to_wire();
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(wire.resource_type_filter)
            .with_resource_name_filter(wire.resource_name_filter)
            .with_pattern_type_filter(wire.pattern_type_filter)
            .with_principal_filter(wire.principal_filter)
            .with_host_filter(wire.host_filter)
            .with_operation(wire.operation)
            .with_permission_type(wire.permission_type);
        let attempt = || async {
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_any(request.clone(), 3, timeout).await?;
            let error = |code| refused(DESCRIBE, code, &filter.to_string(), answer.error_message.as_deref());
            ErrorCode(answer.error_code).ok().map_err(error)?;
            Ok(answer)
        };
        let answer = self.retrying(DESCRIBE, attempt).await?;
        let bindings = answer.resources.iter().flat_map(|r| {
            r.acls.iter().map(|acl| AclBinding {
                resource: AclResource::of(r.resource_type),
                name: r.resource_name.as_str().to_owned(),
                pattern: AclPattern::of(r.pattern_type),
                principal: acl.principal.as_str().to_owned(),
                host: acl.host.as_str().to_owned(),
                operation: AclOperation::of(acl.operation),
                permission: AclPermission::of(acl.permission_type),
            })
        });
        Ok(bindings.collect())
    }

    /// Creates ACLs; one that is there already is no error. The brokers learn of them a moment later.
    pub async fn create_acls(
        &self,
        bindings: &[AclBinding],
    ) -> Result<Vec<ItemResult<AclBinding, ()>>, ClientError> {
        let round = |open: Vec<AclBinding>| async move {
            let creations = open.iter().map(AclBinding::to_wire).collect();
            let request = CreateAclsRequest::default().with_creations(creations);
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_controller(request, 3, timeout).await?;
            // The answer names nothing: it has the order of the request.
            let result = |(binding, r): (
                AclBinding,
                kafka_protocol::messages::create_acls_response::AclCreationResult,
            )| {
                let error =
                    |code| refused(CREATE, code, &binding.to_string(), r.error_message.as_deref()).into();
                let result = ErrorCode(r.error_code).ok().map_err(error);
                (binding, result)
            };
            Ok(open.into_iter().zip(answer.results).map(result).collect())
        };
        self.each(CREATE, bindings, round).await
    }

    /// Deletes all ACLs that match one of the filters; gives those that each filter found.
    pub async fn delete_acls(
        &self,
        filters: &[AclFilter],
    ) -> Result<Vec<ItemResult<AclFilter, Vec<ItemResult<AclBinding, ()>>>>, ClientError> {
        let round = |open: Vec<AclFilter>| async move {
            let request =
                DeleteAclsRequest::default().with_filters(open.iter().map(AclFilter::to_wire).collect());
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_controller(request, 3, timeout).await?;
            let mut results = Vec::new();
            for (filter, r) in open.into_iter().zip(answer.filter_results) {
                let error =
                    |code| refused(DELETE, code, &filter.to_string(), r.error_message.as_deref()).into();
                let result = ErrorCode(r.error_code).ok().map_err(error);
                let deleted = || r.matching_acls.iter().map(deleted).collect();
                let result = result.map(|()| deleted());
                results.push((filter, result));
            }
            Ok(results)
        };
        self.each(DELETE, filters, round).await
    }
}

fn deleted(acl: &DeleteAclsMatchingAcl) -> ItemResult<AclBinding, ()> {
    let binding = AclBinding {
        resource: AclResource::of(acl.resource_type),
        name: acl.resource_name.as_str().to_owned(),
        pattern: AclPattern::of(acl.pattern_type),
        principal: acl.principal.as_str().to_owned(),
        host: acl.host.as_str().to_owned(),
        operation: AclOperation::of(acl.operation),
        permission: AclPermission::of(acl.permission_type),
    };
    let error = |code| refused(DELETE, code, &binding.to_string(), acl.error_message.as_deref()).into();
    let result = ErrorCode(acl.error_code).ok().map_err(error);
    (binding, result)
}

fn refused(api: &'static str, code: ErrorCode, what: &str, message: Option<&str>) -> BrokerError {
    let error = BrokerError::new(code, api).about(what).message(message);
    match code {
        ErrorCode::SECURITY_DISABLED => {
            error.hint("set authorizer.class.name of brokers and controllers to use ACLs")
        }
        _ => error,
    }
}
