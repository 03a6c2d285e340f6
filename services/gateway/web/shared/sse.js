// Subscription to server-sent events, with reconnection.
/** @import { EventHandlers, OnConnection } from './types' */
import { ApiError, noteAnswer } from './http.js';

const SILENCE_TIMEOUT_MS = 40000; // the server sends something every fifteen seconds
const MAX_RETRY_DELAY_MS = 5000;
const FIRST_RETRY_DELAY_MS = 500;
const REFUSED_RETRY_DELAY_MS = 3000;

/**
 * Subscribes to a stream of events until the returned function is called. The connection is closed
 * while the page is hidden, unless it is `always` open: a browser has only six to one server, for all
 * its windows together. Reads the response itself, since an `EventSource` takes no headers and does
 * not notice a server that fell silent.
 * @param {string} url
 * @param {EventHandlers} handlers a function for each type of event
 * @param {OnConnection} onConnection called when the connection opens or fails
 * @param {{ headers?: () => Record<string, string>, always?: boolean }} options
 * @returns {() => void}
 */
export function subscribe(
  url,
  handlers,
  onConnection = () => {},
  { headers = () => ({}), always = false } = {},
) {
  /** @type {AbortController | null} */
  let current = null;
  let retryTimer = 0;
  let stopped = false;
  let left = false;
  let failures = 0;
  const close = () => {
    clearTimeout(retryTimer);
    current?.abort();
    current = null;
  };
  const open = async () => {
    if (stopped || left || current || (document.hidden && !always)) return;
    const controller = new AbortController();
    current = controller;
    let silenceTimer = 0;
    /** @type {ApiError | null} */
    let refusal = null;
    const resetSilenceTimer = () => {
      clearTimeout(silenceTimer);
      silenceTimer = setTimeout(() => controller.abort(), SILENCE_TIMEOUT_MS);
    };
    resetSilenceTimer();
    try {
      const response = await fetch(url, {
        cache: 'no-store',
        headers: headers(),
        signal: controller.signal,
      });
      if (!response.ok)
        refusal = new ApiError(await response.json().catch(() => ({})), response.status);
      if (refusal) throw refusal;
      failures = 0;
      noteAnswer(response);
      onConnection(true);
      if (response.body) await readEvents(response.body.getReader(), handlers, resetSilenceTimer);
    } catch {
      /* reported to onConnection below */
    }
    clearTimeout(silenceTimer);
    controller.abort(); // what is left of the connection
    if (current !== controller) return;
    current = null;
    failures += 1;
    const delay = refusal
      ? REFUSED_RETRY_DELAY_MS
      : Math.min(MAX_RETRY_DELAY_MS, FIRST_RETRY_DELAY_MS * 2 ** failures);
    retryTimer = setTimeout(open, delay);
    onConnection(false, refusal);
  };
  const onVisibilityChange = () => (document.hidden && !always ? close() : open());
  document.addEventListener('visibilitychange', onVisibilityChange);
  // A page that is left may be kept for "back", with its connections: six such pages, and the browser
  // opens no other for a minute.
  const onPageHide = () => {
    left = true;
    close();
  };
  const onPageShow = () => {
    left = false;
    open();
  };
  window.addEventListener('pagehide', onPageHide);
  window.addEventListener('pageshow', onPageShow);
  open();
  return () => {
    stopped = true;
    document.removeEventListener('visibilitychange', onVisibilityChange);
    window.removeEventListener('pagehide', onPageHide);
    window.removeEventListener('pageshow', onPageShow);
    close();
  };
}

/**
 * Dispatches events until the stream ends.
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {EventHandlers} handlers
 * @param {() => void} onChunk
 */
async function readEvents(reader, handlers, onChunk) {
  const decoder = new TextDecoder();
  let buffer = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onChunk();
    buffer += decoder.decode(value, { stream: true });
    const events = buffer.split('\n\n');
    buffer = events.pop() || '';
    for (const event of events) {
      const data = fieldOf(event, 'data');
      const handle = handlers[fieldOf(event, 'event') || ''];
      try {
        handle?.(data ? JSON.parse(data) : {});
      } catch (error) {
        // A fault of the page is none of the connection, and has to be seen.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }
}

/**
 * @param {string} event
 * @param {string} name
 */
const fieldOf = (event, name) =>
  event
    .split('\n')
    .find(line => line.startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .trim();
