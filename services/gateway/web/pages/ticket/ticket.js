// Ticket page: the state of one ticket, live, and the commands of its holder. Reconnects after a phone
// slept or was without network, and shows the age of the state while it is disconnected.
/** @import { ApiError } from '../../shared/http.js' */
/** @import { Texts, TicketView, Values } from '../../shared/types' */
import './words.js';
import { siteId, pageError, fetchJson, newIdempotencyKey } from '../../shared/http.js';
import { subscribe } from '../../shared/sse.js';
import { byId, createElement } from '../../shared/dom.js';
import { useTimeZone, formatTime, hoursElement, minutesElement } from '../../shared/format.js';
import { showConnection } from '../../shared/page.js';
import {
  translations,
  translation,
  setTextPair,
  setText,
  textElement,
  localName,
  setName,
  onLanguageChange,
} from '../../shared/language.js';

const SILENCE_TIMEOUT_MS = 45000; // without a message, the connection is taken for dead
const RECONNECT_INTERVAL_MS = 15000;
const STALE_AFTER_MS = 20000; // an older state is marked as old when the page becomes visible
const RESULT_SHOWN_MS = 6000;
const MINUTE_MS = 60000;

const ticketId = location.pathname.split('/')[3] || '';
const ticketPath = `/api/v1/tickets/${encodeURIComponent(siteId)}/${encodeURIComponent(ticketId)}`;

/** @type {TicketView | null} the latest state */
let view = null;
let serverOffset = 0; // milliseconds by which this clock is ahead of the server's
let lastContactAt = 0; // of the last message from the server
let connectedAt = 0; // of the last attempt to connect
let unsubscribe = () => {};
let resultTimer = 0;
/**
 * Command without an answer yet; it keeps its key while it is sent again.
 * @type {{ request: string, key: string, busy?: boolean } | null}
 */
let pendingCommand = null;

/**
 * Notes a message of the server, with its time.
 * @param {{ now: number }} message
 */
function recordContact({ now }) {
  serverOffset = Date.now() - now;
  lastContactAt = Date.now();
  showConnection(true);
}

/** @param {TicketView} ticket */
function applyTicket(ticket) {
  recordContact(ticket);
  useTimeZone(ticket);
  const called =
    ticket.state === 'called' && (view?.state !== 'called' || view.until !== ticket.until);
  const isNewCall = view !== null && called;
  view = ticket;
  render();
  // A browser allows it after the first touch only.
  if (isNewCall && navigator.userActivation?.hasBeenActive) {
    navigator.vibrate?.([500, 200, 500, 200, 800]);
  }
}

function connect() {
  unsubscribe();
  connectedAt = Date.now();
  unsubscribe = subscribe(
    `${ticketPath}/events`,
    { ticket: applyTicket, alive: recordContact },
    (connected, refusal) => {
      if (connected) return;
      showConnection(false);
      if (refusal) refresh();
    },
  );
}

/** Fetches the ticket once; resolves to whether a connection is worth a try. */
async function refresh() {
  try {
    applyTicket(await fetchJson(ticketPath));
    return true;
  } catch (error) {
    if (error.retryable) showConnection(false);
    else showNotFound(error);
    return error.retryable;
  }
}

/** @param {ApiError} error */
function showNotFound(error) {
  unsubscribe();
  view = null;
  byId('acts').hidden = true;
  showConnection(true);
  document
    .querySelector('main')
    .replaceChildren(
      createElement(
        'div',
        { class: 'message' },
        setTextPair(createElement('h2'), error.texts),
        textElement('ticket.gone', {}, 'p'),
      ),
    );
}

/** Reconnects after a silence. The timers of a phone that sleeps run late, so it is measured here. */
function checkConnection() {
  if (document.hidden || !view) return;
  const silence = Date.now() - lastContactAt;
  if (silence > SILENCE_TIMEOUT_MS) {
    showConnection(false);
    if (Date.now() - connectedAt > RECONNECT_INTERVAL_MS) connect();
  }
  const minutes = Math.floor(silence / 60000);
  setText(byId('age'), minutes < 1 ? 'ticket.age.now' : 'ticket.age', { minutes });
  renderDeadline();
}

function render() {
  const { state, number } = view;
  setName(byId('site'), view.site_name, view.site_name_en);
  setName(byId('queue'), view.queue_name, view.queue_name_en);
  byId('number').textContent = number;
  byId('hero').hidden = false;
  byId('hero').dataset.state =
    view.over && !view.ended && state !== 'done' ? 'closed' : isNear(view) ? 'near' : state;
  setText(byId('state'), view.over ? 'ticket.state.over' : `ticket.state.${stateName(view)}`);
  renderLead();
  byId('coming').hidden = !view.coming || !['waiting', 'called'].includes(state);
  byId('where').hidden = !view.counter_name;
  setName(byId('where'), view.counter_name || '', view.counter_name_en);
  renderNote();
  renderFacts();
  renderReminder();
  renderDeadline();
  loadRest();
  renderCommands();
  renderTitle();
}

