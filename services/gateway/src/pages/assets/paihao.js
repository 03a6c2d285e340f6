// What the pages share: asking the server, hearing from it, and putting elements together.
import { pair, put, putName, said } from './language.js';

/** The site that the page is about: the last part of its path. */
export const site = decodeURIComponent(location.pathname.split('/')[2] || '');

/** A "no" of the server, or of the network, in a person's words. */
export class Refusal extends Error {
  constructor({ code, title, title_en: english, detail }, status) {
    super(title);
    Object.assign(this, { code, title, english: english || '', detail: detail || '', status });
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

/** Milliseconds by which this machine's clock is ahead of the server's. */
export let clockAhead = 0;

/** The answer to a request as JSON. Throws a `Refusal`. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(12000), ...options });
  } catch {
    throw own('offline', 'unreachable');
  }
  const date = Date.parse(answer.headers.get('date'));
  if (date) clockAhead = Date.now() - date;
  let body;
  try {
    body = await answer.json();
  } catch {
    throw own('odd', 'unreadable', answer.status);
  }
  if (!answer.ok) throw new Refusal(body, answer.status);
  return body;
}

export const siteState = () => ask(`/api/v1/sites/${encodeURIComponent(site)}`);
export const siteEvents = () => `/api/v1/sites/${encodeURIComponent(site)}/events`;

/**
 * Hears server-sent events until the returned function is called. Lets go of the connection while
 * nobody looks: a browser has only six to one server, for all its windows together.
 * `whenConnected` hears whether the server is heard, and if not, whether it was a "no" of its own.
 */
export function hear(url, handlers, whenConnected = () => {}) {
  let source = null;
  let later = 0;
  let over = false;
  const close = () => {
    clearTimeout(later);
    if (source) source.close();
    source = null;
  };
  const open = () => {
    if (over || source || document.hidden) return;
    source = new EventSource(url);
    source.onopen = () => whenConnected(true);
    source.onerror = () => {
      const refused = source !== null && source.readyState === EventSource.CLOSED;
      if (refused) {
        close();
        later = setTimeout(open, 3000);
      }
      whenConnected(false, refused);
    };
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, event => handler(event.data ? JSON.parse(event.data) : {}));
    }
  };
  const look = () => (document.hidden ? close() : open());
  document.addEventListener('visibilitychange', look);
  open();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', look);
    close();
  };
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

/** Hours and minutes of a moment. */
export function clock(at = Date.now()) {
  const date = new Date(at);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
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
export function giveUp(refusal) {
  const title = document.getElementById('site');
  if (title) putName(title, '排号 paihao');
  const main = document.querySelector('main');
  main.replaceChildren(make('div', { class: 'message' }, put(make('h2'), refusal.pair),
    make('p', {}, put(make('a', { href: '/' }), pair('index.title')))));
}

/** Keeps the screen awake where the browser can, whenever the page is looked at. */
export function stayAwake() {
  const ask = () => { if (!document.hidden) navigator.wakeLock?.request('screen').catch(() => {}); };
  document.addEventListener('visibilitychange', ask);
  ask();
}
