// What the pages share: asking the server, hearing from it, and putting elements together.
import { pair, put, putName, said } from './language.js';

/** The site that the page is about: the last part of its path. */
export const site = decodeURIComponent(location.pathname.split('/')[2] || '');

/** A "no" of the server, or of the network, in a person's words. */
export class Refusal extends Error {
  constructor({ code, title, title_en: english, detail, problems }, status) {
    super(title);
    Object.assign(this, { code, title, english: english || '', detail: detail || '', problems, status });
  }
  /** Both sentences, Chinese first. */
  get pair() {
    return [this.title, this.english];
  }
  /** Whether asking again in a moment may help. */
  get passing() {
    return this.code === 'offline' || this.status >= 500 || this.status === 429;
  }
}

/** A "no" that the page itself says. */
export function own(code, key, status = 0) {
  const [title, english] = pair(key);
  return new Refusal({ code, title, title_en: english }, status);
}

/** The page that logs in, and leads back here. */
const loginPage = () => `/login?to=${encodeURIComponent(location.pathname + location.search)}`;

export const toLogin = () => location.replace(loginPage());

/** For somebody whom the server knows, and does not let in here. */
export const asSomebodyElse = () => put(make('a', { href: loginPage() }), pair('login.as-other'));

/** Milliseconds by which this machine's clock is ahead of the server's. */
export let clockAhead = 0;

function compare(answer) {
  const date = Date.parse(answer.headers.get('date'));
  if (date) clockAhead = Date.now() - date;
}

/** The answer to a request as JSON. Throws a `Refusal`. */
export async function ask(path, options = {}) {
  const headers = { ...(options.body && { 'content-type': 'application/json' }), ...options.headers };
  // What a page of another site cannot send: a session's cookie counts only beside it.
  if (options.method) headers['x-paihao-page'] = '1';
  let answer;
  try {
    answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(12000), ...options, headers });
  } catch {
    throw own('offline', 'unreachable');
  }
  compare(answer);
  if (answer.status === 204) return null;
  let body;
  try {
    body = await answer.json();
  } catch {
    throw own('odd', 'unreadable', answer.status);
  }
  if (!answer.ok) throw new Refusal(body, answer.status);
  options.seen?.(answer);
  return body;
}

export const siteState = () => ask(`/api/v1/sites/${encodeURIComponent(site)}`);
export const siteEvents = () => `/api/v1/sites/${encodeURIComponent(site)}/events`;

const SILENT_MS = 40000; // the server says something every fifteen seconds
const AGAIN_MS = 5000; // the longest wait before the next attempt

/**
 * Hears server-sent events until the returned function is called. Lets go of the connection while
 * nobody looks, unless it is to be heard `always`: a browser has only six to one server, for all its
 * windows together. Reads the answer
 * itself, since an `EventSource` takes no headers and does not notice a server that fell silent.
 * `whenConnected` hears whether the server is heard, and if not, its "no" where it said one.
 */
export function hear(url, handlers, whenConnected = () => {}, { headers = () => ({}), always = false } = {}) {
  let heard = null;
  let later = 0;
  let over = false;
  let failed = 0;
  const close = () => {
    clearTimeout(later);
    heard?.abort();
    heard = null;
  };
  const open = async () => {
    if (over || heard || (document.hidden && !always)) return;
    const mine = new AbortController();
    heard = mine;
    let silent = 0;
    let refusal = null;
    const alive = () => {
      clearTimeout(silent);
      silent = setTimeout(() => mine.abort(), SILENT_MS);
    };
    alive();
    try {
      const answer = await fetch(url, { cache: 'no-store', headers: headers(), signal: mine.signal });
      if (!answer.ok) refusal = new Refusal(await answer.json().catch(() => ({})), answer.status);
      if (refusal) throw refusal;
      failed = 0;
      compare(answer);
      whenConnected(true);
      await read(answer.body.getReader(), handlers, alive);
    } catch { /* said below */ }
    clearTimeout(silent);
    if (heard !== mine) return;
    heard = null;
    failed += 1;
    later = setTimeout(open, refusal ? 3000 : Math.min(AGAIN_MS, 500 * 2 ** failed));
    whenConnected(false, refusal);
  };
  const look = () => (document.hidden && !always ? close() : open());
  document.addEventListener('visibilitychange', look);
  open();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', look);
    close();
  };
}

/** Reads events until the stream ends. */
async function read(stream, handlers, alive) {
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await stream.read();
    if (done) return;
    alive();
    text += decoder.decode(value, { stream: true });
    const events = text.split('\n\n');
    text = events.pop();
    for (const event of events) {
      const field = name => event.split('\n').find(line => line.startsWith(`${name}:`))?.slice(name.length + 1).trim();
      const data = field('data');
      handlers[field('event')]?.(data ? JSON.parse(data) : {});
    }
  }
}

/** Shows whether the server is heard; `body` carries the class `offline` meanwhile. */
export function showConnected(connected) {
  document.body.classList.toggle('offline', !connected);
  const note = document.getElementById('offline');
  if (note) note.hidden = connected;
}

/** An element with attributes (handlers where the name begins with "on") and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child != null && child !== false));
  return element;
}

export const byId = id => document.getElementById(id);

/** The moment, by the server's clock. */
export const now = () => Date.now() - clockAhead;

const reader = timeZone => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone });
let clocks = reader();

/** From now on the clocks are those of a site, wherever this machine says it is. */
export function clocksOf({ zone }) {
  if (clocks.zone === zone) return;
  try {
    clocks = reader(zone);
  } catch { /* a browser that does not know the zone */ }
  clocks.zone = zone;
}

/** Hours and minutes of a moment. */
export const clock = (at = now()) => clocks.format(at);

const two = number => String(number).padStart(2, '0');

/** Day and minute of a moment by this machine's clock, the same in both languages. */
export function stamp(at) {
  const date = new Date(at);
  return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** How many wait, and how long that takes now where the server says so. */
export function waiting({ waiting_count: count, minutes }) {
  if (count === 0) return [said('waiting.none')];
  return [said('waiting', { count }), ...(minutes ? [lasting('wait', minutes)] : [])];
}

/** A range of minutes in the words under a key. */
export function lasting(key, [low, high]) {
  if (high <= 5) return said(`${key}.short`);
  if (low >= 60) return said(`${key}.long`);
  return said(key, { low, high });
}

/** Says in place of the page's content why there is none. */
export function giveUp(refusal, ...links) {
  const title = document.getElementById('site');
  if (title) putName(title, '排号 paihao');
  const main = document.querySelector('main');
  main.replaceChildren(make('div', { class: 'message' }, put(make('h2'), refusal.pair),
    [...links, put(make('a', { href: '/' }), pair('index.title'))].map(link => make('p', {}, link))));
}

/** Keeps the screen awake where the browser can, whenever the page is looked at. */
export function stayAwake() {
  const ask = () => { if (!document.hidden) navigator.wakeLock?.request('screen').catch(() => {}); };
  document.addEventListener('visibilitychange', ask);
  ask();
}
