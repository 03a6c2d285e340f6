// Requests to the server: JSON in and out, refusals as errors, and the server's clock.
/** @import { Problem, SettingsProblem, SiteView, Texts } from './types' */
import { setTextPair, translations } from './language.js';
import { createElement } from './dom.js';

/** The site that the page is about: the second part of its path. */
export const siteId = decodeURIComponent(location.pathname.split('/')[2] || '');

const REQUEST_TIMEOUT_MS = 12000;

/** Refusal of the server, or failure of the network, in a person's words. */
export class ApiError extends Error {
  /**
   * @param {Partial<Problem>} problem
   * @param {number} status the answer's HTTP status; 0 without an answer
   */
  constructor(
    { code, title, title_en: english, detail, problems, hours, hours_en: hoursEnglish },
    status,
  ) {
    super(title);
    this.code = code || '';
    this.title = title || '';
    this.english = english || '';
    this.detail = detail || '';
    /** @type {SettingsProblem[] | undefined} */
    this.problems = problems;
    /** @type {Texts | null} opening hours of a queue that gives no numbers now */
    this.hours = hours ? [hours, hoursEnglish || hours] : null;
    this.status = status;
  }

  /**
   * Both sentences, Chinese first.
   * @returns {Texts}
   */
  get texts() {
    return [this.title, this.english];
  }

  /**
   * Both sentences, each with the opening hours of a queue that gives no numbers now.
   * @returns {Texts}
   */
  get textsWithHours() {
    if (!this.hours) return this.texts;
    const [chinese, english] = this.hours;
    return [`${this.title}。${chinese}`, `${this.english}. ${english}`];
  }

  /** Tells whether the same request may succeed in a moment. */
  get retryable() {
    return this.code === 'offline' || this.status >= 500 || this.status === 429;
  }
}

/**
 * Error that the page itself finds, with the words under a key.
 * @param {string} code
 * @param {string} key
 */
export function pageError(code, key, status = 0) {
  const [title, english] = translations(key);
  return new ApiError({ code, title, title_en: english }, status);
}

/**
 * Address of a page of this server; the first page for anything else. It is whole: a path of it, like
 * `//host`, may be an address elsewhere.
 * @param {string} text
 */
export function ownAddress(text) {
  try {
    const { origin, href } = new URL(text, location.origin);
    if (origin === location.origin) return href;
  } catch {
    /* no address */
  }
  return `${location.origin}/`;
}

/** Path of the login page, which leads back to this one. */
const loginUrl = () =>
  `/login?to=${encodeURIComponent(location.pathname + location.search + location.hash)}`;

export const redirectToLogin = () => location.replace(loginUrl());

/** Link for a person who is logged in and not admitted here. */
export const switchUserLink = () =>
  setTextPair(createElement('a', { href: loginUrl() }), translations('login.as-other'));

/** Milliseconds by which this machine's clock is ahead of the server's. */
export let clockOffset = 0;
let isRehearsal = false;

/**
 * Notes the server's clock, and a rehearsal.
 * @param {Response} response
 */
export function noteAnswer(response) {
  const marked = response.headers.has('x-paihao-rehearsal');
  if (marked !== isRehearsal && response.status < 500) {
    isRehearsal = marked;
    import('./rehearsal.js').then(it => it.showRehearsal(marked));
  }
  const date = Date.parse(response.headers.get('date') || '');
  if (date) clockOffset = Date.now() - date;
}

/** The moment in milliseconds, by the server's clock. */
export const serverNow = () => Date.now() - clockOffset;

/**
 * Signal that aborts a request after a time; `AbortSignal.timeout` is newer than the oldest browser.
 * @param {number} ms
 */
function abortedAfter(ms) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}

/**
 * Sends a request and parses the answer as JSON; `null` when it is empty. Throws an `ApiError`.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string>, onResponse?: (response: Response) => void }} options
 * @returns {Promise<any>}
 */
export async function fetchJson(path, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { ...options.headers };
  if (options.body) headers['content-type'] ??= 'application/json';
  // No page of another site can send this header, so a session's cookie counts only beside it.
  if (options.method) headers['x-paihao-page'] = '1';
  const signal = abortedAfter(REQUEST_TIMEOUT_MS);
  let response;
  try {
    response = await fetch(path, { cache: 'no-store', signal, ...options, headers });
  } catch {
    throw pageError('offline', 'unreachable');
  }
  noteAnswer(response);
  if (response.status === 204) return null;
  let body;
  try {
    body = await response.json();
  } catch {
    throw pageError('odd', 'unreadable', response.status);
  }
  if (!response.ok) throw new ApiError(body, response.status);
  options.onResponse?.(response);
  return body;
}

/** @returns {Promise<SiteView>} */
export const fetchSite = () => fetchJson(`/api/v1/sites/${encodeURIComponent(siteId)}`);
export const siteEventsUrl = () => `/api/v1/sites/${encodeURIComponent(siteId)}/events`;

/**
 * Random key under which a request is carried out once. `crypto.randomUUID` exists on https and on
 * this machine only, and a hall's computer may use plain http.
 */
export const newIdempotencyKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