/** What comes after the number: what happened so far, and the choices of the commands. */
function loadRest() {
  import('./history.js').then(
    ({ renderHistory }) => view && renderHistory(view),
    () => {}, // at the next state
  );
  import('./sheet.js').catch(() => {});
}

/**
 * State in the words of a page: a hold by staff has words of its own.
 * @param {TicketView} ticket
 */
const stateName = ticket => {
  const { state, hold } = ticket;
  if (isNear(ticket)) return 'near';
  return hold && hold !== 'let_pass' ? `${state}.${hold}` : state;
};

/**
 * A ticket of which so few are ahead that its holder is told to get ready.
 * @param {TicketView} ticket
 */
const isNear = ({ state, over, ahead, tell_at: near, queue_state: queueState }) =>
  state === 'waiting' && !over && ahead <= near && !['halted', 'closed'].includes(queueState);

/**
 * The time of the day at a moment, at its end for a later one.
 * @param {number} at
 */
const timeToday = at => formatTime(Math.min(at, view.day_ends_at));

function renderTitle() {
  if (!view) return;
  const { state } = view;
  const counter = localName(view.counter_name || '', view.counter_name_en);
  const news =
    state === 'called'
      ? `${translation('ticket.go')} ${counter}`
      : translation(`ticket.state.${stateName(view)}`);
  document.title = `${view.number} · ${news}`;
}

/** Shows the most important fact in one sentence. */
function renderLead() {
  const { state, ahead: people, until, ended, over } = view;
  const time = until && timeToday(until);
  const lead = byId('lead');
  lead.hidden = state === 'serving'; // the state says it
  if (over && !ended && state !== 'done') return setText(lead, 'ticket.lead.over');
  switch (state) {
    case 'waiting':
      return people === 0
        ? setText(lead, 'ticket.lead.next')
        : setText(lead, 'ticket.lead.waiting', { count: people });
    case 'called':
      return setText(lead, 'ticket.go');
    case 'serving':
      return lead;
    case 'held':
      return view.others
        ? setText(lead, 'ticket.lead.others', { count: view.others })
        : setText(lead, `ticket.lead.${stateName(view)}`);
    case 'missed':
      if (!view.may.includes('return')) return setText(lead, 'ticket.lead.void');
      return view.places
        ? setText(lead, 'ticket.lead.places', { time, places: view.places })
        : setText(lead, 'ticket.lead.missed', { time });
    case 'done':
      return setText(lead, 'ticket.lead.done');
    default:
      return setText(lead, `ticket.ended.${ended}`);
  }
}

/** Shows that calling is halted or the queue is closed, and the reason of a hold or an end. */
function renderNote() {
  const isWaiting = ['waiting', 'held'].includes(view.state) && !view.over;
  const halted = isWaiting && ['halted', 'closed'].includes(view.queue_state);
  const { hours, reason } = view;
  const lines = [
    reason && textElement('ticket.reason', { reason }),
    halted && textElement(`ticket.queue.${view.queue_state}`),
    halted && view.queue_state === 'closed' && hours && hoursElement(hours),
  ].filter(Boolean);
  byId('note').hidden = lines.length === 0;
  byId('note').replaceChildren(
    ...lines.map(line => createElement('span', { class: 'line' }, line)),
  );
}

function renderFacts() {
  const isWaiting = ['waiting', 'held'].includes(view.state) && !view.over;
  // A service that was interrupted has no place in the line.
  const hasFacts = isWaiting && view.ahead !== undefined;
  byId('facts').hidden = !hasFacts;
  if (!hasFacts) return;
  const { state, ahead, minutes, now } = view;
  // Of those who wait, the first sentence says it.
  byId('ahead-fact').hidden = state === 'waiting';
  setText(byId('ahead'), 'ticket.people', { count: ahead });
  const wait = byId('wait');
  setText(byId('wait-word'), minutes ? 'ticket.wait.at' : 'ticket.wait');
  if (minutes) {
    const [from, to] = minutes.map(count => timeToday(now + count * MINUTE_MS));
    wait.replaceChildren(
      minutesElement('ticket.clock.wait', minutes, { from, to }),
      minutesElement('ticket.minutes', minutes),
    );
  } else wait.replaceChildren(textElement('ticket.minutes.none'));
  wait.classList.toggle('long', !minutes);
  byId('last-called').textContent = view.last_called || '—';
  byId('taken').textContent = formatTime(view.taken_at);
}

/** Shows the reminder that is still to come. */
function renderReminder() {
  const { tell_at: people, ahead, may } = view;
  const isToCome = may.includes('tell-me') && ahead > people;
  byId('reminder').hidden = !isToCome;
  if (isToCome) setText(byId('reminder'), 'ticket.reminder', { count: people });
}

