//! Client that calls the operations of the OpenAPI document and checks every answer against it.

use super::fixture::key_of;
use jsonschema::Validator;
use reqwest::{Client, Method, Response};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Answers received so far, by operation: a refusal's code, or the status.
pub type Coverage = Arc<parking_lot::Mutex<BTreeSet<(String, String)>>>;

/// The document as clients read it. Its schemas forbid fields that they do not name.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = paihao_gateway::http::api::document().clone();
    for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        let is_closed =
            schema.get("properties").is_some() && schema.get("additionalProperties").is_none();
        if is_closed {
            schema["unevaluatedProperties"] = false.into();
        }
    }
    document
});

/// Operation of the document.
pub struct Operation {
    pub id: String,
    pub method: String,
    pub path: String,
    pub spec: Value,
}

impl Operation {
    /// Roles that may call the operation; `None` if it needs no key.
    pub fn roles(&self) -> Option<Vec<&str>> {
        Some(self.spec["x-roles"].as_array()?.iter().map(|role| role.as_str().unwrap()).collect())
    }

    /// Scope that a program's key needs.
    pub fn scope(&self) -> &str {
        self.spec["x-scope"].as_str().unwrap_or_default()
    }

    /// True if it takes an `Idempotency-Key`.
    pub fn takes_idempotency_key(&self) -> bool {
        self.parameters().any(|parameter| parameter["name"] == "Idempotency-Key")
    }

    /// True if it is for the holder of a ticket's link.
    pub fn is_for_ticket_holder(&self) -> bool {
        self.path.starts_with("/api/v1/tickets/")
    }

    /// True if it belongs to the settings.
    pub fn is_for_settings(&self) -> bool {
        let is_of_accounts = ["/api/v1/accounts", "/api/v1/accounts/{account}"];
        self.path.starts_with("/api/v1/book") || is_of_accounts.contains(&&*self.path)
    }

    /// Holder of a key that may call the operation: a manager of the hall, or the owner, who has
    /// every site.
    pub fn permitted_holder(&self) -> &'static str {
        if self.path.starts_with("/api/v1/signing-keys") {
            return "owner";
        }
        let is_of_account = self.path.starts_with("/api/v1/accounts/");
        let is_of_all =
            (self.is_for_settings() || is_of_account) && self.codes().contains("not_every_site");
        if is_of_all && self.id != "put_site" { "owner" } else { "manager" }
    }

    /// True if it creates the resource that this path parameter names.
    pub fn creates(&self, parameter: &str) -> bool {
        self.method == "PUT" && self.path.ends_with(&format!("{{{parameter}}}"))
    }

    /// True if it is public, but only for pages of this server.
    pub fn is_same_origin_only(&self) -> bool {
        self.roles().is_none() && self.codes().contains("cross_site")
    }

    /// True if it changes something.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// True if it answers with a stream of events.
    pub fn is_stream(&self) -> bool {
        !self.spec["responses"]["200"]["content"]["text/event-stream"].is_null()
    }

    /// True if its body is JSON.
    pub fn takes_json(&self) -> bool {
        self.spec["requestBody"]["content"].get("application/json").is_some()
    }

    /// True if its path has this parameter.
    pub fn has_path_parameter(&self, parameter: &str) -> bool {
        self.path.contains(&format!("{{{parameter}}}"))
    }

    pub fn parameters(&self) -> impl Iterator<Item = &Value> {
        self.spec["parameters"].as_array().into_iter().flatten()
    }

    /// Refusal codes that it names.
    pub fn codes(&self) -> BTreeSet<String> {
        let responses = self.spec["responses"].as_object().unwrap().values();
        let schemas = responses.filter_map(|response| {
            response["content"].get("application/problem+json")?["schema"]["allOf"].as_array()
        });
        let codes =
            schemas.flat_map(|all| all[1]["properties"]["code"]["enum"].as_array().unwrap());
        codes.map(|code| code.as_str().unwrap().to_owned()).collect()
    }

    /// Statuses of success that it names.
    pub fn statuses(&self) -> BTreeSet<String> {
        let responses = self.spec["responses"].as_object().unwrap().keys();
        responses.filter(|status| status.starts_with('2')).cloned().collect()
    }
}

