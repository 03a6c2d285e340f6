// Console of a counter: its current ticket, the commands for it, and the tickets that wait.
/** @import { ConsoleCounterView, ConsoleTicketView, ConsoleView, Texts, UndoView, Values } from '../../shared/types' */
import './words.js';
import { siteId, ApiError, serverNow } from '../../shared/http.js';
import { subscribe } from '../../shared/sse.js';
import { byId, createElement } from '../../shared/dom.js';
import { useTimeZone, formatTime } from '../../shared/format.js';
import { showConnection, showFatalError } from '../../shared/page.js';
import {
  hasTranslation,
  translations,
  translation,
  setTextPair,
  setText,
  textElement,
  languageOf,
  localName,
  nameElement,
  setName,
  onLanguageChange,
} from '../../shared/language.js';
import {
  storeKeyFromAddress,
  isAccessError,
  handleAccessError,
  signOut,
  authHeaders,
} from '../../shared/credentials.js';
import { isDialogOpen, closeDialog } from '../../shared/dialog.js';
import { watchLogins } from '../../shared/new-logins.js';
import {
  renderWaiting,
  renderAway,
  renderQueues,
  renderCounters,
  renderCounterChoice,
  renderCurrent,
  renderOwner,
  renderTimer,
} from './lists.js';
import { siteUrl, fetchFromSite, settlePending, sendCommand } from './commands.js';
import { setUpSound, playChime, toggleSound } from './chime.js';
import { dialogs } from './dialogs.js';
import { isFound } from './numbers.js';

const STORAGE_KEY = `paihao-console-counter/${siteId}`;
const MIN_CALL_INTERVAL_MS = 1500; // after a call, before the next one can be made
const RECALL_ASKED_MS = 6000; // so long after a recall became possible the server is asked about it

/** @type {ConsoleView | null} the latest state */
let view = null;
/** @type {string | null} the counter that this console works for */
let counterId = storedCounter();
let busy = false;
let lastCallAt = 0;
/** @type {(() => void) | null} */
let unsubscribe = null;
let lastContactAt = 0;
let isRefreshing = false;

function storedCounter() {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null; // a browser without storage
  }
}

const currentCounter = () => view.counters.find(counter => counter.id === counterId);
/** @param {string | null} number */
const ticketByNumber = number => view.tickets.find(ticket => ticket.number === number);
const currentTicket = () => ticketByNumber(currentCounter().serving);
/** @param {string} queueId */
const servesQueue = queueId => currentCounter().queues.includes(queueId);
const waitingTickets = () =>
  view.tickets.filter(ticket => ticket.state === 'waiting' && servesQueue(ticket.queue));
const waitingCount = () =>
  view.queues
    .filter(queue => servesQueue(queue.id))
    .reduce((sum, queue) => sum + queue.waiting_count, 0);
/** @param {string} id */
const queueNames = id => {
  const queue = view.queues.find(queue => queue.id === id);
  return /** @type {const} */ ([queue?.name || id, queue?.name_en]);
};
/** @param {string} id */
const queueName = id => localName(...queueNames(id));

/**
 * Whether a colleague is logged in at a counter of somebody who works at certain counters.
 * @param {ConsoleCounterView} counter
 */
const isTaken = ({ login }) => Boolean(view.you.counters && login && login !== view.you.name);
/**
 * Tells whether the server allows an act with a ticket or at a counter.
 * @param {ConsoleTicketView | ConsoleCounterView | undefined} target
 * @param {string} act
 */
const may = (target, act) => target?.may?.includes(act) ?? false; // an older replica lists nothing
/** True if a person can come to this counter now. */
const isFree = () => {
  const counter = currentCounter();
  return counter.state === 'open' && !counter.serving && !isTaken(counter);
};
/**
 * Tells whether an act is allowed here: for one that begins at a counter, this one has to be free.
 * @param {ConsoleTicketView | undefined} ticket
 * @param {string} act
 */
function mayHere(ticket, act) {
  if (!['call', 'resume_here'].includes(act)) return may(ticket, act);
  const bound = ticket?.hold?.counter;
  return may(ticket, act) && isFree() && (!bound || bound === counterId);
}

