//! The features of a cluster (KIP-584): levels such as `metadata.version` that brokers agree on.

use super::Admin;
use crate::error::{BrokerError, ClientError, ErrorCode};
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

const API: &str = "ApiVersions";

/// Levels of features.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Lowest and highest level in use, which all brokers keep to.
    pub finalized: BTreeMap<String, (i16, i16)>,
    /// Which change of the levels in use this is; `None` if the broker does not know.
    pub epoch: Option<i64>,
    /// Lowest and highest level that the broker which was asked can do.
    pub supported: BTreeMap<String, (i16, i16)>,
}

impl Admin {
    /// The levels of features that are in use, and those that one broker can do. Empty from brokers older
    /// than 2.4.
    pub async fn describe_features(&self) -> Result<Features, ClientError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("crossdock"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let attempt = || async {
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_any(request.clone(), 4, timeout).await?;
            ErrorCode(answer.error_code).ok().map_err(|code| BrokerError::new(code, API))?;
            Ok(answer)
        };
        let answer = self.retrying("describing features", attempt).await?;
        let supported = answer.supported_features.iter();
        let supported = supported.map(|f| (f.name.as_str().to_owned(), (f.min_version, f.max_version)));
        let finalized = answer.finalized_features.iter();
        let finalized =
            finalized.map(|f| (f.name.as_str().to_owned(), (f.min_version_level, f.max_version_level)));
        Ok(Features {
            supported: supported.collect(),
            finalized: finalized.collect(),
            epoch: Some(answer.finalized_features_epoch).filter(|epoch| *epoch >= 0),
        })
    }
}
