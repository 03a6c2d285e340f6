// One customer's number: how it stands, live, and what its holder may do. It goes on after a phone has
// slept or was without network, and says how old it is while it cannot know better.
import { ask, byId, clock, hear, lasting, make, own, showConnected, site } from './paihao.js';
import { onSwitch, pair, put, putName, said, say, tongue, word } from './language.js';

const SILENT_MS = 45000; // unheard so long, the connection is taken for dead
const PATIENCE_MS = 15000; // and made anew this often
const SOON_MS = 20000; // what is older than that is said to be old when somebody looks again

const id = location.pathname.split('/')[3] || '';
const path = `/api/v1/tickets/${encodeURIComponent(site)}/${encodeURIComponent(id)}`;

let seen = null; // the ticket as last heard
let ahead = 0; // milliseconds by which this clock is ahead of the server's
let heardAt = 0; // when the server was last heard
let begun = 0; // when the connection was last made
let stop = () => {};
let wish = null; // what is being asked for, and under which key

/** The server is heard. */
function heard({ now }) {
  ahead = Date.now() - now;
  heardAt = Date.now();
  showConnected(true);
}

function hears(ticket) {
  heard(ticket);
  const called = ticket.state === 'called' && (seen?.state !== 'called' || seen.until !== ticket.until);
  const news = seen !== null && called;
  seen = ticket;
  show();
  // Before its first touch a page may not.
  if (news && navigator.userActivation?.hasBeenActive) navigator.vibrate?.([500, 200, 500, 200, 800]);
}

function listen() {
  stop();
  begun = Date.now();
  stop = hear(`${path}/events`, { ticket: hears, alive: heard }, (connected, refused) => {
    if (connected) return;
    showConnected(false);
    if (refused) look();
  });
}

/** Asks once, for the answer or for the reason why there is none. */
async function look() {
  try {
    hears(await ask(path));
    return true;
  } catch (refusal) {
    if (refusal.passing) showConnected(false);
    else nothing(refusal);
    return refusal.passing;
  }
}

function nothing(refusal) {
  stop();
  seen = null;
  byId('acts').hidden = true;
  showConnected(true);
  document.querySelector('main').replaceChildren(make('div', { class: 'message' },
    put(make('h2'), refusal.pair), said('ticket.gone', {}, 'p')));
}

/** Whether time has passed unheard. Timers of a phone that sleeps run late; this says so. */
function watch() {
  if (document.hidden || !seen) return;
  const silent = Date.now() - heardAt;
  if (silent > SILENT_MS) {
    showConnected(false);
    if (Date.now() - begun > PATIENCE_MS) listen();
  }
  const minutes = Math.floor(silent / 60000);
  say(byId('age'), minutes < 1 ? 'ticket.age.now' : 'ticket.age', { minutes });
  showClock();
}

const at = moment => clock(moment);

function show() {
  const { state, number } = seen;
  putName(byId('site'), seen.site_name);
  putName(byId('queue'), seen.queue_name);
  byId('number').textContent = number;
  byId('hero').hidden = false;
  byId('hero').dataset.state = seen.over && !seen.ended && state !== 'done' ? 'closed' : state;
  say(byId('state'), seen.over ? 'ticket.state.over' : `ticket.state.${state}`);
  showLead();
  byId('where').hidden = !seen.counter_name;
  putName(byId('where'), seen.counter_name || '');
  showNote();
  showFacts();
  showClock();
  showStories();
  showActs();
  title();
}

function title() {
  if (!seen) return;
  const { state, counter_name: counter } = seen;
  const news = state === 'called' ? `${word('ticket.go')} ${counter}` : word(`ticket.state.${state}`);
  document.title = `${seen.number} · ${news}`;
}

