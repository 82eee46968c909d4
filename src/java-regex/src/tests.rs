use super::*;
use proptest::prelude::*;

fn replaced(pattern: &str, text: &str, by: &str) -> String {
    match Pattern::new(pattern).unwrap().replace_first(text, &Replacement::new(by)) {
        Ok(text) => text.into_owned(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn the_first_match_is_replaced_even_where_the_whole_text_matches() {
    assert!(Pattern::new("a|aab").unwrap().matches("aab").unwrap());
    assert_eq!(replaced("a|aab", "aab", "x"), "xab");
}

#[test]
fn mistakes_in_replacements_show_only_at_a_match() {
    assert_eq!(replaced("x", "aab", "$9"), "aab");
    assert_eq!(replaced("a", "aab", "$9"), "error: No group 9");
    assert_eq!(replaced("a", "aab", "${n"), "error: named capturing group is missing trailing '}'");
    assert_eq!(replaced("(a)(b)", "ab", "$12\\$"), "a2$");
}

#[test]
fn words_end_at_letters_of_all_scripts_but_consist_of_ascii() {
    assert!(!Pattern::new("a\\bé").unwrap().finds("aé").unwrap());
    assert!(Pattern::new("\\w+").unwrap().matches("ab_1").unwrap());
    assert!(!Pattern::new("\\w+").unwrap().matches("é").unwrap());
    assert!(Pattern::new("(?U)\\w+").unwrap().matches("é").unwrap());
}

#[test]
fn an_error_is_shown_with_its_place() {
    let error = Pattern::new("ab[").unwrap_err();
    assert_eq!(error.to_string(), "Unclosed character class near index 2\nab[\n  ^");
}

#[test]
fn nested_repetitions_and_deep_nesting_end() {
    let text = "a".repeat(300);
    let error = Pattern::new("(a|a|b\\1)*c(?=x)").unwrap().matches(&text).unwrap_err();
    assert!(error.to_string().contains("too many steps"), "{error}");
    for (open, close) in [("(", ")"), ("[", "]"), ("(?:", ")"), ("[a&&", "]")] {
        let deep = open.repeat(10_000) + "a" + &close.repeat(10_000);
        assert!(Pattern::new(&deep).is_err(), "{open}");
    }
    assert!(Pattern::new("((a{1000}){1000}){1000}").is_err());
}

proptest! {
    #[test]
    fn nothing_panics(
        pattern in "([a-c.^$|?*+(){}\\[\\]&\\\\pPdDwWsSbBRXQEkuxNcz0-9<>:=!,-]|\\(\\?|\\[\\^|&&){0,12}",
        text in "\\PC{0,12}",
        by in "([$\\\\{}a-c0-3]){0,6}",
    ) {
        if let Ok(pattern) = Pattern::new(&pattern) {
            let _ = pattern.matches(&text);
            let _ = pattern.replace_first(&text, &Replacement::new(&by));
        }
    }
}