/// All operations by their ids.
pub static OPERATIONS: LazyLock<BTreeMap<String, Operation>> = LazyLock::new(|| {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, value)| {
            let id = value["operationId"].as_str().unwrap().to_owned();
            let operation = Operation {
                id: id.clone(),
                method: method.to_uppercase(),
                path: path.clone(),
                spec: value.clone(),
            };
            (id, operation)
        })
    });
    operations.collect()
});

/// Client of a gateway.
pub struct ApiClient {
    pub url: String,
    pub http: Client,
    coverage: Coverage,
}

/// Answer that has been checked against the document.
#[derive(Debug)]
pub struct ApiResponse {
    pub status: u16,
    /// Body, if it is JSON; of a stream, the first event with its data.
    pub body: Value,
    /// Value of the `ETag` header.
    pub etag: Option<String>,
}

impl ApiResponse {
    /// Code of the refusal, or `ok`.
    pub fn problem_code(&self) -> &str {
        self.body["code"].as_str().filter(|_| self.status >= 400).unwrap_or("ok")
    }
}

/// Request under construction.
pub struct ApiRequest<'a> {
    client: &'a ApiClient,
    operation: &'static Operation,
    path_parameters: BTreeMap<String, String>,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl ApiClient {
    #[expect(clippy::disallowed_methods, reason = "plays a system outside")]
    pub fn new(url: String, coverage: &Coverage) -> ApiClient {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        ApiClient { url, http, coverage: coverage.clone() }
    }

    /// Logs in with a holder's key and returns the cookie.
    pub async fn log_in(&self, holder: &str) -> String {
        let request = self.http.post(format!("{}/api/v1/me/sessions", self.url));
        let response = request.bearer_auth(key_of(holder)).send().await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Starts a request to an operation, with parameters that name existing resources.
    pub fn request(&self, id: &str) -> ApiRequest<'_> {
        let operation = OPERATIONS.get(id).unwrap_or_else(|| panic!("no operation {id}"));
        let path_parameters = [
            ("account", "shop"),
            ("colour", "0b6b52"),
            ("counter", "1"),
            ("id", "crm"),
            ("key", "k_none"),
            ("kind", "called"),
            ("kiosk", "kiosk_none"),
            ("letter", "0"),
            ("member", "m_ann"),
            ("scene", "q_hall_a"),
            ("session", "current"),
            ("number", "A001"),
            ("queue", "a"),
            ("site", "hall"),
            ("uuid", "0b2f6c9e-7d1a-4e0e-9a5f-0a1b2c3d4e5f"),
        ];
        let path_parameters = path_parameters
            .map(|(parameter, value)| (parameter.to_owned(), value.to_owned()))
            .into();
        let request = ApiRequest {
            client: self,
            operation,
            path_parameters,
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        if operation.is_same_origin_only() { request.header("x-paihao-page", "1") } else { request }
    }

    /// Begins a login in a browser and returns its uuid and the browser's cookie.
    pub async fn begin_login(&self) -> (String, String) {
        let request = self.http.post(format!("{}/api/v1/logins", self.url));
        let response = request.header("x-paihao-page", "1").body("{}").send().await.unwrap();
        let set_cookie = response.headers().get("set-cookie").cloned();
        let opened: Value = response.json().await.unwrap();
        let set_cookie = set_cookie.unwrap_or_else(|| panic!("no cookie: {opened}"));
        let cookie = set_cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        (opened["uuid"].as_str().unwrap().to_owned(), cookie)
    }
}

impl ApiRequest<'_> {
    /// Makes the request one of another site's page.
    pub fn cross_site(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "x-paihao-page");
        self.header("sec-fetch-site", "cross-site")
    }

    /// Replaces a path parameter.
    pub fn path_parameter(mut self, parameter: &str, value: &str) -> Self {
        self.path_parameters.insert(parameter.to_owned(), value.to_owned());
        self
    }

    /// Adds the key of a holder.
    pub fn with_key_of(self, holder: &str) -> Self {
        self.header("authorization", &format!("Bearer {}", key_of(holder)))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn query(mut self, query: &str) -> Self {
        self.query = query.to_owned();
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string())
    }

    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Returns the address of the request, for who reads the answer unchecked.
    pub fn url(&self) -> String {
        let path = self.operation.path.clone();
        let path = self.path_parameters.iter().fold(path, |path, (parameter, value)| {
            path.replace(&format!("{{{parameter}}}"), &percent_encode(value))
        });
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        format!("{}{path}{query}", self.client.url)
    }

    /// Sends the request and checks the answer against the document.
    pub async fn send(self) -> ApiResponse {
        let Operation { id, method, .. } = self.operation;
        let url = self.url();
        let description = format!("{method} {}", &url[self.client.url.len()..]);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.http.request(method, url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.body(self.body).send().await;
        let response = response.unwrap_or_else(|error| panic!("{description}: {error:?}"));
        let checked = check_response(self.operation, &description, response).await;
        if ["out_of_hours", "queue_closing"].contains(&checked.problem_code()) {
            let hours = ["hours", "hours_en"].map(|name| checked.body[name].as_str().unwrap_or(""));
            assert!(hours[0].starts_with("开放时间：今天 "), "{description}: {hours:?}");
            assert!(hours[1].starts_with("Hours: today "), "{description}: {hours:?}");
        }
        let covered = match checked.problem_code() {
            "ok" => checked.status.to_string(),
            code => code.to_owned(),
        };
        self.client.coverage.lock().insert((id.clone(), covered));
        checked
    }
}

