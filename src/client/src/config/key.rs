//! Typed keys: a [`Definition`] with the Rust type of its values.
//!
//! The constructors and builders are `const`, so that tables of keys are constants: see the modules in
//! `keys`. A key that is built is honoured unless it says otherwise.

use super::definition::{ClientKind, DefaultValue, Definition, Importance, Kind, State, Valid, Variation};
use std::marker::PhantomData;
use std::time::Duration;

/// A key whose values are read as `T`.
pub(crate) struct Key<T> {
    pub(super) definition: Definition,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

/// How values of a type are read. What [`Definition::check`] took can be read.
pub(crate) trait Value {
    /// What reading gives.
    type Read<'a>: Default;

    /// A checked, trimmed text; `None` if it cannot be read after all.
    fn of_text(text: &str) -> Option<Self::Read<'_>>;

    /// `None` if the default is of another type.
    fn of_default<'a>(default: DefaultValue) -> Option<Self::Read<'a>>;
}

/// A text.
pub(crate) enum Text {}

/// Texts with commas between them, each trimmed, duplicates left out.
pub(crate) enum List {}

impl Value for bool {
    type Read<'a> = bool;

    fn of_text(text: &str) -> Option<bool> {
        text.to_ascii_lowercase().parse().ok()
    }

    fn of_default<'a>(default: DefaultValue) -> Option<Self::Read<'a>> {
        match default {
            DefaultValue::Boolean(value) => Some(value),
            _ => None,
        }
    }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Value for $type {
            type Read<'a> = $type;

            fn of_text(text: &str) -> Option<$type> {
                text.parse().ok()
            }

            fn of_default<'a>(default: DefaultValue) -> Option<Self::Read<'a>> {
                match default {
                    DefaultValue::Number(value) => value.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}
number!(i16, i32, i64);

impl Value for f64 {
    type Read<'a> = f64;

    fn of_text(text: &str) -> Option<f64> {
        text.parse().ok()
    }

    fn of_default<'a>(default: DefaultValue) -> Option<Self::Read<'a>> {
        match default {
            DefaultValue::Double(value) => Some(value),
            _ => None,
        }
    }
}

impl Value for Duration {
    type Read<'a> = Duration;

    fn of_text(text: &str) -> Option<Duration> {
        text.parse().ok().map(Duration::from_millis)
    }

    fn of_default<'a>(default: DefaultValue) -> Option<Self::Read<'a>> {
        match default {
            DefaultValue::Number(value) => u64::try_from(value).ok().map(Duration::from_millis),
            _ => None,
        }
    }
}

impl Value for Text {
    type Read<'a> = &'a str;

    fn of_text(text: &str) -> Option<&str> {
        Some(text)
    }

    fn of_default<'a>(default: DefaultValue) -> Option<&'a str> {
        match default {
            DefaultValue::Text(value) => Some(value),
            _ => None,
        }
    }
}

impl Value for List {
    type Read<'a> = Vec<&'a str>;

    fn of_text(text: &str) -> Option<Vec<&str>> {
        let mut items = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        Some(items)
    }

    fn of_default<'a>(default: DefaultValue) -> Option<Vec<&'a str>> {
        match default {
            DefaultValue::Text(value) => Self::of_text(value),
            _ => None,
        }
    }
}

/// Null by default.
impl<T: Value> Value for Option<T> {
    type Read<'a> = Option<T::Read<'a>>;

    fn of_text(text: &str) -> Option<Self::Read<'_>> {
        T::of_text(text).map(Some)
    }

    fn of_default<'a>(default: DefaultValue) -> Option<Self::Read<'a>> {
        match default {
            DefaultValue::Null => Some(None),
            other => T::of_default(other).map(Some),
        }
    }
}

const fn key<T>(name: &'static str, kind: Kind, java_default: DefaultValue) -> Key<T> {
    let definition = Definition {
        name,
        clients: ClientKind::ALL,
        kind,
        java_default,
        own_default: None,
        valid: Valid::Any,
        importance: Importance::Medium,
        doc: "",
        state: State::Honoured,
        variations: &[],
    };
    Key { definition, value: PhantomData }
}

pub(super) const fn boolean(name: &'static str, default: bool) -> Key<bool> {
    key(name, Kind::Boolean, DefaultValue::Boolean(default))
}

pub(super) const fn short(name: &'static str, default: i16) -> Key<i16> {
    key(name, Kind::Short, DefaultValue::Number(default as i64))
}

pub(super) const fn int(name: &'static str, default: i32) -> Key<i32> {
    key(name, Kind::Int, DefaultValue::Number(default as i64))
}

pub(super) const fn long(name: &'static str, default: i64) -> Key<i64> {
    key(name, Kind::Long, DefaultValue::Number(default))
}

pub(super) const fn double(name: &'static str, default: f64) -> Key<f64> {
    key(name, Kind::Double, DefaultValue::Double(default))
}

/// Milliseconds as Kafka's INT; must not be negative, whether or not Kafka checks that.
pub(super) const fn int_ms(name: &'static str, default: i32) -> Key<Duration> {
    key(name, Kind::Int, DefaultValue::Number(default as i64)).at_least(0)
}

/// Milliseconds as Kafka's LONG; must not be negative, whether or not Kafka checks that.
pub(super) const fn long_ms(name: &'static str, default: i64) -> Key<Duration> {
    key(name, Kind::Long, DefaultValue::Number(default)).at_least(0)
}

/// Milliseconds, null by default.
pub(super) const fn optional_int_ms(name: &'static str) -> Key<Option<Duration>> {
    key(name, Kind::Int, DefaultValue::Null).at_least(0)
}

pub(super) const fn text(name: &'static str, default: &'static str) -> Key<Text> {
    key(name, Kind::Text, DefaultValue::Text(default))
}

pub(super) const fn optional_text(name: &'static str) -> Key<Option<Text>> {
    key(name, Kind::Text, DefaultValue::Null)
}

pub(super) const fn list(name: &'static str, default: &'static str) -> Key<List> {
    key(name, Kind::List, DefaultValue::Text(default))
}

pub(super) const fn required_list(name: &'static str) -> Key<List> {
    key(name, Kind::List, DefaultValue::Required)
}

pub(super) const fn class(name: &'static str, default: &'static str) -> Key<Text> {
    key(name, Kind::Class, DefaultValue::Text(default))
}

pub(super) const fn optional_class(name: &'static str) -> Key<Option<Text>> {
    key(name, Kind::Class, DefaultValue::Null)
}

/// A class that Java's clients must be given.
pub(super) const fn required_class(name: &'static str) -> Key<Option<Text>> {
    key(name, Kind::Class, DefaultValue::Required)
}

/// A secret; never shown.
pub(super) const fn password(name: &'static str) -> Key<Option<Text>> {
    key(name, Kind::Password, DefaultValue::Null)
}

impl<T> Key<T> {
    /// The name.
    pub(crate) const fn name(&self) -> &'static str {
        self.definition.name
    }

    /// What it does, in a sentence.
    pub(super) const fn doc(mut self, doc: &'static str) -> Self {
        self.definition.doc = doc;
        self
    }

    pub(super) const fn high(self) -> Self {
        self.importance(Importance::High)
    }

    pub(super) const fn low(self) -> Self {
        self.importance(Importance::Low)
    }

    const fn importance(mut self, importance: Importance) -> Self {
        self.definition.importance = importance;
        self
    }

    pub(super) const fn valid(mut self, valid: Valid) -> Self {
        self.definition.valid = valid;
        self
    }

    pub(super) const fn at_least(self, least: i64) -> Self {
        self.valid(Valid::AtLeast(least))
    }

    pub(super) const fn between(self, least: i64, most: i64) -> Self {
        self.valid(Valid::Between(least, most))
    }

    pub(super) const fn one_of(self, words: &'static [&'static str]) -> Self {
        self.valid(Valid::OneOf(words))
    }