/** What somebody has to know first, in one sentence. */
function showLead() {
  const { state, ahead: people, until, ended, over } = seen;
  const time = until && at(until);
  const lead = byId('lead');
  if (over && !ended && state !== 'done') return say(lead, 'ticket.lead.over');
  switch (state) {
    case 'waiting': return people === 0 ? say(lead, 'ticket.lead.next') : say(lead, 'ticket.lead.waiting', { count: people });
    case 'called': return say(lead, 'ticket.go');
    case 'serving': return say(lead, 'ticket.lead.serving');
    case 'held': return seen.others ? say(lead, 'ticket.lead.others', { count: seen.others }) : say(lead, 'ticket.lead.held');
    case 'missed':
      if (!seen.may.includes('return')) return say(lead, 'ticket.lead.void');
      return seen.places ? say(lead, 'ticket.lead.places', { time, places: seen.places }) : say(lead, 'ticket.lead.missed', { time });
    case 'done': return say(lead, 'ticket.lead.done');
    default: return say(lead, `ticket.ended.${ended}`);
  }
}

/** What stands in the way. */
function showNote() {
  const waits = ['waiting', 'held'].includes(seen.state) && !seen.over;
  const halted = waits && ['halted', 'closed'].includes(seen.queue_state);
  byId('note').hidden = !halted;
  if (halted) say(byId('note'), `ticket.queue.${seen.queue_state}`);
}

function showFacts() {
  const waits = ['waiting', 'held'].includes(seen.state) && !seen.over;
  byId('facts').hidden = !waits;
  if (!waits) return;
  say(byId('ahead'), 'ticket.people', { count: seen.ahead });
  const wait = byId('wait');
  wait.replaceChildren(seen.minutes ? lasting('ticket.minutes', seen.minutes) : said('ticket.minutes.none'));
  wait.classList.toggle('long', !seen.minutes);
  byId('last-called').textContent = seen.last_called || '—';
  byId('taken').textContent = at(seen.taken_at);
}

