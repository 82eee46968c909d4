//! The transforms of this crate.

use crate::cast::Cast;
use crate::debezium::by_logical_table_router::ByLogicalTableRouter;
use crate::debezium::extract_new_record_state::ExtractNewRecordState;
use crate::definition::{Configured, Transformation};
use crate::drop_headers::DropHeaders;
use crate::extract_field::ExtractField;
use crate::filter::Filter;
use crate::flatten::Flatten;
use crate::header_from::HeaderFrom;
use crate::hoist_field::HoistField;
use crate::insert_field::InsertField;
use crate::insert_header::InsertHeader;
use crate::mask_field::MaskField;
use crate::predicates;
use crate::regex_router::RegexRouter;
use crate::replace_field::ReplaceField;
use crate::set_schema_metadata::SetSchemaMetadata;
use crate::timestamp_converter::TimestampConverter;
use crate::timestamp_router::TimestampRouter;
use crate::value_to_key::ValueToKey;
use crossdock_api::registry::{Factory, Plugin};
use crossdock_api::{CONNECT_VERSION, Column, ConfigDef, Plugins, Transform};
use std::sync::Arc;

/// A transform as it is registered and documented.
pub(crate) struct Entry {
    /// Full class name, without `$Key` or `$Value`.
    pub(crate) class: String,
    /// Whether it stands for two classes, one for keys and one for values.
    pub(crate) has_sides: bool,
    /// What it does.
    pub(crate) overview: &'static str,
    /// Its keys.
    pub(crate) keys: fn() -> ConfigDef,
    make: fn(Column) -> Box<dyn Transform>,
}

impl Entry {
    fn new<T: Transformation>(has_sides: bool) -> Self {
        Self {
            class: format!("{}.{}", T::PACKAGE, T::NAME),
            has_sides,
            overview: T::OVERVIEW,
            keys: T::keys,
            make: |column| Box::new(Configured::<T>::new(column)),
        }
    }

    /// A transform of keys or values: `…$Key` and `…$Value`.
    fn of_key_or_value<T: Transformation>() -> Self {
        Self::new::<T>(true)
    }

    /// A transform of whole records.
    fn of_record<T: Transformation>() -> Self {
        Self::new::<T>(false)
    }

    fn plugins(&self) -> Vec<Plugin> {
        let plugin = |class: String, column: Column| {
            let make = self.make;
            Plugin::new(&class, CONNECT_VERSION, Factory::Transform(Arc::new(move || make(column))))
        };
        if !self.has_sides {
            return vec![plugin(self.class.clone(), Column::Value)];
        }
        let side = |name: &str, column| plugin(format!("{}${name}", self.class), column);
        vec![side("Key", Column::Key), side("Value", Column::Value)]
    }
}

/// All transforms, by name.
pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::of_key_or_value::<Cast>(),
        Entry::of_record::<DropHeaders>(),
        Entry::of_key_or_value::<ExtractField>(),
        Entry::of_record::<Filter>(),
        Entry::of_key_or_value::<Flatten>(),
        Entry::of_key_or_value::<HeaderFrom>(),
        Entry::of_key_or_value::<HoistField>(),
        Entry::of_key_or_value::<InsertField>(),
        Entry::of_record::<InsertHeader>(),
        Entry::of_key_or_value::<MaskField>(),
        Entry::of_record::<RegexRouter>(),
        Entry::of_key_or_value::<ReplaceField>(),
        Entry::of_key_or_value::<SetSchemaMetadata>(),
        Entry::of_key_or_value::<TimestampConverter>(),
        Entry::of_record::<TimestampRouter>(),
        Entry::of_record::<ValueToKey>(),
        Entry::of_record::<ByLogicalTableRouter>(),
        Entry::of_record::<ExtractNewRecordState>(),
    ]
}

/// Registers every transform and predicate of this crate under the class name that Connect knows it by.
pub fn register(plugins: &mut Plugins) {
    let transforms = entries().iter().flat_map(Entry::plugins).collect::<Vec<_>>();
    transforms.into_iter().chain(predicates::plugins()).for_each(|plugin| plugins.register(plugin));
}