/** Shows the time left to come after a call, or until when a place is kept. */
function renderDeadline() {
  const line = byId('clock');
  const { state, until } = view;
  const left = Math.max(0, Math.round((until - (Date.now() - serverOffset)) / 1000));
  const hasDeadline = until && ['called', 'held'].includes(state) && !view.over;
  line.hidden = !hasDeadline;
  if (!hasDeadline) return;
  const values = {
    time: timeToday(until),
    left: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`,
  };
  if (state === 'held') return setText(line, 'ticket.clock.held', values);
  setText(line, left > 0 ? 'ticket.clock.called' : 'ticket.clock.late', values);
}

/** @type {Record<string, string>} */
const BUTTON_CLASSES = { coming: 'main', return: 'main', leave: 'leave' };
/** Commands that ask for a choice first. */
const ASKING_COMMANDS = ['let-pass', 'tell-me', 'leave'];
const REMINDER_CHOICES = [1, 2, 3, 5, 8, 12];

/** Reminders that are still to come; `null` is the usual one. */
function reminderChoices() {
  const { ahead, usual_tell_at: usual } = view;
  const before = people => people < ahead;
  return [...REMINDER_CHOICES.filter(before), ...(before(usual) ? [null] : [])];
}

/**
 * Sends a command, or shows its choices first.
 * @param {string} command
 */
async function press(command) {
  if (!ASKING_COMMANDS.includes(command)) return sendCommand(command);
  byId('said').hidden = true;
  try {
    const { openSheet } = await import('./sheet.js');
    if (view.may.includes(command)) openSheet(command, view, reminderChoices(), sendCommand);
  } catch {
    showResult(pageError('offline', 'ticket.not-done').texts, false);
  }
}

function renderCommands() {
  const may = view.may.filter(command => command !== 'tell-me' || reminderChoices().length > 0);
  const buttons = byId('buttons');
  const label = command =>
    command === 'return'
      ? textElement(`ticket.act.return.${view.state}`)
      : textElement(`ticket.act.${command}`);
  const signature = [view.state, ...may].join();
  byId('acts').hidden = may.length === 0 && byId('said').hidden;
  // Buttons that stay are not replaced under a finger.
  if (buttons.dataset.signature === signature) return;
  buttons.dataset.signature = signature;
  buttons.replaceChildren(
    ...may.map(command =>
      createElement(
        'button',
        {
          type: 'button',
          class: `button ${BUTTON_CLASSES[command] || ''}`,
          id: `act-${command}`,
          onclick: () => press(command),
        },
        label(command),
      ),
    ),
  );
  if (byId('sheet').open && !may.includes(byId('sheet').dataset.act)) byId('sheet').close();
}

/**
 * Sends a command. Its key stays until there is an answer, so that it is carried out once.
 * @param {string} name
 */
async function sendCommand(name, body = {}) {
  byId('sheet').close();
  const request = JSON.stringify([name, body]);
  if (pendingCommand?.request === request && pendingCommand.busy) return;
  if (pendingCommand?.request !== request) pendingCommand = { request, key: newIdempotencyKey() };
  pendingCommand.busy = true;
  byId('buttons').inert = true;
  try {
    const ticket = await fetchJson(`${ticketPath}/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': pendingCommand.key },
      body: JSON.stringify(body),
    });
    pendingCommand = null;
    showResult(translations(`ticket.done.${name}`), true);
    applyTicket(ticket);
  } catch (error) {
    if (error.retryable) pendingCommand.busy = false;
    else pendingCommand = null;
    showResult(
      error.code === 'offline' ? pageError('offline', 'ticket.not-done').texts : error.texts,
      false,
    );
    refresh();
  } finally {
    byId('buttons').inert = false;
  }
}

/**
 * @param {Texts} texts
 * @param {boolean} done
 */
function showResult(texts, done) {
  const line = byId('said');
  setTextPair(line, texts);
  line.classList.toggle('done', done);
  line.hidden = false;
  byId('acts').hidden = false;
  clearTimeout(resultTimer);
  if (!done) return;
  resultTimer = setTimeout(() => {
    line.hidden = true;
    if (view) renderCommands();
  }, RESULT_SHOWN_MS);
}

async function start() {
  if (await refresh()) connect();
}

byId('sheet-close').addEventListener('click', () => byId('sheet').close());
byId('sheet').addEventListener('click', event => {
  if (event.target === byId('sheet')) byId('sheet').close();
});
onLanguageChange(renderTitle);
addEventListener('online', connect);
addEventListener('pageshow', event => {
  if (event.persisted) connect();
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !view) return;
  if (Date.now() - lastContactAt > STALE_AFTER_MS) showConnection(false);
  checkConnection();
});
setInterval(checkConnection, 1000);
start();
