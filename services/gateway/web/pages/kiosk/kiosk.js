// Kiosk: shows a code to scan, renews it, and shows the number that a scan or a touch took.
/** @import { ApiError } from '../../shared/http.js' */
/** @import { QueueView, SiteView } from '../../shared/types' */
/** @import { Slip, SlipTaker } from './slips.js' */
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
import { followBrand } from '../../shared/brand.js';
import { byId, createElement } from '../../shared/dom.js';
import {
  useTimeZone,
  formatDateTime,
  waitingElements,
  minutesElement,
  hoursElement,
} from '../../shared/format.js';
import { showConnection, showFatalError, keepScreenAwake } from '../../shared/page.js';
import {
  translation,
  translations,
  setTextPair,
  setText,
  textElement,
  localName,
  setName,
  onLanguageChange,
  resetLanguage,
} from '../../shared/language.js';
import { fitChoices } from './fit.js';
import { forgetCode, rememberCode, unscannedCode } from './unscanned.js';

const TICKET_SHOWN_MS = 12000;
const REFUSED_SHOWN_MS = 20000; // to read, and to look for the staff
const SLIP_SHOWN_MS = 40000; // a photo takes its time
const RENEW_BEFORE_EXPIRY_MS = 15000; // a code is replaced so long before it expires
const LISTEN_AFTER_EXPIRY_MS = 5000; // and its events are still received so long after
const RETRY_PAIRED_MS = 3000; // a code that was refused, although the kiosk is paired
const IDLE_TIMEOUT_MS = 90000; // without a touch, the next person's turn

/**
 * Scan session: a code and the events of its scan.
 * @typedef {object} Session
 * @property {number} expiresAt by this machine's clock
 * @property {() => void} stop
 * @property {number} [stopTimer]
 * @property {boolean} [taken] its number was shown
 * @property {boolean} isUnknown its code was shown before, and may have been scanned meanwhile
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
let refusedTimer = 0;
let failures = 0;
/** @type {Promise<SlipTaker> | null} what gives slips, loaded where the site allows them */
let slipTaker = null;
let isAutomatic = false; // the queue was the only one, and nobody chose it
let isOpening = false; // a session was asked for, without an answer yet
let isPairing = false; // it is asked whether a manager has paired this kiosk, or waited for
let needsPairing = false; // the site admits paired kiosks alone

/** @param {'choose' | 'scan' | 'taken' | 'pair'} view */
function showView(view) {
  for (const name of ['choose', 'scan', 'taken', 'pair']) byId(name).hidden = name !== view;
  if (view === 'choose') fitChoices(byId('queues'));
}

const currentQueue = () => site?.queues.find(queue => queue.id === queueId);
/** True if people choose from several services here. */
const hasChoice = () => !hasFixedQueue && site.queues.length !== 1;

/**
 * Shows the newest state of the site, in whatever view the kiosk is.
 * @param {SiteView} state
 */
function renderSite(state) {
  site = state;
  useTimeZone(state);
  setName(byId('site'), state.name, state.name_en);
  followBrand(state.brand);
  renderTitle();
  renderQueueButtons();
  if (state.kiosk_slips) slipTaker ??= import('./slips.js');
  if (state.paired_kiosks_only && !needsPairing) pair();
  needsPairing = Boolean(state.paired_kiosks_only);
  if (isPairing) return;
  if (!hasChoice() && queueId === null) {
    queueId = state.queues[0].id;
    isAutomatic = true;
  }
  byId('back').hidden = !hasChoice();
  if (hasChoice() && isAutomatic) leaveQueue();
  else if (queueId === null) {
    if (byId('taken').hidden) showView('choose');
  } else if (currentQueue() || hasFixedQueue) renderQueue(currentQueue());
  else leaveQueue();
}

