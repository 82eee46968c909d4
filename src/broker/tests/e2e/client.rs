//! A client that sends one request and reads one reply, and shorthands for the common ones.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossdock_broker::{ApiKey, Broker};
use crossdock_wire::{BatchBuilder, Batches, ProducerStamp};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, ProduceRequest,
    RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Version of the requests that name topics (later ones use ids).
pub(crate) const PRODUCE_VERSION: i16 = 9;
pub(crate) const FETCH_VERSION: i16 = 12;

pub(crate) struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) async fn start() -> (Broker, Client) {
    let broker = Broker::builder().start().await.unwrap();
    let client = Client::connect(&broker).await;
    (broker, client)
}

/// A client whose fetch from the end of partition 0 has come to the broker.
pub(crate) async fn waiting_fetch(broker: &Broker, topic: &str) -> Client {
    let mut client = Client::connect(broker).await;
    let request = fetch_request(topic, 0).with_max_wait_ms(60_000).with_min_bytes(1);
    client.send(FETCH_VERSION, &request).await.unwrap();
    broker.faults().wait_for_requests(ApiKey::Fetch, 1).await;
    client
}

impl Client {
    pub(crate) async fn connect(broker: &Broker) -> Self {
        Self { stream: TcpStream::connect(broker.addr()).await.unwrap(), correlation_id: 0 }
    }

    /// Sends a request and reads its reply; an error if the connection ends.
    pub(crate) async fn try_call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        self.send(version, request).await?;
        let (correlation_id, reply) = self.receive::<R>(version).await?;
        assert_eq!(correlation_id, self.correlation_id);
        Ok(reply)
    }

    pub(crate) async fn call<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        self.try_call(version, &request).await.unwrap()
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(text("e2e")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, R::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        self.send_frame(&frame).await
    }

    pub(crate) async fn send_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        bytes.put_i32(frame.len() as i32);
        bytes.put_slice(frame);
        self.stream.write_all(&bytes).await
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> io::Result<(i32, R::Response)> {
        let mut frame = self.receive_frame().await?;
        let correlation_id = frame.get_i32();
        if R::Response::header_version(version) >= 1 {
            assert_eq!(frame.get_u8(), 0, "no tagged fields in the header");
        }
        let reply = R::Response::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "{} bytes follow the reply", frame.len());
        Ok((correlation_id, reply))
    }

    pub(crate) async fn receive_frame(&mut self) -> io::Result<Bytes> {
        let len = self.stream.read_i32().await?;
        let mut frame = vec![0; usize::try_from(len).unwrap()];
        self.stream.read_exact(&mut frame).await?;
        Ok(frame.into())
    }

    /// The bytes until the broker closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is as good as an end.
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }

    pub(crate) async fn create(&mut self, name: &str, partitions: i32) {
        let wanted = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let reply = self.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await;
        assert_eq!(reply.topics[0].error_code, 0);
    }

    pub(crate) async fn produce(&mut self, name: &str, records: Bytes) -> PartitionProduceResponse {
        let mut reply = self.call(PRODUCE_VERSION, produce_request(name, 0, records, -1)).await;
        reply.responses.remove(0).partition_responses.remove(0)
    }

    pub(crate) async fn fetch(&mut self, name: &str, offset: i64) -> PartitionData {
        let mut reply = self.call(FETCH_VERSION, fetch_request(name, offset)).await;
        reply.responses.remove(0).partitions.remove(0)
    }

    /// All values of partition 0.
    pub(crate) async fn values(&mut self, name: &str) -> Vec<String> {
        values_of(&self.fetch(name, 0).await)
    }

    /// Offset and timestamp that ListOffsets gives for a timestamp.
    pub(crate) async fn list_offset(&mut self, name: &str, timestamp: i64) -> (i64, i64) {
        let partition =
            ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
        let wanted = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
        let reply = self.call(7, ListOffsetsRequest::default().with_topics(vec![wanted])).await;
        let found = &reply.topics[0].partitions[0];
        assert_eq!(found.error_code, 0);
        (found.offset, found.timestamp)
    }

    pub(crate) async fn producer_id(&mut self) -> i64 {
        let reply = self.call(4, InitProducerIdRequest::default().with_transactional_id(None)).await;
        assert_eq!((reply.error_code, reply.producer_epoch), (0, 0));
        *reply.producer_id
    }
}

pub(crate) fn produce_request(name: &str, partition: i32, records: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(vec![data])
}

/// A fetch of partition 0 that does not wait.
pub(crate) fn fetch_request(name: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    FetchRequest::default().with_max_bytes(50 << 20).with_session_epoch(-1).with_topics(vec![wanted])
}

pub(crate) fn values_of(data: &PartitionData) -> Vec<String> {
    assert_eq!(data.error_code, 0);
    let mut values = Vec::new();
    for batch in Batches::new(data.records.clone().unwrap()) {
        let batch = batch.unwrap();
        batch.check_crc().unwrap();
        for record in batch.records().unwrap() {
            values.push(String::from_utf8_lossy(record.unwrap().value.unwrap()).into_owned());
        }
    }
    values
}

pub(crate) fn batch(values: &[&str]) -> Bytes {
    batch_of(values, 1_000, ProducerStamp::NONE)
}

pub(crate) fn batch_of(values: &[&str], timestamp: i64, stamp: ProducerStamp) -> Bytes {
    let mut builder = BatchBuilder::with_capacity(0);
    for value in values {
        assert!(builder.append(timestamp, Some(b"k"), Some(value.as_bytes()), std::iter::empty()));
    }
    builder.finish(stamp, false)
}
