//! Versions of the APIs that a broker speaks.

use kafka_protocol::messages::ApiVersionsResponse;

/// Ranges of versions by API key, as the broker told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiVersions {
    /// Key, lowest and highest version; ordered by key.
    ranges: Vec<(i16, i16, i16)>,
    transaction_version: i16,
}

impl ApiVersions {
    pub(crate) fn new(answer: &ApiVersionsResponse) -> Self {
        let mut ranges: Vec<_> =
            answer.api_keys.iter().map(|a| (a.api_key, a.min_version, a.max_version)).collect();
        ranges.sort_unstable();
        let feature = |name: &str| {
            let found = answer.finalized_features.iter().find(|f| f.name.as_str() == name);
            found.map_or(0, |f| f.max_version_level)
        };
        // An epoch of -1 says that the broker does not know the features yet (KIP-584).
        let known = answer.finalized_features_epoch >= 0;
        Self { ranges, transaction_version: if known { feature("transaction.version") } else { 0 } }
    }

    /// Level of the feature `transaction.version` that the cluster has finalized; 0 if it has none.
    pub fn transaction_version(&self) -> i16 {
        self.transaction_version
    }

    /// Lowest and highest version of the API; `None` if the broker does not have it.
    pub fn range(&self, api_key: i16) -> Option<(i16, i16)> {
        let at = self.ranges.binary_search_by_key(&api_key, |r| r.0).ok()?;
        self.ranges.get(at).map(|r| (r.1, r.2))
    }

    /// The highest version that the broker speaks, at least `min` and at most `max`.
    pub fn choose(&self, api_key: i16, min: i16, max: i16) -> Option<i16> {
        let (low, high) = self.range(api_key)?;
        let version = high.min(max);
        (version >= low.max(min)).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn the_highest_common_version_is_chosen() {
        let api = |key, min, max| {
            ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max)
        };
        let answer = ApiVersionsResponse::default().with_api_keys(vec![api(3, 0, 12), api(0, 3, 9)]);
        let versions = ApiVersions::new(&answer);
        assert_eq!(versions.choose(0, 3, 12), Some(9));
        assert_eq!(versions.choose(3, 1, 10), Some(10));
        assert_eq!(versions.choose(0, 10, 12), None);
        assert_eq!(versions.choose(0, 0, 2), None);
        assert_eq!(versions.choose(7, 0, 2), None);
    }

    #[test]
    fn features_count_once_the_broker_knows_them() {
        let feature = FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str("transaction.version"))
            .with_max_version_level(2);
        let answer = ApiVersionsResponse::default().with_finalized_features(vec![feature]);
        assert_eq!(
            ApiVersions::new(&answer.clone().with_finalized_features_epoch(7)).transaction_version(),
            2
        );
        assert_eq!(ApiVersions::new(&answer.with_finalized_features_epoch(-1)).transaction_version(), 0);
        assert_eq!(ApiVersions::new(&ApiVersionsResponse::default()).transaction_version(), 0);
    }
}