/** Shows the code for a manager, if this kiosk is not paired, until it is. */
async function pair() {
  if (isPairing) return;
  isPairing = true;
  const show = () => {
    closeSessions();
    showView('pair');
  };
  let hasWaited = false;
  try {
    const { untilPaired } = await import('./pairing.js');
    hasWaited = await untilPaired(show);
  } catch {
    /* asked again when a code is refused */
  }
  isPairing = false;
  if (hasWaited) {
    const query = new URLSearchParams(location.search);
    query.delete('pair');
    history.replaceState(null, '', `${location.pathname}${String(query) && `?${query}`}`);
    failures = 0;
    byId('pair').hidden = true;
  } else if (failures > 0) renewTimer = setTimeout(renewSession, RETRY_PAIRED_MS);
  if (site) renderSite(site);
}

/** The owner has removed the queue that was shown, or there is a choice now. */
function leaveQueue() {
  closeSessions();
  isAutomatic = !hasChoice();
  queueId = hasChoice() ? null : site.queues[0].id;
  if (!byId('taken').hidden) return;
  if (queueId === null) showQueueChoice();
  else renderQueue(currentQueue());
}

/**
 * Shows the chosen queue, and a code while it gives numbers.
 * @param {QueueView | undefined} queue
 */
function renderQueue(queue) {
  setName(byId('queue'), queue?.name || '', queue?.name_en);
  byId('waiting').replaceChildren(...(queue ? queueNews(queue) : []));
  const gives = Boolean(queue && queue.open !== false);
  byId('no-wechat').hidden = !gives || !site.kiosk_slips;
  byId('scan').classList.toggle('shut', !gives);
  if (byId('taken').hidden) showView('scan');
  if (gives) {
    // After a failure, the next attempt has its time.
    if (!currentSession && !isOpening && failures === 0) renewSession();
    return;
  }
  closeSessions();
  byId('refused').hidden = true;
  showTrouble(
    ...(queue
      ? queueNews(queue)
      : [setTextPair(createElement('strong'), translations('kiosk.no-queue'))]),
  );
}

/**
 * What is to know of a queue: how many wait and how long, that nobody is called, or that it gives
 * no numbers, and until when.
 * @param {QueueView} queue
 */
function queueNews(queue) {
  if (queue.open === false) {
    return [
      textElement(`kiosk.shut.${queue.state}`),
      ...(queue.hours
        ? [createElement('span', { class: 'hours' }, hoursElement(queue.hours))]
        : []),
    ];
  }
  if (queue.state === 'halted') return [textElement('kiosk.halted')];
  return waitingElements(queue);
}

function renderTitle() {
  if (!site) return;
  document.title = `${localName(site.name, site.name_en)} · ${translation('kiosk.title')}`;
}

/** Updates the buttons of the queues. Those that stay are not replaced under a finger. */
function renderQueueButtons() {
  const list = byId('queues');
  const buttons = site.queues.map(queue => {
    const button =
      [...list.children].find(child => child.value === queue.id) ||
      createElement(
        'button',
        { type: 'button', class: 'queue', value: queue.id, onclick: () => chooseQueue(queue.id) },
        createElement('strong'),
        createElement('span', { class: 'state' }),
      );
    button.disabled = queue.open === false;
    setName(button.firstChild, queue.name, queue.name_en);
    button.lastChild.replaceChildren(...queueNews(queue));
    return button;
  });
  const empty = [createElement('p', { class: 'soft' }, textElement('kiosk.no-queues'))];
  const wanted = buttons.length > 0 ? buttons : empty;
  const isSame =
    wanted.length === list.children.length &&
    wanted.every((button, index) => button === list.children[index]);
  if (!isSame) list.replaceChildren(...wanted);
  fitChoices(list);
}

/** @param {string} id */
function chooseQueue(id) {
  closeSessions();
  queueId = id;
  isAutomatic = false;
  byId('refused').hidden = true;
  renderQueue(currentQueue());
}

function showQueueChoice() {
  closeSessions();
  queueId = null;
  byId('refused').hidden = true;
  showView('choose');
  byId('queues').querySelector('button:enabled')?.focus({ preventScroll: true });
}

/** Ends both sessions: their codes work on, and nobody here waits for what they bring. */
function closeSessions() {
  clearTimeout(renewTimer);
  stopSession(currentSession);
  stopSession(previousSession);
  currentSession = null;
  previousSession = null;
  isOpening = false;
  failures = 0;
  hideCode();
}