/** The parts of the state that change when a command was carried out. */
const stateFingerprint = () =>
  JSON.stringify([
    currentCounter(),
    view.queues.map(queue => [queue.taken, queue.set]),
    view.tickets.length,
  ]);

/** @param {'choose' | 'desk'} id */
function showView(id) {
  for (const name of ['choose', 'desk']) byId(name).hidden = name !== id;
  for (const name of ['sign-out', 'help']) byId(name).hidden = false;
}

function showCurrentView() {
  const options = { headers: authHeaders, always: true };
  unsubscribe ??= subscribe(siteUrl('desk/events'), { desk: applyView }, onConnection, options);
  if (!view) return;
  const choices = selectableCounters();
  if (choices.length === 1) counterId = choices[0].id;
  else if (!choices.some(counter => counter.id === counterId)) counterId = null;
  byId('change').hidden = choices.length === 1;
  showView(counterId ? 'desk' : 'choose');
  render();
}

const selectableCounters = () =>
  view.counters.filter(counter => !view.you.counters || view.you.counters.includes(counter.id));

/**
 * @param {boolean} connected
 * @param {ApiError | null} [error]
 */
function onConnection(connected, error) {
  if (error && isAccessError(error)) return endAccess(error);
  if (error && !error.retryable) return showFatalError(error);
  if (!connected && lastContactAt) {
    setText(byId('offline'), 'console.offline', { time: formatTime(lastContactAt) });
  }
  showConnection(connected);
}

/** @param {ConsoleView} state */
function applyView(state) {
  if (!view) setUpSound();
  const before = view && counterId && currentCounter() ? waitingCount() : null;
  const newest = state.calls[0];
  const calledElsewhere =
    view &&
    newest &&
    newest.counter !== counterId &&
    newest.called_at > (view.calls[0]?.called_at || 0);
  view = state;
  lastContactAt = serverNow();
  useTimeZone(state);
  setName(byId('site'), state.name, state.name_en);
  showCurrentView();
  if (!counterId) return;
  settlePending(stateFingerprint());
  if (before === 0 && waitingCount() > 0 && currentCounter().state !== 'offline') {
    playChime();
    showMessage(
      'news',
      translations('console.joined', { number: waitingTickets().slice(-1)[0]?.number || '' }),
    );
  } else if (calledElsewhere && !busy) {
    showMessage(
      'news',
      translations('console.called-there', { number: newest.number }),
      nameElement(newest.counter_name, newest.counter_name_en),
    );
  }
}

function renderTitle() {
  if (!view) return;
  const counter = counterId && currentCounter();
  const name = counter ? `(${waitingCount()}) ${localName(counter.name, counter.name_en)} · ` : '';
  document.title = `${name}${translation('console.title')} · ${localName(view.name, view.name_en)}`;
}

/** The commands that the server allows now, by the id of their button. */
function enabledCommands() {
  const [counter, ticket] = [currentCounter(), currentTicket()];
  return {
    next: may(counter, 'next') && serverNow() > lastCallAt + MIN_CALL_INTERVAL_MS,
    start: may(ticket, 'start'),
    recall: may(ticket, 'recall'),
    finish: may(ticket, 'finish'),
    missed: may(ticket, 'missed'),
    hold: may(ticket, 'suspend'),
    transfer: may(ticket, 'transfer') && view.queues.length > 1,
    call: view.tickets.some(other => servesQueue(other.queue) && mayHere(other, 'call')),
    undo: undoableCommands().length > 0,
    take: view.queues.some(queue => servesQueue(queue.id)),
    open: may(counter, 'open') || may(counter, 'take_over'),
    break: may(counter, 'break'),
    close: may(counter, 'close'),
  };
}

/**
 * Actions that can be taken back here, the latest first: this counter's, and those of its user.
 * @returns {UndoView[]}
 */
function undoableCommands() {
  const ticket = currentTicket();
  const call =
    may(ticket, 'put_back') && ticket.put_back_until > serverNow()
      ? [
          {
            number: ticket.number,
            state: 'called',
            to: 'waiting',
            act: 'put-back',
            at: ticket.since,
          },
        ]
      : [];
  const ends = view.ended.filter(
    end => (end.own || end.counter === counterId) && (!end.until || end.until > serverNow()),
  );
  return [...call, ...ends];
}

