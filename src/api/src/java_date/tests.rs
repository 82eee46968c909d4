use super::*;
use proptest::prelude::*;
use serde_json::Value as Json;

/// What Java 17 does with random patterns; `protocol-tests/generators/JavaFormats.java` records it.
const RECORDED: &str = include_str!("recorded.jsonl");

#[test]
fn dates_are_written_and_read_as_by_java() {
    let mut wrong = Vec::new();
    for line in RECORDED.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let input = &case["input"];
        let number = |json: &Json| json.as_str().map(|text| text.parse::<i64>().unwrap());
        let format = DateFormat::new(input["pattern"].as_str().unwrap());
        let ours = match (format, case["op"].as_str().unwrap()) {
            (Ok(format), "format_date") => {
                serde_json::json!({"text": format.format(number(&input["time"]).unwrap())})
            }
            (Ok(mut format), "parse_date") => {
                format.century_start = number(&input["century_start"]).unwrap();
                let parsed = format.parse(input["text"].as_str().unwrap());
                parsed.map_or(Json::Null, |time| Json::String(time.to_string()))
            }
            (Err(error), "date_pattern") => serde_json::json!({"fails": error}),
            (format, op) => panic!("{op}: {format:?}"),
        };
        if ours != case["output"] {
            wrong.push(format!("{line}: {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn years_of_two_digits_are_near_the_present() {
    // 2026-12-01: the hundred years from 1946-12-01 on.
    let format = DateFormat::at("yy-MM-dd", 1_796_083_200_000).unwrap();
    let parsed = |text| format.format(format.parse(text).unwrap());
    let full = DateFormat::at("yyyy-MM-dd", 0).unwrap();
    let year = |text| full.format(format.parse(text).unwrap());
    assert_eq!(parsed("07-01-02"), "07-01-02");
    assert_eq!(
        ["07-01-02", "45-01-01", "46-01-01", "46-12-02", "47-01-01"].map(year),
        ["2007-01-02", "2045-01-01", "2046-01-01", "1946-12-02", "1947-01-01"]
    );
}

proptest! {
    #[test]
    fn nothing_panics(pattern in "[GyMdHhkKmsSEDFwWaZzXYu' :'-]{0,12}", text in "[ -~]{0,20}", time: i64) {
        if let Ok(format) = DateFormat::new(&pattern) {
            let written = format.format(time);
            format.parse(&written);
            format.parse(&text);
        }
    }
}
