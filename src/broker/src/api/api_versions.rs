//! ApiVersions: what the broker serves.

use super::{Answer, Api, Call, served};
use crate::config::Config;
use crossdock_wire::shape::{Field, TEXT};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use std::ops::RangeInclusive;

pub(crate) struct ApiVersions;

impl Api for ApiVersions {
    type Request = ApiVersionsRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const SHAPE: &'static [Field] = &[TEXT.since(3), TEXT.since(3)];

    async fn handle(call: &Call, _: ApiVersionsRequest) -> Answer<ApiVersionsResponse> {
        ApiVersionsResponse::default()
            .with_api_keys(served(&call.shared.config).map(version).collect())
            .into()
    }

    fn refuse(_: &Call, _: ApiVersionsRequest, error: ResponseError) -> ApiVersionsResponse {
        ApiVersionsResponse::default().with_error_code(error.code())
    }
}

/// The body of the answer to a version that is not known.
pub(super) fn unsupported(config: &Config) -> ApiVersionsResponse {
    let this = served(config).filter(|(key, ..)| *key == ApiKey::ApiVersions);
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(this.map(version).collect())
}

fn version((key, min, max): (ApiKey, i16, i16)) -> ApiVersion {
    ApiVersion::default().with_api_key(key as i16).with_min_version(min).with_max_version(max)
}