/**
 * @param {string} id
 * @param {string | null | undefined} key no hint without one
 * @param {any} values
 */
function renderHint(id, key, values) {
  const hint = byId(id);
  hint.parentElement.classList.toggle('hinted', Boolean(key));
  if (key) {
    setText(hint, key, values);
  } else {
    delete hint.dataset.zh;
    hint.replaceChildren();
  }
}

function render() {
  renderTitle();
  if (!counterId) {
    renderCounterChoice(selectableCounters(), chooseCounter);
    return;
  }
  const [counter, ticket] = [currentCounter(), currentTicket()];
  setName(byId('counter'), counter.name, counter.name_en);
  renderCurrent(counter, ticket, ticket && nameElement(...queueNames(ticket.queue)));
  renderOwner(counter, view.you.name);
  renderLine();
  renderQueues(view.queues, servesQueue);
  renderCounters(view.counters, view.calls, isTaken(counter) ? '' : counterId);
  renderButtons();
}

/** Renders the tickets of this counter's queues: all of them, or those that are searched for. */
function renderLine() {
  const text = byId('search').value.trim();
  const several = currentCounter().queues.length > 1;
  const context = {
    open: number => dialogs.ticket(dialogContext, number),
    queueNames: ({ queue }) => (several ? queueNames(queue) : null),
  };
  /** @param {ConsoleTicketView} ticket */
  const isShown = ticket =>
    !text ||
    isFound(ticket, text, [...queueNames(ticket.queue), ticket.hold?.reason].filter(Boolean));
  const own = view.tickets.filter(ticket => servesQueue(ticket.queue) && isShown(ticket));
  const waiting = own.filter(ticket => ticket.state === 'waiting');
  renderWaiting(waiting, context, text ? 'console.search.none' : 'console.nobody');
  renderAway(own, context, mayHere, bringBack);
  const found = own.filter(ticket => ['waiting', 'missed', 'held'].includes(ticket.state)).length;
  const count = byId('line-count');
  // The result of a search is read out; that somebody joins the line is not.
  count.setAttribute('aria-live', text ? 'polite' : 'off');
  if (text) setText(count, 'console.search.found', { count: found });
  else setText(count, 'console.line.count', { count: waitingCount() });
}

function renderButtons() {
  const [counter, ticket, enabled] = [currentCounter(), currentTicket(), enabledCommands()];
  for (const [id, allowed] of Object.entries(enabled)) byId(id).disabled = busy || !allowed;
  const taken = isTaken(counter);
  byId('open').hidden = counter.state === 'open' && !taken;
  byId('break').hidden = counter.state !== 'open' || taken;
  const takesOver = taken && !counter.login_left;
  setText(byId('open').querySelector('span'), takesOver ? 'console.take-over' : 'console.open');
  for (const id of ['break', 'close']) {
    setText(byId(id).querySelector('span'), `console.${id}${ticket ? '.after' : ''}`);
  }
  const count = waitingCount();
  const seconds = Math.ceil((counter.next_call_at - serverNow()) / 1000);
  renderHint('next-hint', nextHint(counter, ticket, count), {
    count,
    number: ticket?.number,
    seconds,
  });
  const wait = ticket?.recall_from - serverNow();
  renderHint('recall-hint', recallHint(ticket, wait), { count: Math.ceil(wait / 1000) });
  const last = undoableCommands()[0];
  renderHint('undo-hint', last && `console.undo.${last.state}`, last);
}

/**
 * Key of the hint beside "call next".
 * @param {ConsoleCounterView} counter
 * @param {ConsoleTicketView | undefined} ticket
 * @param {number} count people who wait
 */
function nextHint(counter, ticket, count) {
  if (isTaken(counter) && !counter.login_left) return 'console.hint.taken';
  if (counter.state !== 'open' || isTaken(counter)) return 'console.hint.open';
  if (ticket?.state === 'called') return 'console.hint.called';
  if (count === 0) return 'console.hint.nobody';
  if (!may(counter, 'next')) return 'console.hint.halted';
  if (counter.auto_paused) return 'console.hint.auto-paused';
  if (counter.next_call_at > serverNow()) return 'console.hint.auto';
  return ticket ? 'console.hint.finishes' : 'waiting';
}

