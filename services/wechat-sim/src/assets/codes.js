// The codes that can be scanned: the newest ones, how old each is and how long it still works.
import { make } from './make.js';
import { said, saidAlone } from './language.js';
import { api } from './api.js';

let codes = [];
let clockAhead = 0; // milliseconds by which the simulator's clock is ahead of this one

/** Reads the newest codes. */
export async function loadCodes() {
  const listed = await api('codes?limit=12');
  clockAhead = listed.now - Date.now();
  codes = listed.codes;
}

/** A code that was just made. */
export function addCode(code) {
  codes = [code, ...codes].slice(0, 12);
}

export const allCodes = () => codes;
export const codeOf = url => codes.find(code => code.url === url);

export const pictureOf = code =>
  make('img', { src: '/sim/api/code.svg?ticket=' + encodeURIComponent(code.ticket), alt: '', width: 64, height: 64 });

function ageOf(code) {
  const seconds = Math.max(0, Math.round((Date.now() + clockAhead - code.created_at) / 1000));
  if (seconds < 5) return saidAlone('made.now', {}, 'strong');
  if (seconds < 60) return saidAlone('made.seconds', { count: seconds }, 'strong');
  if (seconds < 3600) return saidAlone('made.minutes', { count: Math.floor(seconds / 60) }, 'strong');
  return saidAlone('made.hours', { count: Math.floor(seconds / 3600) }, 'strong');
}

/** How long a code still works. */
export function lifeOf(code) {
  const left = code.expires_at == null ? null : Math.ceil((code.expires_at - Date.now() - clockAhead) / 1000);
  const life = left === null ? saidAlone('life.ever') : left <= 0 ? saidAlone('life.over')
    : saidAlone('life.left', { left: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` });
  life.className = left !== null && left <= 0 ? 'life over' : 'life';
  return life;
}

/** A code in the list, which tells its age anew at each `tick`. */
export function rowOf(code, chosen, scan) {
  const row = make('button', { type: 'button', class: 'code' + (code.url === chosen ? ' chosen' : ''), onclick: scan },
    pictureOf(code),
    make('span', { class: 'what' }, ageOf(code), lifeOf(code), make('span', { class: 'tail', translate: 'no' }, '…' + code.url.slice(-6))));
  row.tick = () => {
    row.querySelector('strong').replaceWith(ageOf(code));
    row.querySelector('.life').replaceWith(lifeOf(code));
  };
  return row;
}

/** Shown where no code was made yet. */
export const noCodes = () => said('no-codes', {}, 'p');