/** Takes the code away: it is another service's, or used. */
function hideCode() {
  byId('code').hidden = true;
  byId('phone').hidden = true;
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
  if (isPairing) return;
  const requestedQueue = queueId;
  const uuid = currentSession ? undefined : unscannedCode(requestedQueue);
  let created;
  isOpening = true;
  try {
    created = await fetchJson('/api/v1/scan-sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ purpose: 'ticket', site: siteId, queue: requestedQueue, uuid }),
    });
  } catch (error) {
    forgetCode(requestedQueue);
    if (requestedQueue !== queueId) return;
    isOpening = false;
    showCodeError(error);
    if (error.code === 'kiosk_not_paired') pair();
    // This state of the site is no longer right; the stream brings the next one, too.
    if (error.code === 'unknown_queue') fetchSite().then(renderSite, () => {});
    return;
  }
  // Meanwhile somebody chose another queue, or it stopped giving numbers.
  if (requestedQueue !== queueId || !isOpening) return;
  isOpening = false;
  failures = 0;
  retireSession(currentSession);
  /** @type {Session} */
  const session = {
    expiresAt: created.expires_at + clockOffset,
    stop: () => {},
    isUnknown: uuid !== undefined,
  };
  rememberCode(requestedQueue, { uuid: created.uuid, expiresAt: session.expiresAt });
  session.stop = subscribe(
    created.events,
    {
      pending: () => {
        session.isUnknown = false;
      },
      scanned: () => {
        forgetCode(requestedQueue);
        if (session !== currentSession) return;
        if (session.isUnknown) replaceSession();
        else byId('scan').classList.add('scanned');
      },
      refused: ({ limit: count }) => {
        forgetCode(requestedQueue);
        if (session === currentSession) showRefusedScan(count);
      },
      ticket: ticket => session.isUnknown || showTicket(session, ticket),
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
  byId('trouble').replaceChildren();
  byId('phone').hidden = !created.scan_link;
  if (created.scan_link) byId('phone').href = created.scan_link;
  const lifetime = session.expiresAt - Date.now();
  renewTimer = setTimeout(
    renewSession,
    Math.max(5000, lifetime - Math.min(RENEW_BEFORE_EXPIRY_MS, lifetime / 4)),
  );
}

/** Makes a new code in the place of one whose number somebody has taken away. */
function replaceSession() {
  stopSession(currentSession);
  currentSession = null;
  hideCode();
  renewSession();
}

/**
 * Shows why there is no code, and tries again. A code that still works stays.
 * @param {ApiError} error
 */
function showCodeError(error) {
  failures += 1;
  const codeWorks = currentSession && currentSession.expiresAt > Date.now() + 2000 && error.code;
  if (!codeWorks) {
    showTrouble(setTextPair(createElement('strong'), error.texts), textElement('retrying'));
  }
  clearTimeout(renewTimer);
  renewTimer = setTimeout(renewSession, Math.min(20000, 1500 * 2 ** Math.min(failures, 4)));
}

/**
 * Shows lines in the place of the code.
 * @param {...HTMLElement} lines
 */
function showTrouble(...lines) {
  hideCode();
  byId('scan').classList.remove('scanned');
  byId('scan').classList.add('broken');
  byId('trouble').hidden = false;
  byId('trouble').replaceChildren(...lines);
}

/**
 * Tells whoever scanned that they have taken as many numbers as one person may.
 * @param {number} count
 */
function showRefusedScan(count) {
  clearTimeout(refusedTimer);
  setTextPair(byId('refused'), translations('kiosk.person-limit', { count }));
  byId('refused').hidden = false;
  refusedTimer = setTimeout(() => {
    byId('refused').hidden = true;
  }, REFUSED_SHOWN_MS);
}

/** Takes a number without WeChat. */
async function takePaperNumber() {
  const button = byId('no-wechat');
  button.disabled = true;
  byId('refused').hidden = true;
  try {
    const { takeSlip, hasPrinter } = await slipTaker;
    showSlip(await takeSlip(queueId), hasPrinter);
  } catch (error) {
    if (!error.texts) slipTaker = import('./slips.js');
    setTextPair(byId('refused'), error.textsWithHours || translations('unreachable'));
    byId('refused').hidden = false;
    if (error.code === 'kiosk_not_paired') pair();
  }
  button.disabled = false;
}

/**
 * @param {Slip} slip
 * @param {boolean} hasPrinter
 */
function showSlip(slip, hasPrinter) {
  renderTicket(slip);
  setText(byId('told'), 'kiosk.told.slip');
  byId('told').hidden = false;
  byId('slip').hidden = !slip.code;
  if (slip.code) byId('slip-code').src = `data:image/svg+xml,${encodeURIComponent(slip.code)}`;
  setText(byId('when'), 'kiosk.slip.when', { date: formatDateTime(slip.taken_at) });
  byId('when').hidden = false;
  byId('print').hidden = !hasPrinter;
  byId('taken').classList.add('with-slip');
  showTaken(SLIP_SHOWN_MS);
  if (hasPrinter) {
    byId('slip-code')
      .decode()
      .catch(() => {})
      .then(() => print());
  }
}

function showTicket(session, ticket) {
  if (session.taken) return;
  session.taken = true;
  stopSession(session);
  if (session === currentSession) currentSession = null;
  renderTicket(ticket);
  for (const name of ['slip', 'when', 'print']) byId(name).hidden = true;
  byId('taken').classList.remove('with-slip');
  showTaken(TICKET_SHOWN_MS);
}

function renderTicket(ticket) {
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
}

/**
 * Shows the number for a while. A kiosk of one queue makes its next code meanwhile.
 * @param {number} duration in milliseconds
 */
function showTaken(duration) {
  showView('taken');
  byId('taken').style.setProperty('--shown', `${duration}ms`);
  byId('taken').classList.remove('counting');
  requestAnimationFrame(() => byId('taken').classList.add('counting'));
  if (hasChoice()) {
    closeSessions();
    queueId = null;
  } else if (!currentSession && currentQueue()?.open !== false) renewSession();
  clearTimeout(ticketTimer);
  ticketTimer = setTimeout(endTaken, duration);
}

/** The next person begins with the choice of a service, where there is one. */
function endTaken() {
  clearTimeout(ticketTimer);
  if (byId('taken').hidden) return;
  byId('taken').hidden = true;
  resetLanguage();
  if (hasChoice()) showQueueChoice();
  else renderQueue(currentQueue());
  restartIdleTimer();
}

/** Resets the kiosk for the next person when somebody leaves in the middle. */
function restartIdleTimer() {
  clearTimeout(idleTimer);
  idleTimer = setTimeout(() => {
    resetLanguage();
    if (site && hasChoice() && !byId('scan').hidden) showQueueChoice();
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
  subscribe(siteEventsUrl(), { site: renderSite }, showConnection);
}

byId('back').addEventListener('click', showQueueChoice);
byId('next').addEventListener('click', endTaken);
byId('no-wechat').addEventListener('click', takePaperNumber);
byId('print').addEventListener('click', () => print());
addEventListener('resize', () => fitChoices(byId('queues')));
for (const type of ['pointerdown', 'keydown']) document.addEventListener(type, restartIdleTimer);
// A finger that rests on a tablet opens no menu.
document.addEventListener('contextmenu', event => event.preventDefault());
onLanguageChange(() => {
  renderTitle();
  fitChoices(byId('queues'));
});
keepScreenAwake();
// `?pair` in the address: a manager is about to pair this kiosk, which the site need not ask for.
if (new URLSearchParams(location.search).has('pair')) pair();
document.addEventListener('visibilitychange', () => {
  // Timers of a hidden page run late.
  if (
    !document.hidden &&
    currentQueue()?.open !== false &&
    queueId !== null &&
    byId('choose').hidden &&
    (!currentSession || currentSession.expiresAt < Date.now() + RENEW_BEFORE_EXPIRY_MS)
  ) {
    renewSession();
  }
});
start();
