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
  byId('hero').dataset.state = view.over && !view.ended && state !== 'done' ? 'closed' : state;
  setText(byId('state'), view.over ? 'ticket.state.over' : `ticket.state.${stateName(view)}`);
  renderLead();
  byId('where').hidden = !view.counter_name;
  setName(byId('where'), view.counter_name || '', view.counter_name_en);
  renderNote();
  renderFacts();
  renderDeadline();
  renderHistory();
  renderCommands();
  renderTitle();
}

/**
 * State in the words of a page: a hold by staff has words of its own.
 * @param {TicketView} ticket
 */
const stateName = ({ state, hold }) => (hold && hold !== 'let_pass' ? `${state}.${hold}` : state);

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
  const time = until && formatTime(until);
  const lead = byId('lead');
  if (over && !ended && state !== 'done') return setText(lead, 'ticket.lead.over');
  switch (state) {
    case 'waiting':
      return people === 0
        ? setText(lead, 'ticket.lead.next')
        : setText(lead, 'ticket.lead.waiting', { count: people });
    case 'called':
      return setText(lead, 'ticket.go');
    case 'serving':
      return setText(lead, 'ticket.lead.serving');
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
  setText(byId('ahead'), 'ticket.people', { count: view.ahead });
  const wait = byId('wait');
  wait.replaceChildren(
    view.minutes
      ? minutesElement('ticket.minutes', view.minutes)
      : textElement('ticket.minutes.none'),
  );
  wait.classList.toggle('long', !view.minutes);
  byId('last-called').textContent = view.last_called || '—';
  byId('taken').textContent = formatTime(view.taken_at);
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
    time: formatTime(until),
    left: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`,
  };
  if (state === 'held') return setText(line, 'ticket.clock.held', values);
  setText(line, left > 0 ? 'ticket.clock.called' : 'ticket.clock.late', values);
}

/**
 * @param {number | undefined} moment
 * @param {...HTMLElement} rest
 */
function historyRow(moment, ...rest) {
  return createElement(
    'li',
    {},
    createElement('time', {}, moment ? formatTime(moment) : ''),
    ...rest,
  );
}

function renderHistory() {
  const moves = view.moves.map(({ at: moment, cause, own: mine, more }) =>
    historyRow(
      moment,
      mine
        ? textElement(`ticket.own.${cause}`)
        : textElement(`ticket.move.${cause}`, { count: Math.abs(more) }),
    ),
  );
  byId('moves').replaceChildren(...moves.reverse());
  byId('moves-part').hidden = moves.length === 0;
  const notices = view.notices.map(({ at: moment, notice, fate, why }) => {
    const style =
      { delivered: ' told', sent: ' told', failed: ' not', not_delivered: ' not', unknown: ' not' }[
        fate
      ] || '';
    const refuses = fate === 'not_delivered' && why === 'refused';
    return historyRow(
      moment,
      textElement(`ticket.notice.${notice}`),
      createElement(
        'span',
        { class: `fate${style}` },
        refuses ? textElement('ticket.fate.refuses') : textElement(`ticket.fate.${fate}`),
      ),
    );
  });
  byId('notices').replaceChildren(...notices.reverse());
  byId('notices-part').hidden = notices.length === 0;
}

/** @type {Record<string, { class: string, press: () => void }>} */
const COMMAND_BUTTONS = {
  'return': { class: 'main', press: () => sendCommand('return') },
  'let-pass': {
    class: '',
    press: () =>
      openSheet('let-pass', { minutes: view.let_pass_minutes }, PASS_CHOICES.map(passButton)),
  },
  'tell-me': {
    class: '',
    press: () =>
      openSheet('tell-me', {}, [...REMINDER_CHOICES.map(reminderButton), reminderButton(null)]),
  },
  leave: {
    class: 'leave',
    press: () =>
      openSheet('leave', { number: view.number }, [
        choiceButton('ticket.sheet.leave.yes', {}, 'wide danger', () => sendCommand('leave')),
      ]),
  },
};
const PASS_CHOICES = [1, 3, 5, null];
const REMINDER_CHOICES = [1, 2, 3, 5, 8, 12];

function renderCommands() {
  const { may } = view;
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
          class: `button ${COMMAND_BUTTONS[command].class}`,
          id: `act-${command}`,
          onclick: COMMAND_BUTTONS[command].press,
        },
        label(command),
      ),
    ),
  );
  if (byId('sheet').open && !may.includes(byId('sheet').dataset.act)) byId('sheet').close();
}

/**
 * @param {string} key
 * @param {Values} values
 * @param {string} style
 * @param {() => void} press
 */
const choiceButton = (key, values, style, press) =>
  createElement(
    'button',
    { type: 'button', class: `button ${style}`, onclick: press },
    textElement(key, values),
  );

/** @param {number | null} others people to let pass; `null` until the holder says so */
const passButton = others =>
  others === null
    ? choiceButton('ticket.sheet.let-pass.tap', {}, 'wide', () => sendCommand('let-pass'))
    : choiceButton(
        'ticket.sheet.let-pass.others',
        { count: others },
        others === 5 ? 'wide' : '',
        () => sendCommand('let-pass', { others }),
      );

/** @param {number | null} people ahead at the reminder; `null` for the usual one */
function reminderButton(people) {
  if (people === null) {
    const style = view.tell_at_chosen ? 'wide' : 'wide chosen';
    return choiceButton('ticket.sheet.tell-me.usual', {}, style, () => sendCommand('tell-me'));
  }
  const chosen = view.tell_at_chosen && view.tell_at === people;
  return choiceButton('ticket.sheet.tell-me.ahead', { count: people }, chosen ? 'chosen' : '', () =>
    sendCommand('tell-me', { ahead: people }),
  );
}

/**
 * Opens the sheet with the choices of a command.
 * @param {string} command
 * @param {Values} values
 * @param {HTMLElement[]} choices
 */
function openSheet(command, values, choices) {
  const dialog = byId('sheet');
  dialog.dataset.act = command;
  setText(byId('sheet-title'), `ticket.sheet.${command}`, values);
  setText(byId('sheet-text'), `ticket.sheet.${command}.text`, values);
  byId('choices').replaceChildren(...choices);
  byId('said').hidden = true;
  dialog.showModal();
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