/**
 * Key of the hint beside "recall".
 * @param {ConsoleTicketView | undefined} ticket
 * @param {number} wait milliseconds until it is allowed
 */
function recallHint(ticket, wait) {
  if (ticket?.state !== 'called') return null;
  if (ticket.recall_from === undefined) return 'console.hint.often';
  return wait > 0 ? 'console.hint.seconds' : null;
}

/**
 * A text that somebody wrote, in its language.
 * @param {string} text
 */
const writtenElement = text => createElement('span', { lang: languageOf(text) || 'en' }, text);

/**
 * Shows a sentence beside the buttons: the result of a command, or why it was refused and what to do.
 * @param {string} kind class of its look
 * @param {Texts | null} texts
 * @param {HTMLElement | null} detail
 */
function showMessage(kind = '', texts = null, detail = null) {
  const line = byId('said');
  line.className = kind;
  line.replaceChildren(
    ...(texts ? [setTextPair(createElement('strong'), texts)] : []),
    ...(detail ? [detail] : []),
  );
}

/** @param {ApiError} error */
function endAccess(error) {
  unsubscribe();
  showConnection(true);
  if (isDialogOpen()) closeDialog();
  handleAccessError(error);
}

/** @param {ApiError} error */
function showRefusal(error) {
  if (isAccessError(error)) return endAccess(error);
  const key = error.retryable ? 'console.again' : `console.do.${error.code}`;
  let advice = null;
  if (error.hours) advice = setTextPair(createElement('span'), error.hours);
  else if (hasTranslation(key)) advice = textElement(key);
  else if (error.detail) advice = writtenElement(error.detail);
  advice?.classList.add('detail');
  showMessage('refused', error.texts, advice);
}

/**
 * Runs a command, and resolves to the server's answer, or to `null` when it failed.
 * @param {string} name key of the sentence that reports it
 * @param {string} path
 * @param {object} [body]
 */
async function runCommand(name, path, body) {
  if (busy) return null;
  busy = true;
  const before = view.position;
  byId('desk').setAttribute('aria-busy', 'true');
  renderButtons();
  try {
    const done = await sendCommand(path, body, stateFingerprint(), () =>
      showMessage('waiting', translations('retrying')),
    );
    if (name === 'next') {
      lastCallAt = serverNow();
      setTimeout(() => {
        if (view && counterId) renderButtons();
      }, MIN_CALL_INTERVAL_MS + 20);
    }
    showMessage(
      'done',
      translations(`console.done.${name}`, { number: done.number || '', count: done.count ?? '' }),
    );
    // The event may come later; until then a second press would look right.
    const state = view.position === before ? await fetchFromSite('desk').catch(() => null) : null;
    if (state && state.position >= view.position) view = state;
    return done;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showRefusal(error);
    return null;
  } finally {
    busy = false;
    byId('desk').removeAttribute('aria-busy');
    if (view && counterId) render();
  }
}

/**
 * @param {string} name
 * @param {string} path
 * @param {object} [body]
 */
const runCounterCommand = (name, path, body) =>
  runCommand(name, `counters/${counterId}/${path}`, body);
/** Body of a command about the current ticket. */
const servedTicket = () => ({ number: currentTicket().number });
/**
 * @param {string} number
 * @param {'return' | 'resume' | 'here'} command
 */
const bringBack = (number, command) =>
  command === 'here'
    ? runCounterCommand('here', 'resume-here', { number })
    : runCommand(command, `tickets/${number}/${command}`);

/**
 * State and commands of the console, for its dialogs.
 * @typedef {typeof dialogContext} ConsoleContext
 */
const dialogContext = {
  runCommand,
  runCounterCommand,
  currentTicket,
  undoableCommands,
  waitingTickets,
  servesQueue,
  mayHere,
  ticketByNumber,
  queueName,
  counterId: () => counterId,
  view: () => view,
};

