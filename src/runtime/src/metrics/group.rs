//! Metrics as Java shows them: attributes of MBeans.

/// A metric's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A number; not a number where nothing was measured.
    Number(f64),
    /// A text, such as a state or a class.
    Text(String),
}

/// The metrics of one thing: an MBean of Connect with its attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricGroup {
    /// Domain of the MBean, such as `kafka.connect`.
    pub domain: &'static str,
    /// Its `type`, such as `source-task-metrics`.
    pub kind: &'static str,
    /// What it is of, in the order of the MBean's name: `connector`, `task`.
    pub tags: Vec<(&'static str, String)>,
    /// Attributes with their values.
    pub attributes: Vec<(&'static str, Reading)>,
}

impl MetricGroup {
    /// A group of a worker without attributes.
    pub(super) fn connect(kind: &'static str, tags: &[(&'static str, &str)]) -> Self {
        let tags = tags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { domain: "kafka.connect", kind, tags, attributes: Vec::new() }
    }

    /// The same with numbers.
    pub(super) fn numbers<const N: usize>(mut self, numbers: [(&'static str, f64); N]) -> Self {
        self.attributes.extend(numbers.map(|(name, value)| (name, Reading::Number(value))));
        self
    }

    /// The same with texts.
    pub(super) fn texts<const N: usize>(mut self, texts: [(&'static str, &str); N]) -> Self {
        self.attributes.extend(texts.map(|(name, value)| (name, Reading::Text(value.to_owned()))));
        self
    }
}
