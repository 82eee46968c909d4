//! Conversions between types against what `Values` does.

use super::Verdict;
use crossdock_api::values::{Values, infer_schema};
use crossdock_api::{Strictness, Value};
use protocol_tests::golden::{self, Case, Expected};

/// Runs a conversion, or the inference of a schema; `None` for other operations.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    let schema = golden::schema(&case.input()["schema"]);
    let value = golden::value(&case.input()["value"], schema.as_ref());
    if case.op() == "infer_schema" {
        return Some(Verdict::of(match (case.expected(), infer_schema(value.as_ref())) {
            (expected, Err(error)) => {
                (!expected.is_error(&error)).then(|| format!("failed with {:?}: {error}", error.exception()))
            }
            (Expected::Output(output), Ok(ours)) => {
                (golden::schema(&output["schema"]) != ours).then(|| format!("gave {ours:?}"))
            }
            (Expected::Error { .. }, Ok(ours)) => Some(format!("gave {ours:?}")),
        }));
    }
    let values = Values::new(Strictness::AsConnect);
    let (schema, value) = (schema.as_deref(), value.as_ref());
    let ours = match case.op().strip_prefix("convert_to_")? {
        "boolean" => values.to_boolean(schema, value),
        "byte" => values.to_int8(schema, value),
        "short" => values.to_int16(schema, value),
        "integer" => values.to_int32(schema, value),
        "long" => values.to_int64(schema, value),
        "float" => values.to_float32(schema, value),
        "double" => values.to_float64(schema, value),
        "string" => Ok(values.to_string(value)),
        "list" => values.to_list(value),
        "map" => values.to_map(value),
        "struct" => values.to_struct(value),
        "date" => values.to_date(schema, value),
        "time" => values.to_time(schema, value),
        "timestamp" => values.to_timestamp(schema, value),
        "decimal" => values.to_decimal(value, i32::try_from(case.member("scale").as_i64()?).ok()?),
        _ => return None,
    };
    Some(Verdict::of(match (case.expected(), ours) {
        (expected, Err(error)) => {
            (!expected.is_error(&error)).then(|| format!("failed with {:?}: {error}", error.exception()))
        }
        (Expected::Output(output), Ok(ours)) => {
            let expected =
                golden::value(&output["value"], golden::schema(&output["value"]["schema"]).as_ref());
            let masked = case.member("masked").as_bool() == Some(true);
            (!masked && !golden::same(&expected, &ours)).then(|| format!("gave {}", shown(&ours)))
        }
        (Expected::Error { .. }, Ok(ours)) => Some(format!("gave {}", shown(&ours))),
    }))
}

fn shown(value: &Value) -> String {
    format!("{value:?}")
}