const COMMANDS = {
  next: () => runCounterCommand('next', 'call-next'),
  start: () => runCounterCommand('start', 'start', servedTicket()),
  recall: () => runCounterCommand('recall', 'recall', servedTicket()),
  finish: () => runCounterCommand('finish', 'finish', servedTicket()),
  missed: () => runCounterCommand('missed', 'missed', servedTicket()),
  open: () => {
    const counter = currentCounter();
    if (isTaken(counter) && !counter.login_left) return dialogs.takeOver(dialogContext, counter);
    return runCounterCommand('open', 'open');
  },
  break: () => runCounterCommand(currentTicket() ? 'break.after' : 'break', 'break'),
  close: () => runCounterCommand(currentTicket() ? 'close.after' : 'close', 'close'),
  hold: () => dialogs.hold(dialogContext),
  transfer: () => dialogs.transfer(dialogContext),
  call: () => dialogs.call(dialogContext),
  undo: () => dialogs.undo(dialogContext),
  take: () => dialogs.take(dialogContext),
  queues: () => dialogs.queues(dialogContext),
  help: () => dialogs.help(KEYS),
};

/** Button of each key. */
const KEYS = {
  n: 'next',
  s: 'start',
  r: 'recall',
  f: 'finish',
  m: 'missed',
  h: 'hold',
  t: 'transfer',
  c: 'call',
  u: 'undo',
  k: 'take',
  q: 'queues',
  o: 'open',
  b: 'break',
  x: 'close',
  '?': 'help',
};

const focusFirstRow = () =>
  /** @type {HTMLElement | null} */ (document.querySelector('.line .row'))?.focus();

/** Asks the server what may be done now: time alone has allowed a recall. */
async function refresh() {
  if (isRefreshing) return;
  isRefreshing = true;
  const state = await fetchFromSite('desk').catch(() => null);
  isRefreshing = false;
  if (state && view && state.position >= view.position) applyView(state);
}

function isRecallDue() {
  const ticket = currentTicket();
  const late = ticket ? serverNow() - (ticket.recall_from ?? Infinity) : -1;
  return late >= 0 && late < RECALL_ASKED_MS && !may(ticket, 'recall');
}

/** @param {string} id */
function chooseCounter(id) {
  counterId = id;
  try {
    localStorage.setItem(STORAGE_KEY, id);
  } catch {
    /* a browser without storage */
  }
  byId('search').value = '';
  showMessage();
  showCurrentView();
  const usual = ['next', 'open', 'change'].map(byId).find(button => !button.disabled);
  usual?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function leaveCounter() {
  counterId = null;
  showMessage();
  showCurrentView();
  byId('counters').querySelector('button')?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

for (const [id, run] of Object.entries(COMMANDS)) byId(id).addEventListener('click', run);
byId('change').addEventListener('click', leaveCounter);
document.addEventListener('keydown', event => {
  const typing = document.activeElement?.matches('input, textarea, select');
  if (
    typing ||
    isDialogOpen() ||
    event.repeat ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    byId('desk').hidden
  ) {
    return;
  }
  const key = event.key.toLowerCase();
  const button = KEYS[key] && byId(KEYS[key]);
  if (key === 'v') toggleSound();
  else if (key === 'l') focusFirstRow();
  else if (key === '/') byId('search').focus();
  else if (button && !button.disabled && !button.hidden) button.click();
  else return;
  event.preventDefault();
});
document.addEventListener('keydown', event => {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.line .row')]);
  const index = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (index < 0 || !step) return;
  event.preventDefault();
  rows[index + step]?.focus();
});
byId('search').addEventListener('input', renderLine);
byId('search').addEventListener('keydown', event => {
  if (event.key === 'Enter' || event.key === 'ArrowDown') focusFirstRow();
  else if (event.key === 'Escape') {
    byId('search').value = '';
    byId('search').blur();
    renderLine();
  } else return;
  event.preventDefault();
  event.stopPropagation(); // an arrow that leads to the first row must not lead on from it
});
byId('sign-out').addEventListener('click', signOut);

onLanguageChange(renderTitle);
setInterval(() => {
  if (!view || !counterId || byId('desk').hidden) return;
  renderTimer(currentTicket());
  renderButtons();
  if (isRecallDue()) refresh();
}, 1000);
setInterval(() => {
  if (view && counterId && !byId('desk').hidden) render();
}, 10000);
storeKeyFromAddress().then(() => {
  showCurrentView();
  watchLogins();
});
