// Board: the wall screen with the calls, the counters and who waits.
/** @import { CallView, CounterView, QueueView, SiteView } from '../../shared/types' */
import './words.js';
import { serverNow, fetchSite, siteEventsUrl } from '../../shared/http.js';
import { subscribe } from '../../shared/sse.js';
import { byId, createElement } from '../../shared/dom.js';
import { useTimeZone, formatTime, minutesElement } from '../../shared/format.js';
import { showConnection, showFatalError, keepScreenAwake } from '../../shared/page.js';
import {
  translation,
  textElement,
  localName,
  nameElement,
  setName,
  onLanguageChange,
} from '../../shared/language.js';
import { followBrand } from '../../shared/brand.js';
import { announceCall, setSite } from './announcer.js';
import { hideWhileIdle } from './idle.js';
import { PagedList, showFittingRows } from './layout.js';

const MIN_HERO_MS = 5000; // a call stays the large one at least so long
const MIN_HERO_BEHIND_MS = 2500; // and so long while several others wait
const MAX_LISTED = 24;
const MAX_CALL_AGE_MS = 180000; // an older call that the board did not see is not announced

const counters = new PagedList(byId('counters'), 'counters');
const queues = new PagedList(byId('queues'), 'queues');
// ?codes=off: without the queues' permanent codes, which are shown where there is room.
const hasCodes = new URLSearchParams(location.search).get('codes') !== 'off';

/** @type {SiteView | null} the latest state */
let site = null;
/** @type {Set<string> | null} keys of the calls already announced; null before the first state */
let announcedKeys = null;
/** @type {CallView[]} */
let announcementQueue = [];
/** @type {CallView | undefined} the large one */
let hero;
let heroSince = 0;
let announceTimer = 0;

/** @param {CallView} call */
const callKey = call => `${call.number}/${call.counter}/${call.call}/${call.called_at}`;

/** @param {SiteView} state */
function renderSite(state) {
  site = state;
  document.body.classList.remove('loading');
  useTimeZone(state);
  renderClock();
  renderTitle();
  setName(byId('site'), state.name, state.name_en);
  setSite(state);
  followBrand(state.brand);
  const calls = state.calls;
  if (announcedKeys === null || calls.length === 0) {
    announcementQueue = [];
    renderHero(calls[0], false);
  } else {
    const newCalls = calls.filter(call => !announcedKeys?.has(callKey(call))).reverse();
    const recentCalls = newCalls.filter(call => serverNow() - call.called_at < MAX_CALL_AGE_MS);
    // A call that was withdrawn, or made once more, is not shown.
    const isThere = call => calls.some(other => callKey(other) === callKey(call));
    announcementQueue = [...announcementQueue.filter(isThere), ...recentCalls];
    for (const call of recentCalls) announceCall(call);
    if (hero && !calls.some(call => call.number === hero?.number)) {
      heroSince = 0;
      if (announcementQueue.length === 0) renderHero(calls[0], false);
    }
    announceNext();
  }
  announcedKeys = new Set(calls.map(callKey));
  renderLists();
}

function renderLists() {
  if (!site) return;
  const { calls } = site;
  const isRoomy = queues.isRoomy(site.queues.length);
  // The lists below decide how much room there is for the calls.
  counters.show(site.counters.map(counterItem));
  queues.show(site.queues.map(queue => queueItem(queue, isRoomy)));
  showFittingRows(
    byId('calls'),
    calls.length ? calls.map(recentRow) : [emptyElement('board.none', 'li')],
  );
}

/** Shows one call after the other, so that none is lost when two come at once. */
function announceNext() {
  clearTimeout(announceTimer);
  if (announcementQueue.length === 0) return;
  const minimum = announcementQueue.length > 2 ? MIN_HERO_BEHIND_MS : MIN_HERO_MS;
  const wait = heroSince + minimum - Date.now();
  if (wait > 0) {
    announceTimer = setTimeout(announceNext, wait);
    return;
  }
  renderHero(announcementQueue.shift(), true);
  heroSince = Date.now();
  announceTimer = setTimeout(announceNext, MIN_HERO_BEHIND_MS);
}

/**
 * Shows the large call, or that there is none.
 * @param {CallView | undefined} call
 * @param {boolean} isNew
 */
function renderHero(call, isNew) {
  hero = call;
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
      nameElement(call.counter_name, call.counter_name_en),
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
    placeElement(call.counter_name, call.counter_name_en),
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
    placeElement(counter.name, counter.name_en),
    counter.serving ? createElement('span', { class: 'number' }, counter.serving.number) : idle,
  );
}

/**
 * @param {QueueView} queue
 * @param {boolean} isRoomy
 */
function queueItem(queue, isRoomy) {
  const numbers = createElement(
    'ol',
    { class: 'numbers' },
    queue.waiting.slice(0, MAX_LISTED).map(ticket => createElement('li', {}, ticket.number)),
    queue.waiting_count === 0 &&
      createElement('li', { class: 'more' }, textElement('board.nobody')),
  );
  return createElement(
    'li',
    { class: queue.state === 'open' ? '' : 'stopped' },
    createElement(
      'div',
      { class: 'text' },
      createElement(
        'div',
        { class: 'name' },
        nameElement(queue.name, queue.name_en, 'strong'),
        queue.state !== 'open' && tag(`board.queue.${queue.state}`, 'state'),
        createElement(
          'span',
          { class: 'count' },
          textElement('waiting', { count: queue.waiting_count }),
        ),
      ),
      isRoomy && numbers,
      isRoomy &&
        createElement(
          'p',
          { class: 'facts' },
          queue.minutes && minutesElement('wait', queue.minutes),
          queue.missed_count > 0 && textElement('board.missed', { count: queue.missed_count }),
        ),
    ),
    isRoomy && hasCodes && queue.door_code && queue.open && codeImage(queue),
  );
}

function tag(key, kind) {
  const element = textElement(key);
  element.className = kind;
  return element;
}

/** @type {Map<string, HTMLImageElement>} images of codes, kept so that none is loaded again */
const codeImages = new Map();

/** @param {QueueView} queue */
function codeImage(queue) {
  let image = codeImages.get(queue.id);
  if (!image) {
    image = createElement('img', {
      class: 'code',
      alt: '',
      src: `/api/v1/sites/${site?.site}/queues/${queue.id}/door.svg`,
    });
    // An account without permanent codes.
    image.addEventListener('error', () => image?.remove());
    codeImages.set(queue.id, image);
  }
  return image;
}

function placeElement(name, nameEn) {
  const element = nameElement(name, nameEn);
  element.className = 'where';
  return element;
}

function renderTitle() {
  if (!site) return;
  document.title = `${localName(site.name, site.name_en)} · ${translation('board.title')}`;
}

function renderClock() {
  if (site) byId('clock').textContent = formatTime();
}

async function start() {
  try {
    renderSite(await fetchSite());
  } catch (error) {
    if (!error.retryable) {
      document.body.classList.remove('loading');
      return showFatalError(error);
    }
    showConnection(false);
    return setTimeout(start, 3000);
  }
  // A board goes on speaking behind another window.
  subscribe(siteEventsUrl(), { site: renderSite }, showConnection, { always: true });
}

onLanguageChange(renderTitle);
keepScreenAwake();
hideWhileIdle();
setInterval(renderClock, 1000);
addEventListener('resize', renderLists);
start();
