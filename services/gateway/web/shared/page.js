// State of the page as a whole: the connection to the server, errors that end it, the screen's lock.
/** @import { ApiError } from './http.js' */
import { byId, createElement } from './dom.js';
import { setName, setTextPair, translations } from './language.js';

/**
 * Shows whether the server is connected; `body` carries the class `offline` while it is not.
 * @param {boolean} connected
 */
export function showConnection(connected) {
  document.body.classList.toggle('offline', !connected);
  const note = byId('offline');
  if (note) note.hidden = connected;
}

/**
 * Replaces the page's content by an error, with links to go on from.
 * @param {ApiError} error
 * @param {...HTMLElement} links
 */
export function showFatalError(error, ...links) {
  const title = byId('site');
  if (title) setName(title, '排号 paihao');
  const home = setTextPair(createElement('a', { href: '/' }), translations('index.title'));
  const message = createElement(
    'div',
    { class: 'message' },
    setTextPair(createElement('h2'), error.texts),
    [...links, home].map(link => createElement('p', {}, link)),
  );
  document.querySelector('main')?.replaceChildren(message);
}

/** Keeps the screen awake while the page is visible, where the browser can. */
export function keepScreenAwake() {
  const request = () => {
    if (!document.hidden) navigator.wakeLock?.request('screen').catch(() => {});
  };
  document.addEventListener('visibilitychange', request);
  request();
}
