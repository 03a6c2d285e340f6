//! Handle to a running simulator: start, stop and control.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::act::{self, ActionOutcome, PersonState, PressError, Routing, person_states};
use crate::api;
use crate::codes::Code;
use crate::config::{Behaviour, SimConfig};
use crate::control;
use crate::faults::Fault;
use crate::hostile::{self, HostileReport};
use crate::listener::{PeerConnection, RefusableListener};
use crate::menu::{Menu, parse_buttons};
use crate::people::{AcceptedMessage, ChatContent, ChatLine, Refusal};
use crate::phones;
use crate::push::{PushOverrides, PushRecord, verify};
use crate::receipts;
use crate::stats::Stats;
use crate::tokens::TokenInvalidation;
use crate::world::{AccountState, SharedState, SimulatorState};

/// Simulated WeChat. Clones share one simulator.
#[derive(Clone)]
pub struct Simulator {
    world: SharedState,
    address: Arc<Mutex<SocketAddr>>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("address", &*self.address.lock()).finish()
    }
}

impl Simulator {
    /// Creates a simulator that does not listen yet.
    ///
    /// # Panics
    /// Outside a Tokio runtime, or without any account.
    pub fn new(config: SimConfig) -> Self {
        assert!(!config.accounts.is_empty(), "a simulated WeChat needs an account");
        let address = Arc::new(Mutex::new(config.listen));
        let (receipts, waiting) = mpsc::channel(config.retention.receipts.max(1));
        let world = Arc::new(SimulatorState::new(config, receipts));
        world.tasks.spawn(receipts::run(world.clone(), waiting));
        Self { world, address }
    }

