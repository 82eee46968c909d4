//! `GET /openapi.json`: the API as OpenAPI 3.1 describes it. Connect has such a document on its web site only.
//!
//! `openapi.json` is kept by hand; tests see that it has each route and method that there is and nothing else, and
//! that the answers of a real worker and our own are as it says (`tests/openapi.rs`).

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::negotiate::{Consumes, resource};
use crate::server::App;

const DOCUMENT: &str = include_str!("openapi.json");

pub(crate) fn routes() -> Router<App> {
    let document = get(|| async { ([(CONTENT_TYPE, "application/json")], DOCUMENT) });
    Router::new().route("/openapi.json", resource(document, Consumes::Anything, "HEAD, GET, OPTIONS"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::all_routes;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// The paths of the router, which only shows them to people.
    fn paths() -> BTreeSet<String> {
        let shown = format!("{:?}", all_routes());
        let ids = shown.split("RouteId(").skip(1);
        let paths = ids.filter_map(|rest| rest.split_once("): \"")?.1.split('"').next());
        let own = paths.filter(|path| path.starts_with('/') && !path.contains("__private"));
        own.map(str::to_owned).collect()
    }

    #[test]
    fn the_document_has_each_path_that_there_is() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let documented: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(documented, paths());
        assert!(documented.contains("/connectors/{name}"));
    }
}