    pub(super) const fn any_case(self, words: &'static [&'static str]) -> Self {
        self.valid(Valid::AnyCase(words))
    }

    /// Honoured within limits.
    pub(super) const fn partly(self, limits: &'static str) -> Self {
        self.state(State::Partly(limits))
    }

    /// Ignored with a warning.
    pub(super) const fn without_effect(self, why: &'static str) -> Self {
        self.state(State::WithoutEffect(why))
    }

    /// Ignored without a word.
    pub(super) const fn not_applicable(self, why: &'static str) -> Self {
        self.state(State::NotApplicable(why))
    }

    /// As [`Key::refused`], but for these values.
    pub(super) const fn refused_but(self, known: &'static [&'static str], why: &'static str) -> Self {
        self.state(State::RefusedBut(known, why))
    }

    /// An error unless it is set to its default. The reason says what to do instead.
    pub(super) const fn refused(self, why: &'static str) -> Self {
        self.state(State::Refused(why))
    }

    const fn state(mut self, state: State) -> Self {
        self.definition.state = state;
        self
    }

    /// Only these clients know it.
    pub(super) const fn clients(mut self, clients: &'static [ClientKind]) -> Self {
        self.definition.clients = clients;
        self
    }

    pub(super) const fn varies(mut self, variations: &'static [Variation]) -> Self {
        self.definition.variations = variations;
        self
    }

    const fn own_default(mut self, default: DefaultValue, why: &'static str) -> Self {
        self.definition.own_default = Some((default, why));
        self
    }
}

impl Key<bool> {
    /// A default other than Java's, with the reason.
    pub(super) const fn ours(self, default: bool, why: &'static str) -> Self {
        self.own_default(DefaultValue::Boolean(default), why)
    }
}

impl Key<i32> {
    /// A default other than Java's, with the reason.
    pub(super) const fn ours(self, default: i32, why: &'static str) -> Self {
        self.own_default(DefaultValue::Number(default as i64), why)
    }
}

impl Key<Duration> {
    /// A default in milliseconds other than Java's, with the reason.
    pub(super) const fn ours(self, default: i64, why: &'static str) -> Self {
        self.own_default(DefaultValue::Number(default), why)
    }
}
