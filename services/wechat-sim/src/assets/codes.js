// Codes that can be scanned: the newest ones, each with its age and its remaining lifetime.
import { createElement } from './dom.js';
import { textElement, leadingTextElement } from './language.js';
import { callApi } from './http.js';

let codes = [];
let clockAhead = 0; // milliseconds by which the simulator's clock is ahead of this one

/** Loads the newest codes. */
export async function loadCodes() {
  const listed = await callApi('codes?limit=12');
  clockAhead = listed.now - Date.now();
  codes = listed.codes;
}

/** Adds a code that was just created. */
export function addCode(code) {
  codes = [code, ...codes].slice(0, 12);
}

export const allCodes = () => codes;
export const findCode = url => codes.find(code => code.url === url);

export const codeImage = code =>
  createElement('img', {
    src: `/sim/api/code.svg?ticket=${encodeURIComponent(code.ticket)}`,
    alt: '',
    width: 64,
    height: 64,
  });

function ageElement(code) {
  const seconds = Math.max(0, Math.round((Date.now() + clockAhead - code.created_at) / 1000));
  if (seconds < 5) return leadingTextElement('made.now', {}, 'strong');
  if (seconds < 60) return leadingTextElement('made.seconds', { count: seconds }, 'strong');
  if (seconds < 3600)
    return leadingTextElement('made.minutes', { count: Math.floor(seconds / 60) }, 'strong');
  return leadingTextElement('made.hours', { count: Math.floor(seconds / 3600) }, 'strong');
}

/** Remaining lifetime of a code. */
export function lifetimeElement(code) {
  const left =
    code.expires_at == null ? null : Math.ceil((code.expires_at - Date.now() - clockAhead) / 1000);
  const life =
    left === null
      ? leadingTextElement('life.ever')
      : left <= 0
        ? leadingTextElement('life.over')
        : leadingTextElement('life.left', {
            left: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`,
          });
  life.className = left !== null && left <= 0 ? 'life over' : 'life';
  return life;
}

/** A code's row in the list, whose age each `tick` updates. */
export function codeRow(code, chosen, scan) {
  /** @type {HTMLButtonElement & { tick?: () => void }} */
  const row = createElement(
    'button',
    { type: 'button', class: code.url === chosen ? 'code chosen' : 'code', onclick: scan },
    codeImage(code),
    createElement(
      'span',
      { class: 'what' },
      ageElement(code),
      lifetimeElement(code),
      createElement('span', { class: 'tail', translate: 'no' }, `…${code.url.slice(-6)}`),
    ),
  );
  row.tick = () => {
    row.querySelector('strong').replaceWith(ageElement(code));
    row.querySelector('.life').replaceWith(lifetimeElement(code));
  };
  return row;
}

/** Shown while there is no code. */
export const emptyElement = () => textElement('no-codes', {}, 'p');
