// Kiosk: shows a code to scan, renews it, and shows the number that a scan took.
/** @import { ApiError } from '../../shared/http.js' */
/** @import { QueueView, SiteView } from '../../shared/types' */
import './words.js';
import {
  siteId,
  pageError,
  clockOffset,
  fetchJson,
  fetchSite,
  siteEventsUrl,
} from '../../shared/http.js';
import { subscribe } from '../../shared/sse.js';
import { byId, createElement } from '../../shared/dom.js';
import { useTimeZone, waitingElements, minutesElement, hoursElement } from '../../shared/format.js';
import { showConnection, showFatalError, keepScreenAwake } from '../../shared/page.js';
import {
  translation,
  setTextPair,
  setText,
  textElement,
  localName,
  nameElement,
  setName,
  onLanguageChange,
  resetLanguage,
} from '../../shared/language.js';

const TICKET_SHOWN_MS = 12000;
const RENEW_BEFORE_EXPIRY_MS = 15000; // a code is replaced so long before it expires
const LISTEN_AFTER_EXPIRY_MS = 5000; // and its events are still received so long after
const IDLE_TIMEOUT_MS = 90000; // without a touch, the next person's turn

/**
 * Scan session: a code and the events of its scan.
 * @typedef {object} Session
 * @property {number} expiresAt by this machine's clock
 * @property {() => void} stop
 * @property {number} [stopTimer]
 * @property {boolean} [taken] its number was shown
 */

/** @type {SiteView | null} the latest state */
let site = null;
let queueId = new URLSearchParams(location.search).get('queue');
const hasFixedQueue = queueId !== null;
/** @type {Session | null} the session whose code is shown */
let currentSession = null;
/** @type {Session | null} the one before, whose code somebody may just be scanning */
let previousSession = null;
let renewTimer = 0;
let ticketTimer = 0;
let idleTimer = 0;
let failures = 0;

function showView(view) {
  for (const name of ['choose', 'scan', 'taken']) byId(name).hidden = name !== view;
}

const currentQueue = () => site.queues.find(queue => queue.id === queueId);

/** @param {SiteView} state */
function renderSite(state) {
  site = state;
  useTimeZone(state);
  setName(byId('site'), state.name, state.name_en);
  renderTitle();
  renderQueueButtons();
  const queue = currentQueue();
  if (!queue) return;
  setName(byId('queue'), queue.name, queue.name_en);
  byId('waiting').replaceChildren(...queueNews(queue));
  byId('back').hidden = hasFixedQueue || state.queues.length < 2;
}

/**
 * What is to know of a queue: how many wait and how long, or that it is closed, and until when.
 * @param {QueueView} queue
 */
function queueNews(queue) {
  if (queue.open !== false) return waitingElements(queue);
  return [textElement('kiosk.closed'), ...(queue.hours ? [hoursElement(queue.hours)] : [])];
}

function renderTitle() {
  if (!site) return;
  document.title = `${localName(site.name, site.name_en)} · ${translation('kiosk.title')}`;
}

/** Updates the texts of the buttons, which stay in place under a finger. */
function renderQueueButtons() {
  const buttons = byId('queues');
  for (const queue of site.queues) {
    let button = [...buttons.children].find(button => button.value === queue.id);
    if (!button) {
      button = createElement(
        'button',
        { type: 'button', class: 'queue', value: queue.id, onclick: () => chooseQueue(queue.id) },
        nameElement(queue.name, queue.name_en, 'strong'),
        createElement('span', { class: 'state' }),
      );
      buttons.append(button);
    }
    button.disabled = queue.open === false;
    button.lastChild.replaceChildren(...queueNews(queue));
  }
}

function chooseQueue(id) {
  queueId = id;
  renderSite(site);
  showView('scan');
  renewSession();
}

function showQueueChoice() {
  clearTimeout(renewTimer);
  stopSession(currentSession);
  stopSession(previousSession);
  currentSession = null;
  queueId = null;
  showView('choose');
  byId('queues').querySelector('button:enabled')?.focus();
}

/**
 * Ends the subscription of a session: each holds a connection, of which a browser has only a few.
 * @param {Session | null} session
 */
function stopSession(session) {
  if (!session) return;
  clearTimeout(session.stopTimer);
  session.stop();
}

/**
 * Keeps a session that is no longer shown, until some time after its code expired.
 * @param {Session | null} session
 */
function retireSession(session) {
  stopSession(previousSession);
  previousSession = session;
  if (session) {
    session.stopTimer = setTimeout(
      session.stop,
      Math.max(0, session.expiresAt - Date.now()) + LISTEN_AFTER_EXPIRY_MS,
    );
  }
}