/** How long somebody called has, and until when a place is kept. */
function showClock() {
  const line = byId('clock');
  const { state, until } = seen;
  const left = Math.max(0, Math.round((until - (Date.now() - ahead)) / 1000));
  const counts = until && ['called', 'held'].includes(state) && !seen.over;
  line.hidden = !counts;
  if (!counts) return;
  const values = { time: at(until), left: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` };
  if (state === 'held') return say(line, 'ticket.clock.held', values);
  say(line, left > 0 ? 'ticket.clock.called' : 'ticket.clock.late', values);
}

function row(moment, ...rest) {
  return make('li', {}, make('time', {}, moment ? at(moment) : ''), ...rest);
}

function showStories() {
  const moves = seen.moves.map(({ at: moment, cause, own: mine, more }) =>
    row(moment, mine ? said(`ticket.own.${cause}`) : said(`ticket.move.${cause}`, { count: Math.abs(more) })));
  byId('moves').replaceChildren(...moves.reverse());
  byId('moves-part').hidden = moves.length === 0;
  const notices = seen.notices.map(({ at: moment, notice, fate, why }) => {
    const how = { delivered: ' told', sent: ' told', failed: ' not', not_delivered: ' not', unknown: ' not' }[fate] || '';
    const refuses = fate === 'not_delivered' && why === 'refused';
    return row(moment, said(`ticket.notice.${notice}`), make('span', { class: `fate${how}` }, refuses ? said('ticket.fate.refuses') : said(`ticket.fate.${fate}`)));
  });
  byId('notices').replaceChildren(...notices.reverse());
  byId('notices-part').hidden = notices.length === 0;
}

const BUTTONS = {
  'return': { class: 'main', press: () => act('return') },
  'let-pass': { class: '', press: () => sheet('let-pass', { minutes: seen.let_pass_minutes }, PASSES.map(passing)) },
  'tell-me': { class: '', press: () => sheet('tell-me', {}, [...TELLS.map(telling), telling(null)]) },
  leave: { class: 'leave', press: () => sheet('leave', { number: seen.number }, [choice('ticket.sheet.leave.yes', {}, 'wide danger', () => act('leave'))]) },
};
const PASSES = [1, 3, 5, null];
const TELLS = [1, 2, 3, 5, 8, 12];

function showActs() {
  const { may } = seen;
  const buttons = byId('buttons');
  const label = act => (act === 'return' ? said(`ticket.act.return.${seen.state}`) : said(`ticket.act.${act}`));
  const wanted = [seen.state, ...may].join();
  byId('acts').hidden = may.length === 0 && byId('said').hidden;
  // What is under a finger stays there.
  if (buttons.dataset.wanted === wanted) return;
  buttons.dataset.wanted = wanted;
  buttons.replaceChildren(...may.map(act => make('button', {
    type: 'button', class: `button ${BUTTONS[act].class}`, id: `act-${act}`, onclick: BUTTONS[act].press,
  }, label(act))));
  if (byId('sheet').open && !may.includes(byId('sheet').dataset.act)) byId('sheet').close();
}

const choice = (key, values, style, press) =>
  make('button', { type: 'button', class: `button ${style}`, onclick: press }, said(key, values));

const passing = others => (others === null
  ? choice('ticket.sheet.let-pass.tap', {}, 'wide', () => act('let-pass'))
  : choice('ticket.sheet.let-pass.others', { count: others }, others === 5 ? 'wide' : '', () => act('let-pass', { others })));

function telling(people) {
  if (people === null) return choice('ticket.sheet.tell-me.usual', {}, seen.tell_at_chosen ? 'wide' : 'wide chosen', () => act('tell-me'));
  const chosen = seen.tell_at_chosen && seen.tell_at === people;
  return choice('ticket.sheet.tell-me.ahead', { count: people }, chosen ? 'chosen' : '', () => act('tell-me', { ahead: people }));
}

function sheet(act, values, choices) {
  const dialog = byId('sheet');
  dialog.dataset.act = act;
  say(byId('sheet-title'), `ticket.sheet.${act}`, values);
  say(byId('sheet-text'), `ticket.sheet.${act}.text`, values);
  byId('choices').replaceChildren(...choices);
  byId('said').hidden = true;
  dialog.showModal();
}

/** Asks for something once, however often it has to be asked: the key stays until there is an answer. */
async function act(name, body = {}) {
  byId('sheet').close();
  const asked = JSON.stringify([name, body]);
  if (wish?.asked === asked && wish.busy) return;
  if (wish?.asked !== asked) wish = { asked, key: fresh() };
  wish.busy = true;
  byId('buttons').inert = true;
  try {
    const ticket = await ask(`${path}/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': wish.key },
      body: JSON.stringify(body),
    });
    wish = null;
    tell(pair(`ticket.done.${name}`), true);
    hears(ticket);
  } catch (refusal) {
    if (refusal.passing) wish.busy = false;
    else wish = null;
    tell(refusal.code === 'offline' ? own('offline', 'ticket.not-done').pair : refusal.pair, false);
    look();
  } finally {
    byId('buttons').inert = false;
  }
}

function tell(texts, done) {
  const line = byId('said');
  put(line, texts);
  line.classList.toggle('done', done);
  line.hidden = false;
  byId('acts').hidden = false;
  clearTimeout(tell.timer);
  if (done) tell.timer = setTimeout(() => { line.hidden = true; if (seen) showActs(); }, 6000);
}

/** Unlike `randomUUID`, this is there also where the address is not https. */
const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');

async function start() {
  if (await look()) listen();
}

byId('sheet-close').addEventListener('click', () => byId('sheet').close());
byId('sheet').addEventListener('click', event => { if (event.target === byId('sheet')) byId('sheet').close(); });
onSwitch(title);
addEventListener('online', listen);
addEventListener('pageshow', event => { if (event.persisted) listen(); });
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !seen) return;
  if (Date.now() - heardAt > SOON_MS) showConnected(false);
  watch();
});
setInterval(watch, 1000);
start();
