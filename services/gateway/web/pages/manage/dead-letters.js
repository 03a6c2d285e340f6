// What could not be said or delivered: why, for how long; tried again when the reason is mended, or
// dropped.
import './manage-letters-words.js';
import { ask, make, stamp } from './paihao.js';
import { has, put, said, say } from './language.js';

const LOOK_AGAIN_MS = 4000;
const BASE = '/api/v1/dead-letters';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

function age(seconds) {
  if (seconds < HOUR) return said('manage.letters.minutes', { count: Math.floor(seconds / MINUTE) });
  return said('manage.letters.hours', { count: Math.floor(seconds / HOUR) });
}

function act(key, doIt, kind = 'ghost') {
  const button = said(key, {}, 'button');
  Object.assign(button, { type: 'button', className: kind });
  button.addEventListener('click', async () => {
    button.disabled = true;
    await doIt();
    button.disabled = false;
  });
  return button;
}

/** The letters of the site, by pages, and by reason what can be done about all of them. */
export function all({ id, authorised }) {
  const list = make('ul', { class: 'rows letters' });
  const reasons = make('div', { class: 'reasons' });
  const told = make('p', { role: 'status' });
  let before = null; // where the next page begins
  let pages = 1;
  const more = act('manage.letters.more', () => {
    pages += 1;
    return load();
  });

  const attempt = async doing => {
    try {
      await doing();
      put(told, ['', '']);
    } catch (refusal) {
      put(told, refusal.pair);
    }
    return load();
  };
  const one = (letter, what) => attempt(() => ask(`${BASE}/${letter.id}/${what}`, authorised({ method: 'POST' })));
  const every = reason => attempt(() => ask(`${BASE}/redrive`, authorised({ method: 'POST', body: JSON.stringify({ reason, site: id }) })));

  const row = letter => {
    const kind = `manage.kind.${letter.kind}`;
    return make('li', { 'data-letter': letter.id },
      make('strong', {}, letter.number ? `${letter.number} ` : '', has(kind) ? said(kind) : make('code', {}, letter.kind || letter.origin)),
      put(make('span', { class: 'why' }), [letter.zh, letter.en]),
      make('span', { class: 'soft' }, age(letter.age), ' · ', said('manage.letters.attempts', { count: letter.attempts ?? 0 }), ' · ', make('time', { datetime: new Date(letter.at).toISOString() }, stamp(letter.at))),
      make('code', { lang: 'en' }, letter.met),
      letter.handled
        ? make('span', { class: 'soft' }, said(`manage.letters.${letter.handled.did}`, { by: letter.handled.by, time: stamp(letter.handled.at) }))
        : make('div', { class: 'adding' }, letter.redrivable && act('manage.letters.redrive', () => one(letter, 'redrive')), act('manage.letters.drop', () => one(letter, 'drop'), 'ghost remove')));
  };

  const load = async () => {
    try {
      const read = [];
      let known = [];
      before = null;
      for (let page = 0; page < pages; page += 1) {
        const from = before === null ? '' : `&before=${before}`;
        const answer = await ask(`${BASE}?handled=true&limit=50&site=${encodeURIComponent(id)}${from}`, authorised({}));
        read.push(...answer.letters);
        known = answer.reasons;
        before = answer.next;
        if (before === null) break;
      }
      // What somebody is just pressing is not taken away from under the finger.
      const same = JSON.stringify(read.map(({ id: letter, handled }) => [letter, handled]));
      if (list.dataset.shown !== same) {
        list.dataset.shown = same;
        list.replaceChildren(...(read.length ? read.map(row) : [say(make('li'), 'manage.letters.none')]));
        reasons.replaceChildren(...known.map(({ reason, zh, en, waiting }) => make('div', { class: 'name' },
          make('p', {}, put(make('span'), [zh, en]), ' ', make('b', {}, `× ${waiting}`)), act('manage.letters.redrive.all', () => every(reason), 'primary'))));
      }
      more.hidden = before === null;
    } catch (refusal) {
      if (!refusal.pair) throw refusal;
      put(told, refusal.pair);
    }
  };
  const goOn = async () => {
    await load();
    if (list.isConnected || !list.dataset.shown) setTimeout(goOn, LOOK_AGAIN_MS);
  };
  goOn();
  return [make('div', { class: 'card' }, told, reasons, list, more)];
}