    /// Starts a simulator that serves in the background until [`stop`](Self::stop).
    ///
    /// # Errors
    /// It cannot listen on the address.
    pub async fn start(config: SimConfig) -> std::io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let simulator = Self::new(config);
        *simulator.address.lock() = listener.local_addr()?;
        let serving = simulator.clone();
        let stop = simulator.world.stop.clone().cancelled_owned();
        simulator.world.tasks.spawn(async move { serving.serve(listener, stop).await });
        Ok(simulator)
    }

    /// Serves until `stop` resolves, then lets requests in progress finish and stops everything.
    ///
    /// # Errors
    /// The listener has no address.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        *self.address.lock() = listener.local_addr()?;
        let listener =
            RefusableListener::new(listener, self.world.refusing_connections.subscribe())?;
        let service = self.router().into_make_service_with_connect_info::<PeerConnection>();
        let token = self.world.stop.clone();
        let stopping = async move {
            stop.await;
            token.cancel();
        };
        axum::serve(listener, service).with_graceful_shutdown(stopping).await
    }

    /// Returns the routes, to be served by the caller. Connections can then be neither cut nor
    /// refused.
    pub fn router(&self) -> Router {
        api::routes(self.world.clone())
            .merge(control::routes())
            .merge(phones::routes())
            .merge(phones::first_page())
            .with_state(self.world.clone())
    }

    /// Returns the routes of the customers' phones alone, at `/phones` and below `/sim`, to be
    /// served by the caller.
    pub fn phone_routes(&self) -> Router {
        control::phone_routes().merge(phones::routes()).with_state(self.world.clone())
    }

    /// Stops serving, abandons pushes in progress, and waits for all tasks.
    pub async fn stop(&self) {
        self.world.stop.cancel();
        self.world.tasks.close();
        self.world.tasks.wait().await;
    }

    /// Base address: `http://` and the listening address, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address.lock())
    }

    /// Sets the callbacks of an account, which pushes use in turn.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn set_callback_urls<S: Into<String>>(
        &self,
        appid: Option<&str>,
        urls: impl IntoIterator<Item = S>,
    ) {
        self.account(appid).set_urls(urls.into_iter().map(Into::into).collect());
    }

    /// Verifies a callback with a GET whose `echostr` must come back.
    ///
    /// # Errors
    /// A description of the fault in the answer.
    pub async fn verify_server(&self, appid: Option<&str>, url: &str) -> Result<(), String> {
        verify(&self.world, self.account(appid), url).await
    }

    /// Returns the `limit` newest codes, newest first.
    pub fn codes(&self, limit: usize) -> Vec<Code> {
        self.world.codes.lock().recent(limit).iter().map(|code| Code::clone(code)).collect()
    }

    /// Finds a code by its ticket or its content.
    pub fn code(&self, ticket_or_url: &str) -> Option<Code> {
        self.world.codes.lock().find(ticket_or_url).map(|code| Code::clone(&code))
    }

    /// Lets a customer scan the code with this ticket or content. They follow from then on.
    pub async fn scan(&self, openid: &str, ticket_or_url: &str, routing: Routing) -> ActionOutcome {
        act::scan(&self.world, openid, ticket_or_url, routing).await
    }

    /// Lets a customer follow without scanning.
    pub async fn follow(&self, appid: Option<&str>, openid: &str) -> ActionOutcome {
        act::follow(&self.world, self.account(appid), openid).await
    }

    /// Lets a customer unfollow.
    pub async fn unfollow(&self, appid: Option<&str>, openid: &str) -> ActionOutcome {
        act::unfollow(&self.world, self.account(appid), openid).await
    }

    /// Lets a customer write a text; `None` if they do not follow.
    pub async fn send_text(
        &self,
        appid: Option<&str>,
        openid: &str,
        text: &str,
        routing: Routing,
    ) -> Option<ActionOutcome> {
        act::send_text(&self.world, self.account(appid), openid, text, None, routing).await
    }

    /// Lets a customer tap a choice inside a message: its text is sent, with its id. `None` if they
    /// do not follow.
    pub async fn choose(
        &self,
        appid: Option<&str>,
        openid: &str,
        text: &str,
        id: &str,
        routing: Routing,
    ) -> Option<ActionOutcome> {
        act::send_text(&self.world, self.account(appid), openid, text, Some(id), routing).await
    }

    /// Lets a customer press the button at a place of the menu, or an entry below it.
    ///
    /// # Errors
    /// There is no such entry, or the customer does not see the menu.
    pub async fn press(
        &self,
        appid: Option<&str>,
        openid: &str,
        place: (usize, Option<usize>),
        routing: Routing,
    ) -> Result<ActionOutcome, PressError> {
        act::press(&self.world, self.account(appid), openid, place, routing).await
    }

    /// Returns the menu of an account as `menu/create` takes it, or null if it has none.
    pub fn menu(&self, appid: Option<&str>) -> serde_json::Value {
        let menu = self.account(appid).menu.lock();
        menu.as_ref()
            .map_or(serde_json::Value::Null, |menu| serde_json::json!({ "button": menu.buttons }))
    }

    /// Makes a menu, as another system of the account does; null deletes it.
    ///
    /// # Panics
    /// WeChat would refuse the menu.
    pub fn set_menu(&self, appid: Option<&str>, menu: &serde_json::Value) {
        let menu = (!menu.is_null()).then(|| {
            let buttons = parse_buttons(menu.to_string().as_bytes());
            Menu { id: 1, buttons: buttons.expect("a menu that WeChat takes") }
        });
        self.world.set_menu(self.account(appid), menu);
    }

    /// Lets a customer send the push of a menu entry with this key; `None` if they do not follow.
    pub async fn click(
        &self,
        appid: Option<&str>,
        openid: &str,
        key: &str,
        routing: Routing,
    ) -> Option<ActionOutcome> {
        act::click(&self.world, self.account(appid), openid, key, routing).await
    }

    /// Pushes any body, with a true or a forged query.
    pub async fn push_raw(
        &self,
        appid: Option<&str>,
        openid: &str,
        body: &str,
        routing: Routing,
        forged: PushOverrides,
    ) -> Vec<Arc<PushRecord>> {
        act::push_raw(&self.world, self.account(appid), openid, body, routing, forged).await
    }

    /// Sends hostile pushes to the account's callback, made from this body or from a text message.
    ///
    /// # Errors
    /// The account has no callback.
    pub async fn run_hostile(
        &self,
        appid: Option<&str>,
        body: Option<String>,
    ) -> Result<HostileReport, &'static str> {
        hostile::run(&self.world, self.account(appid), None, body).await
    }

    /// Sets a customer's state without an event.
    pub fn set_person(&self, appid: Option<&str>, openid: &str, follows: bool, refuses: Refusal) {
        let index = self.account(appid).index;
        let mut people = self.world.people.lock();
        let person = people.get_or_insert(index, openid);
        (person.follows, person.refuses) = (follows, refuses);
    }

    /// Moves the followers of one account to another (账号迁移), and returns the former and the new
    /// openid of each.
    pub fn migrate(&self, from: &str, to: &str) -> Vec<(String, String)> {
        act::migrate(&self.world, self.account(Some(from)), self.account(Some(to)))
    }

    /// Records that a customer agrees to `times` more subscription notices of a template.
    pub fn grant_notices(&self, appid: Option<&str>, openid: &str, template_id: &str, times: u32) {
        let index = self.account(appid).index;
        self.world
            .people
            .lock()
            .get_or_insert(index, openid)
            .send_limits
            .grant_notices(template_id, times);
    }

    /// Replaces the AppSecret, as the console does; the old one is refused from now on.
    pub fn set_secret(&self, appid: Option<&str>, secret: &str) {
        secret.clone_into(&mut self.account(appid).secret.lock());
    }

    /// Resets an account's quotas, as the console does.
    pub fn clear_quotas(&self, appid: Option<&str>) {
        self.account(appid).quota.lock().clear_today();
    }

    /// Returns all known customers.
    pub fn people(&self) -> Vec<PersonState> {
        person_states(&self.world, None)
    }

    /// Returns a customer's chat, oldest line first.
    pub fn chat(&self, openid: &str) -> Vec<Arc<ChatLine>> {
        self.world.people.lock().lines(Some(openid), 0)
    }

    /// Returns the template messages that a customer received, oldest first.
    pub fn messages(&self, openid: &str) -> Vec<Arc<AcceptedMessage>> {
        accepted_messages(self.chat(openid))
    }

    /// Returns the template messages of all customers, oldest first.
    pub fn all_messages(&self) -> Vec<Arc<AcceptedMessage>> {
        accepted_messages(self.world.people.lock().lines(None, 0))
    }

    /// Returns the recorded pushes, oldest first.
    pub fn pushes(&self) -> Vec<Arc<PushRecord>> {
        self.world.pushes.lock().iter().cloned().collect()
    }

    /// Returns all counters.
    pub fn stats(&self) -> Stats {
        self.world.stats.snapshot()
    }

    /// Adds a fault, which takes effect at once.
    pub fn add_fault(&self, fault: Fault) {
        self.world.faults.add(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Refuses new connections and cuts existing ones at their next call, until called with
    /// `false`.
    pub fn refuse_connections(&self, refuse: bool) {
        self.world.refusing_connections.send_replace(refuse);
    }

    /// Invalidates the tokens of an account.
    pub fn kill_tokens(&self, appid: Option<&str>, invalidation: TokenInvalidation) {
        self.account(appid).tokens.lock().invalidate(invalidation);
    }

    /// Advances the clock by which tokens, codes and records age.
    pub fn advance_clock(&self, duration: Duration) {
        self.world.clock.advance(duration);
    }

    /// Changes the behaviour.
    pub fn change_behaviour(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.world.behaviour.lock());
    }

    fn account(&self, appid: Option<&str>) -> &AccountState {
        self.world.account(appid).expect("the test names an account of the configuration")
    }
}

fn accepted_messages(lines: Vec<Arc<ChatLine>>) -> Vec<Arc<AcceptedMessage>> {
    let message = |line: Arc<ChatLine>| match &line.content {
        ChatContent::Card { message, .. } => Some(message.clone()),
        _ => None,
    };
    lines.into_iter().filter_map(message).collect()
}
