//! Schemas, structs and the projector against what Connect's do.

use super::Verdict;
use crossdock_api::{ConnectError, Schema, SchemaBuilder, SchemaType, Struct, Value, project};
use protocol_tests::golden::{self, Case, Expected};
use serde_json::Value as Json;
use std::sync::Arc;

/// What a call gave.
enum Given {
    Schema(Arc<Schema>),
    PartSchema(Option<Arc<Schema>>),
    Fields(usize),
    Index(Option<usize>),
    Value(Option<Arc<Schema>>, Value),
    Text(String),
    Equal(bool),
    Valid,
}

/// Runs a case; `None` if nothing implements its operation.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    let input = case.input();
    if has_parameter_without_value(&input["calls"]) {
        return Some(Verdict::KnownGap(
            "a parameter of a schema always has a value here; Connect keeps null",
        ));
    }
    let ours = match case.op() {
        "schema_builder" => build(&input["calls"]),
        "schema_equals" => Ok(Given::Equal(golden::schema(&input["a"]) == golden::schema(&input["b"]))),
        "validate_value" => validate(input, None),
        "validate_value_named" => validate(input, Some("fld")),
        "struct_put" | "struct_get" | "struct_typed_get" | "struct_validate" | "struct_to_string" => {
            structure(input)
        }
        "project" => match projected(input) {
            Some(projected) => projected,
            None => return Some(Verdict::KnownGap("a schema that must be there cannot be null in Rust")),
        },
        _ => return None,
    };
    Some(Verdict::of(match (case.expected(), ours) {
        (expected @ Expected::Error { .. }, Err(error)) if expected.is_error(&error) => None,
        (_, Err(error)) => Some(format!("failed with {}: {error}", error.exception().class_name())),
        (Expected::Error { .. }, Ok(_)) => Some("did not fail".to_owned()),
        (Expected::Output(output), Ok(given)) => difference(output, &given),
    }))
}

fn difference(output: &Json, given: &Given) -> Option<String> {
    let (same, ours) = match given {
        Given::Schema(schema) => (
            golden::schema(&output["schema"]).as_ref() == Some(schema)
                && output["to_string"].as_str() == Some(&schema.to_string()),
            format!("{schema:?}"),
        ),
        Given::PartSchema(schema) => (golden::schema(output) == *schema, format!("{schema:?}")),
        Given::Fields(count) => (output["fields"].as_u64() == Some(*count as u64), count.to_string()),
        Given::Index(index) => (output["index"].as_u64() == index.map(|i| i as u64), format!("{index:?}")),
        Given::Value(schema, value) => {
            let expected = golden::value(&output["value"], schema.as_ref());
            (golden::same(&expected, value), format!("{value:?}"))
        }
        Given::Text(text) => (output["text"].as_str() == Some(text), text.clone()),
        Given::Equal(equal) => (output["equal"].as_bool() == Some(*equal), equal.to_string()),
        Given::Valid => (output["valid"].as_bool() == Some(true), "valid".to_owned()),
    };
    (!same).then(|| format!("gave {ours}"))
}

fn build(calls: &Json) -> Result<Given, ConnectError> {
    let mut builder: Option<SchemaBuilder> = None;
    for call in calls.as_array().unwrap() {
        let (method, args) = (call[0].as_str().unwrap(), call);
        let text = |at: usize| args[at].as_str();
        let at = |builder: Option<SchemaBuilder>| builder.unwrap();
        builder = Some(match method {
            "type" => SchemaBuilder::of(text(1).and_then(SchemaType::from_name)),
            "array" => SchemaBuilder::array(golden::schema(&args[1])),
            "map" => SchemaBuilder::map(golden::schema(&args[1]), golden::schema(&args[2])),
            "optional" => at(builder).optional(),
            "required" => at(builder).required(),
            "defaultValue" => at(builder).default_value(golden::value(&args[1], None)),
            "name" => at(builder).name(text(1)),
            "version" => at(builder).version(args[1].as_i64().map(|v| i32::try_from(v).unwrap())),
            "doc" => at(builder).doc(text(1)),
            "parameter" => at(builder).parameter(text(1), text(2).unwrap_or_default()),
            "field" => at(builder).field(text(1), golden::schema(&args[2])),
            "fields" => return Ok(Given::Fields(at(builder).so_far()?.expect_fields()?.len())),
            // A builder that has no such part says null.
            "keySchema" => return Ok(Given::PartSchema(at(builder).so_far()?.key_schema().cloned())),
            "valueSchema" => return Ok(Given::PartSchema(at(builder).so_far()?.value_schema().cloned())),
            "build.fields" => return Ok(Given::Fields(at(builder).build()?.expect_fields()?.len())),
            "build.field" => {
                return Ok(Given::Index(at(builder).build()?.expect_field_index(text(1).unwrap())?));
            }
            "build.keySchema" => {
                return Ok(Given::PartSchema(at(builder).build()?.expect_key_schema()?.cloned()));
            }
            "build.valueSchema" => {
                return Ok(Given::PartSchema(at(builder).build()?.expect_value_schema()?.cloned()));
            }
            other => panic!("unknown call {other}"),
        });
    }
    builder.unwrap().build().map(Given::Schema)
}

fn validate(input: &Json, field: Option<&str>) -> Result<Given, ConnectError> {
    let schema = golden::schema(&input["schema"]).unwrap();
    let value = golden::value(&input["value"], Some(&schema));
    match field {
        None => schema.validate(value.as_ref())?,
        Some(field) => schema.validate_field(field, value.as_ref())?,
    }
    Ok(Given::Valid)
}

fn structure(input: &Json) -> Result<Given, ConnectError> {
    let schema = golden::schema(&input["schema"]).unwrap();
    let mut record = Struct::new(Arc::clone(&schema))?;
    for put in input["puts"].as_array().unwrap() {
        let name = put[0].as_str().unwrap();
        record.put(name, golden::value(&put[1], schema.field_schema(name)))?;
    }
    let name = input["arg"].as_str().unwrap_or_default();
    let of_field = |value: &Value| Given::Value(schema.field_schema(name).cloned(), value.clone());
    Ok(match input["then"].as_str().unwrap() {
        "get" => of_field(record.get(name)?),
        "get_without_default" => of_field(record.get_without_default(name)?),
        "validate" => {
            record.validate()?;
            Given::Value(Some(schema), Value::Struct(Box::new(record)))
        }
        "to_string" => Given::Text(record.to_string()),
        getter => {
            let kind = getter.strip_prefix("get").unwrap().to_lowercase();
            of_field(record.get_of(name, SchemaType::from_name(&kind).unwrap())?)
        }
    })
}

/// `None` if a schema is missing, which cannot be said in Rust.
fn projected(input: &Json) -> Option<Result<Given, ConnectError>> {
    let (source, target) = (golden::schema(&input["source"])?, golden::schema(&input["target"])?);
    let value = golden::value(&input["value"], Some(&source));
    Some(project(&source, value, &target).map(|value| Given::Value(Some(target), value)))
}

fn has_parameter_without_value(calls: &Json) -> bool {
    let mut calls = calls.as_array().into_iter().flatten();
    calls.any(|call| call[0] == "parameter" && call[2].is_null())
}