/** Creates a session and shows its code; the events of the previous one are received until it ends. */
async function renewSession() {
  clearTimeout(renewTimer);
  const requestedQueue = queueId;
  let created;
  try {
    created = await fetchJson('/api/v1/scan-sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ purpose: 'ticket', site: siteId, queue: requestedQueue }),
    });
  } catch (error) {
    if (requestedQueue === queueId) showCodeError(error);
    return;
  }
  if (requestedQueue !== queueId) return;
  failures = 0;
  retireSession(currentSession);
  /** @type {Session} */
  const session = { expiresAt: created.expires_at + clockOffset, stop: () => {} };
  session.stop = subscribe(
    created.events,
    {
      scanned: () => session === currentSession && byId('scan').classList.add('scanned'),
      ticket: ticket => showTicket(session, ticket),
      expired: () => session === currentSession && renewSession(),
    },
    (_, refusal) => refusal && (session === currentSession ? renewSession() : stopSession(session)),
  );
  currentSession = session;
  byId('scan').classList.remove('scanned', 'broken');
  const picture = byId('code');
  picture.onerror = () =>
    session === currentSession && showCodeError(pageError('odd', 'kiosk.undrawn'));
  picture.src = created.qr_svg;
  picture.hidden = false;
  byId('trouble').hidden = true;
  byId('phone').hidden = !created.scan_link;
  if (created.scan_link) byId('phone').href = created.scan_link;
  const lifetime = session.expiresAt - Date.now();
  renewTimer = setTimeout(
    renewSession,
    Math.max(5000, lifetime - Math.min(RENEW_BEFORE_EXPIRY_MS, lifetime / 4)),
  );
}

/**
 * Shows why there is no code, and tries again. A code that still works stays.
 * @param {ApiError} error
 */
function showCodeError(error) {
  failures += 1;
  const codeWorks = currentSession && currentSession.expiresAt > Date.now() + 2000 && error.code;
  if (!codeWorks) {
    byId('code').hidden = true;
    byId('phone').hidden = true;
    byId('scan').classList.add('broken');
    byId('trouble').hidden = false;
    byId('trouble').replaceChildren(
      setTextPair(createElement('strong'), error.texts),
      textElement('retrying'),
    );
  }
  clearTimeout(renewTimer);
  renewTimer = setTimeout(renewSession, Math.min(20000, 1500 * 2 ** Math.min(failures, 4)));
}

function showTicket(session, ticket) {
  if (session.taken) return;
  session.taken = true;
  stopSession(session);
  if (session === currentSession) currentSession = null;
  const queue = site.queues.find(({ id }) => id === ticket.queue);
  byId('number').textContent = ticket.number;
  setName(byId('of'), queue ? queue.name : '', queue?.name_en);
  const { ahead, minutes, state, queue_state: queueState } = ticket;
  const stopped = ['halted', 'closed'].includes(queueState);
  const counter = site.counters.find(({ id }) => id === ticket.counter);
  setText(byId('taken-title'), state ? 'kiosk.taken.again' : 'kiosk.taken');
  if (state) setText(byId('ahead'), `kiosk.state.${state}`);
  else setText(byId('ahead'), ahead === 0 ? 'kiosk.first' : 'kiosk.ahead', { count: ahead });
  byId('minutes').replaceChildren(...(minutes ? [minutesElement('kiosk.minutes', minutes)] : []));
  if (counter) setName(byId('minutes'), counter.name, counter.name_en);
  byId('minutes').hidden = !minutes && !counter;
  if (stopped) setText(byId('told'), `kiosk.queue.${queueState}`);
  else setText(byId('told'), 'kiosk.told');
  byId('told').hidden = Boolean(state);
  showView('taken');
  byId('taken').classList.remove('counting');
  requestAnimationFrame(() => byId('taken').classList.add('counting'));
  renewSession();
  clearTimeout(ticketTimer);
  ticketTimer = setTimeout(returnToScan, TICKET_SHOWN_MS);
}

function returnToScan() {
  clearTimeout(ticketTimer);
  if (byId('taken').hidden) return;
  showView('scan');
  restartIdleTimer();
}

/** Resets the kiosk for the next person when somebody leaves in the middle. */
function restartIdleTimer() {
  clearTimeout(idleTimer);
  idleTimer = setTimeout(() => {
    resetLanguage();
    const hasChosen = !hasFixedQueue && site && site.queues.length > 1 && !byId('scan').hidden;
    if (hasChosen) showQueueChoice();
  }, IDLE_TIMEOUT_MS);
}

async function start() {
  try {
    renderSite(await fetchSite());
  } catch (error) {
    if (!error.retryable) return showFatalError(error);
    showConnection(false);
    return setTimeout(start, 3000);
  }
  showConnection(true);
  if (queueId !== null && !currentQueue()) {
    return showFatalError(pageError('unknown', 'kiosk.no-queue', 404));
  }
  if (queueId === null && site.queues.length === 1) queueId = site.queues[0].id;
  subscribe(siteEventsUrl(), { site: renderSite }, showConnection);
  if (queueId === null) return showView('choose');
  chooseQueue(queueId);
}

byId('back').addEventListener('click', showQueueChoice);
byId('next').addEventListener('click', returnToScan);
for (const type of ['pointerdown', 'keydown']) document.addEventListener(type, restartIdleTimer);
// A finger that rests on a tablet opens no menu.
document.addEventListener('contextmenu', event => event.preventDefault());
onLanguageChange(renderTitle);
keepScreenAwake();
document.addEventListener('visibilitychange', () => {
  // Timers of a hidden page run late.
  if (
    !document.hidden &&
    queueId !== null &&
    (!currentSession || currentSession.expiresAt < Date.now() + RENEW_BEFORE_EXPIRY_MS)
  ) {
    renewSession();
  }
});
start();
