//! OpenAPI document of the gateway.

use crate::http::openapi::{OpenApiDocument, Routes, document_of, endpoint};
use crate::http::refusals::Problem;
use axum::Json;
use serde_json::Value;
use std::sync::LazyLock;

/// Document of every route, which depends on the code alone.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document_of(&crate::http::described()));

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/openapi.json", show, endpoint("openapi", "Returns this document"))
}

/// The OpenAPI document of every route of a gateway.
pub fn document() -> &'static Value {
    &DOCUMENT
}

async fn show() -> Result<Json<OpenApiDocument>, Problem> {
    Ok(Json(OpenApiDocument(document())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// Document with a line for each operation and schema, so that branches merge line by line.
    fn formatted_by_line(document: &Value) -> String {
        let mut text = String::from("{\n");
        let object = |value: &Value| value.as_object().unwrap().clone();
        let write_object =
            |text: &mut String, indent: &str, name: &str, value: &Value, end: &str| {
                writeln!(text, "{indent}{name:?}: {{").unwrap();
                let entries: Vec<_> =
                    object(value).iter().map(|(k, v)| format!("{indent}  {k:?}: {v}")).collect();
                writeln!(text, "{}\n{indent}}}{end}", entries.join(",\n")).unwrap();
            };
        for name in ["openapi", "info"] {
            writeln!(text, "  {name:?}: {},", document[name]).unwrap();
        }
        text.push_str("  \"paths\": {\n");
        let paths = object(&document["paths"]);
        for (index, (path, operations)) in paths.iter().enumerate() {
            let end = if index + 1 == paths.len() { "" } else { "," };
            write_object(&mut text, "    ", path, operations, end);
        }
        text.push_str("  },\n  \"components\": {\n");
        let components = &document["components"];
        write_object(&mut text, "    ", "securitySchemes", &components["securitySchemes"], ",");
        write_object(&mut text, "    ", "schemas", &components["schemas"], "");
        text.push_str("  }\n}\n");
        text
    }

    /// Operations that need neither key nor session. A handler that takes no access rule is public,
    /// so every one of them is meant to be.
    const PUBLIC: &str = "become_first_manager begin_login come_back coming confirm_login door_jpg door_png door_svg give_up \
        hear held_ticket held_ticket_events let_pass login_code login_discovery \
        login_events login_keys login_metadata login_token open_scan_session openapi qr \
        redeem_login request_pairing scan_session_events scan_session_jpg \
        scan_session_png scan_session_svg site site_events sites take_at_page take_slip \
        tell_me this_kiosk verify";

    #[test]
    fn no_operation_is_public_by_oversight() {
        let methods = document()["paths"].as_object().unwrap().values();
        let operations = methods.flat_map(|methods| methods.as_object().unwrap().values());
        let public = operations.filter(|operation| operation.get("x-roles").is_none());
        let mut public: Vec<_> =
            public.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        public.sort_unstable();
        assert_eq!(public.join(" "), PUBLIC);
    }

    #[test]
    fn the_written_document_is_that_of_the_routes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");
        let now = formatted_by_line(document());
        assert_eq!(serde_json::from_str::<Value>(&now).unwrap(), *document());
        if std::env::var_os("PAIHAO_WRITE").is_some() {
            std::fs::write(path, now).unwrap();
            return;
        }
        let before = std::fs::read_to_string(path).unwrap();
        assert!(
            before == now,
            "docs/reference/openapi.json is of other routes: PAIHAO_WRITE=1 writes it"
        );
    }
}
