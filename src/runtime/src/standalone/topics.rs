//! The topics that connectors use (KIP-558).

use super::StandaloneHerder;
use crate::herder::HerderError;

impl StandaloneHerder {
    /// As in Connect, a connector that is not there uses none.
    pub(super) fn active_topics(&self, connector: &str) -> Result<Vec<String>, HerderError> {
        self.tracks()?;
        Ok(self.worker.board.active_topics(connector).map(|topics| topics.names()).unwrap_or_default())
    }

    pub(super) fn reset_active_topics(&self, connector: &str) -> Result<(), HerderError> {
        self.tracks()?;
        if !self.worker.config.topic_tracking_reset() {
            return Err(HerderError::Forbidden("Topic tracking reset is disabled.".to_owned()));
        }
        if let Some(topics) = self.worker.board.active_topics(connector) {
            topics.reset();
        }
        Ok(())
    }

    fn tracks(&self) -> Result<(), HerderError> {
        match self.worker.config.topic_tracking() {
            true => Ok(()),
            false => Err(HerderError::Forbidden("Topic tracking is disabled.".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorkerConfig;
    use crate::active_topics::TopicNotes;
    use crate::herder::ConnectorKind;
    use crossdock_api::{ConfigMap, Plugins};
    use std::sync::Arc;

    fn herder(extra: &[(&str, &str)]) -> Arc<StandaloneHerder> {
        let base = [("key.converter", "Json"), ("value.converter", "Json")];
        let config = base.iter().chain(extra).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let mut plugins = Plugins::new();
        crossdock_converters::register(&mut plugins);
        let herder =
            StandaloneHerder::start(WorkerConfig::parse(&config).unwrap(), plugins, "w:1".to_owned());
        let herder = herder.unwrap();
        herder.worker.board.put("c", ConfigMap::new(), ConnectorKind::Source, "1");
        herder
    }

    #[tokio::test]
    async fn topics_are_shown_until_they_are_reset() {
        let herder = herder(&[]);
        let topics = herder.worker.board.active_topics("c").unwrap();
        TopicNotes::default().note(&topics, "t");
        assert_eq!(herder.active_topics("c").unwrap(), ["t"]);
        herder.reset_active_topics("c").unwrap();
        assert_eq!(herder.active_topics("c").unwrap(), [""; 0]);
        assert_eq!(herder.active_topics("none").unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn the_worker_may_forbid_it() {
        let off = herder(&[("topic.tracking.enable", "false")]);
        let refused = HerderError::Forbidden("Topic tracking is disabled.".to_owned());
        assert_eq!(off.active_topics("c").unwrap_err(), refused);
        assert_eq!(off.reset_active_topics("c").unwrap_err(), refused);
        let kept = herder(&[("topic.tracking.allow.reset", "false")]);
        assert!(kept.active_topics("c").is_ok());
        let refused = HerderError::Forbidden("Topic tracking reset is disabled.".to_owned());
        assert_eq!(kept.reset_active_topics("c").unwrap_err(), refused);
    }
}
