//! DescribeCluster: one broker, which is the controller too.

use super::{Answer, Api, Call, text};
use crate::config::NODE_ID;
use crossdock_wire::shape::{BOOL, Field, INT8};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use std::ops::RangeInclusive;

/// The only kind of endpoint that is served (KIP-919).
const BROKERS: i8 = 1;

pub(crate) struct DescribeCluster;

impl Api for DescribeCluster {
    type Request = DescribeClusterRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const SHAPE: &'static [Field] = &[BOOL, INT8.since(1), BOOL.since(2)];

    async fn handle(call: &Call, request: DescribeClusterRequest) -> Answer<DescribeClusterResponse> {
        if request.endpoint_type != BROKERS {
            return Self::refuse(call, request, ResponseError::MismatchedEndpointType).into();
        }
        let broker = DescribeClusterBroker::default()
            .with_broker_id(BrokerId(NODE_ID))
            .with_host(text(&call.host))
            .with_port(call.port);
        DescribeClusterResponse::default()
            .with_cluster_id(text(&call.shared.cluster_id))
            .with_controller_id(BrokerId(NODE_ID))
            .with_brokers(vec![broker])
            .into()
    }

    fn refuse(_: &Call, _: DescribeClusterRequest, error: ResponseError) -> DescribeClusterResponse {
        DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(text(error.to_string())))
    }
}