fn percent_encode(parameter: &str) -> String {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte = |byte| {
        if is_unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    parameter.bytes().map(byte).collect()
}

/// Checks an answer. Panics if the operation's document has no such answer.
async fn check_response(
    operation: &Operation,
    description: &str,
    response: Response,
) -> ApiResponse {
    let status = response.status().as_u16();
    let header_value = |header: &str| {
        let value = response.headers().get(header).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().split(';').next().unwrap_or_default().to_owned()
    };
    let content_type = header_value("content-type");
    let etag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let content = &operation.spec["responses"][status.to_string()]["content"];
    if content == &json!({}) {
        assert!(response.bytes().await.unwrap().is_empty(), "{description}: {status} has no body");
        return ApiResponse { status, body: Value::Null, etag };
    }
    let documented = &content[&content_type];
    if documented.is_null() {
        let text = response.text().await.unwrap_or_default();
        panic!(
            "{description}: the document of {} knows no {status} {content_type}: {text}",
            operation.id
        );
    }
    let body = match content_type.as_str() {
        "text/event-stream" => {
            let unbuffered = response.headers().get("x-accel-buffering");
            assert_eq!(unbuffered.map(|value| value.as_bytes()), Some(&b"no"[..]), "{description}");
            let (event, data) = first_event(response).await;
            let events = &documented["x-events"];
            let schema = events.get(&event).or(events.get("*"));
            let schema = schema.unwrap_or_else(|| panic!("{description}: no event {event}"));
            assert_valid(description, schema, &data);
            json!({ "event": event, "data": data })
        }
        kind if kind.ends_with("json") => {
            let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            assert_valid(description, &documented["schema"], &body);
            body
        }
        _ => Value::String(String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned()),
    };
    ApiResponse { status, body, etag }
}

/// Returns the first event of a stream that has data.
async fn first_event(mut response: Response) -> (String, Value) {
    let mut text = String::new();
    loop {
        for event in text.split("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(name), Some(data)) = (field("event: "), field("data: "))
                && let Ok(data) = serde_json::from_str(data)
            {
                return (name.to_owned(), data);
            }
        }
        let chunk = response.chunk().await.unwrap().expect("an event before the end");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

/// Panics if the schema does not allow the value.
pub fn assert_valid(description: &str, schema: &Value, value: &Value) {
    static VALIDATORS: LazyLock<parking_lot::Mutex<BTreeMap<String, Arc<Validator>>>> =
        LazyLock::new(Default::default);
    let mut validators = VALIDATORS.lock();
    let validator = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut document: Map<String, Value> = schema.as_object().unwrap().clone();
        document.insert("components".to_owned(), DOCUMENT["components"].clone());
        Arc::new(jsonschema::draft202012::new(&Value::Object(document)).unwrap())
    });
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{description}: {value} is not as the document says: {errors:?}");
}
