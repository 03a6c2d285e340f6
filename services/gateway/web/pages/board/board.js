// Board: the wall screen with the calls, the counters and who waits.
/** @import { CallView, CounterView, QueueView, SiteView } from '../../shared/types' */
import './words.js';
import { serverNow, fetchSite, siteEventsUrl } from '../../shared/http.js';
import { subscribe } from '../../shared/sse.js';
import { byId, createElement } from '../../shared/dom.js';
import { useTimeZone, formatTime } from '../../shared/format.js';
import { showConnection, showFatalError, keepScreenAwake } from '../../shared/page.js';
import {
  translation,
  textElement,
  languageOf,
  setName,
  onLanguageChange,
} from '../../shared/language.js';
import { announceCall } from './announcer.js';

const MIN_HERO_MS = 5000; // a call stays the large one at least so long
const RECENT_ROWS = 5; // as many as the style sheet has rows for
const MAX_LISTED = 24;
const MAX_CALL_AGE_MS = 180000; // an older call that the board did not see is not announced

/** @type {SiteView | null} the latest state */
let site = null;
/** @type {Set<string> | null} keys of the calls already announced; null before the first state */
let announcedKeys = null;
/** @type {CallView[]} */
const announcementQueue = [];
let heroUntil = 0;
let announceTimer = 0;

/** @param {CallView} call */
const callKey = call => `${call.number}/${call.counter}/${call.call}/${call.called_at}`;

/** @param {SiteView} state */
function renderSite(state) {
  site = state;
  useTimeZone(state);
  renderClock();
  renderTitle();
  setName(byId('site'), state.name);
  const calls = state.calls;
  if (announcedKeys === null || calls.length === 0) {
    announcedKeys = new Set(calls.map(callKey));
    announcementQueue.length = 0;
    renderHero(calls[0], false);
  } else {
    const newCalls = calls.filter(call => !announcedKeys.has(callKey(call))).reverse();
    announcedKeys = new Set(calls.map(callKey));
    const recentCalls = newCalls.filter(call => serverNow() - call.called_at < MAX_CALL_AGE_MS);
    announcementQueue.push(...recentCalls);
    for (const call of recentCalls) announceCall(call, state);
    announceNext();
  }
  byId('calls').replaceChildren(
    ...(calls.length
      ? calls.slice(0, RECENT_ROWS).map(recentRow)
      : [emptyElement('board.none', 'li')]),
  );
  byId('counters').replaceChildren(...state.counters.map(counterItem));
  byId('queues').replaceChildren(...state.queues.map(queueItem));
}

/** Shows one call after the other, so that none is lost when two come at once. */
function announceNext() {
  clearTimeout(announceTimer);
  const wait = heroUntil - Date.now();
  if (announcementQueue.length === 0) return;
  if (wait > 0) {
    announceTimer = setTimeout(announceNext, wait);
    return;
  }
  renderHero(announcementQueue.shift(), true);
  heroUntil = Date.now() + MIN_HERO_MS;
  announceTimer = setTimeout(announceNext, MIN_HERO_MS);
}

/**
 * Shows the large call, or that there is none.
 * @param {CallView | undefined} call
 * @param {boolean} isNew
 */
function renderHero(call, isNew) {
  const element = byId('hero');
  element.classList.toggle('quiet', !call);
  element.classList.remove('fresh');
  if (!call) {
    element.replaceChildren(emptyElement('board.quiet', 'p'));
    return;
  }
  element.replaceChildren(
    createElement('p', { class: 'number' }, call.number),
    createElement(
      'p',
      { class: 'to' },
      createElement('span', { class: 'arrow', 'aria-hidden': 'true' }, '→'),
      createElement('span', { class: 'sr' }, textElement('board.go')),
      nameElement(call.counter_name),
      call.call > 1 && textElement('board.again', {}, 'em'),
    ),
  );
  if (isNew) requestAnimationFrame(() => element.classList.add('fresh'));
}

function emptyElement(key, tag) {
  const element = textElement(key, {}, tag);
  element.className = 'none';
  return element;
}

/** @param {CallView} call */
function recentRow(call) {
  return createElement(
    'li',
    {},
    createElement('span', { class: 'number' }, call.number),
    nameElement(call.counter_name, 'where'),
    createElement('time', {}, formatTime(call.called_at)),
  );
}

/** @param {CounterView} counter */
function counterItem(counter) {
  const idle = textElement(counter.open ? 'board.free' : 'board.closed');
  idle.className = 'idle';
  return createElement(
    'li',
    { class: counter.open ? '' : 'closed' },
    nameElement(counter.name, 'where'),
    counter.serving ? createElement('span', { class: 'number' }, counter.serving.number) : idle,
  );
}

/** @param {QueueView} queue */
function queueItem(queue) {
  return createElement(
    'li',
    {},
    createElement(
      'div',
      { class: 'name' },
      createElement('strong', { lang: languageOf(queue.name) }, queue.name),
      textElement('waiting', { count: queue.waiting_count }),
    ),
    createElement(
      'ol',
      { class: 'numbers' },
      queue.waiting.slice(0, MAX_LISTED).map(ticket => createElement('li', {}, ticket.number)),
      queue.waiting_count === 0 &&
        createElement('li', { class: 'more' }, textElement('board.nobody')),
    ),
  );
}

function nameElement(name, kind) {
  return createElement('span', { lang: languageOf(name), class: kind }, name);
}

function renderTitle() {
  if (site) document.title = `${site.name} · ${translation('board.title')}`;
}

function renderClock() {
  if (site) byId('clock').textContent = formatTime();
}

async function start() {
  try {
    renderSite(await fetchSite());
  } catch (error) {
    if (!error.retryable) return showFatalError(error);
    showConnection(false);
    return setTimeout(start, 3000);
  }
  subscribe(siteEventsUrl(), { site: renderSite }, showConnection);
}

onLanguageChange(renderTitle);
keepScreenAwake();
setInterval(renderClock, 1000);
start();
