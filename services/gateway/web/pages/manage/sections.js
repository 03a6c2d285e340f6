// The manager's sections: what of a site is edited where.
import { ask, make, stamp } from './paihao.js';
import { pair, put, said, say, tongue, word } from './language.js';
import { adding, area, choice, lines, named, number, text, tick } from './manage-fields.js';

const KINDS = ['joined', 'near', 'next', 'called', 'recalled', 'missed', 'returned', 'slipped', 'halted', 'queue_closed'];
const CHOICES = {
  policy: ['strict', 'interleave'],
  missed: ['after_k', 'hold_minutes', 'tail', 'void'],
  transfer: ['arrival', 'front', 'tail'],
};
const NUMBERS = ['grace_seconds', 'calls', 'capacity', 'daily_cap', 'near', 'class', 'bound', 'missed_places', 'missed_grow', 'missed_returns', 'missed_minutes', 'let_pass', 'let_pass_minutes'];
const TICKS = ['start_on_call', 'auto_recall', 'auto_miss', 'carry_over', 'missed_lane'];

const heading = (key, lead = `${key}.lead`) => [say(make('h2'), key), say(make('p', { class: 'lead' }), lead)];
const titled = (name, id, remove) => make('div', { class: 'name' },
  make('h3', { lang: tongue(name) }, name, ' ', make('small', { translate: 'no' }, id)), remove);

function removing(name, remove) {
  const button = said('manage.remove', {}, 'button');
  Object.assign(button, { type: 'button', className: 'ghost remove' });
  button.setAttribute('aria-label', `${word('manage.remove')} ${name}`);
  button.addEventListener('click', remove);
  return button;
}

/** What the owner calls the site, and how its days are counted. */
export function site({ draft, changed, id }) {
  return [...heading('manage.site'), make('div', { class: 'card' }, titled(draft.name, id), make('div', { class: 'fields' },
    text('name', pair('manage.name'), draft.name, value => changed(draft.name = value)),
    text('time_zone', pair('manage.zone'), draft.time_zone, value => changed(draft.time_zone = value)),
    number('day_starts_at', pair('manage.day'), draft.day_starts_at, value => changed(draft.day_starts_at = value), { attributes: { min: 0, max: 23 } })),
  tick(pair('manage.several'), draft.several_counters, value => changed(draft.several_counters = value)))];
}

export function queues({ draft, changed, again }) {
  const cards = Object.entries(draft.queues).map(([id, queue]) => {
    const at = `queues.${id}`;
    const set = name => value => changed(queue[name] = value);
    return make('div', { class: 'card' },
      titled(queue.name, id, removing(queue.name, () => {
        delete draft.queues[id];
        for (const counter of Object.values(draft.counters)) counter.queues = counter.queues.filter(one => one !== id);
        again();
      })),
      make('div', { class: 'fields' },
        text(`${at}.name`, pair('manage.name'), queue.name, set('name')),
        text(`${at}.prefix`, pair('manage.prefix'), queue.prefix, value => set('prefix')(value.toUpperCase()), { attributes: { maxlength: 3 } }),
        number(`${at}.minutes`, pair('manage.minutes'), queue.minutes, set('minutes'), { attributes: { min: 1, max: 600 } })),
      tick(pair('manage.open'), queue.open, set('open')),
      make('details', {}, said('manage.rules', {}, 'summary'), make('div', { class: 'fields' },
        Object.entries(CHOICES).map(([name, all]) => choice(`${at}.${name}`, pair(`manage.rule.${name}`), queue[name],
          all.map(one => [one, pair(`manage.${name}.${one}`)]), set(name))),
        NUMBERS.map(name => number(`${at}.${name}`, pair(`manage.rule.${name}`), queue[name], set(name), { attributes: { min: 0 } }))),
      make('div', { class: 'ticks' }, TICKS.map(name => tick(pair(`manage.rule.${name}`), queue[name], set(name))))));
  });
  const add = (id, name) => {
    const used = new Set(Object.values(draft.queues).map(queue => queue.prefix));
    const prefix = [...'ABCDEFGHJKLMNPQRSTUVWXYZ'].find(letter => !used.has(letter)) || 'AA';
    draft.queues[id] = { ...USUAL, name, prefix };
    // Numbers that no counter calls are refused: all of them do until somebody says which.
    Object.values(draft.counters).forEach(counter => counter.queues.push(id));
    again();
  };
  return [...heading('manage.queues'), ...cards, adding('manage.add.queue', add, id => id in draft.queues)];
}

/** A queue that nothing is said of; the server has the same. */
const USUAL = {
  minutes: 5, grace_seconds: 180, open: true, hours: [], class: 5, policy: 'strict', interleave: [2, 1], missed_lane: false, bound: 4,
  capacity: 0, daily_cap: 0, missed: 'after_k', missed_places: 3, missed_grow: 0, missed_returns: 2, missed_minutes: 30, transfer: 'arrival',
  carry_over: false, start_on_call: false, auto_miss: false, auto_recall: false, calls: 3, let_pass: 2, let_pass_minutes: 30, near: 3,
};

export function counters({ draft, changed, again }) {
  const cards = Object.entries(draft.counters).map(([id, counter]) => make('div', { class: 'card' },
    titled(counter.name, id, removing(counter.name, () => { delete draft.counters[id]; again(); })),
    make('div', { class: 'fields' }, text(`counters.${id}.name`, pair('manage.name'), counter.name, value => changed(counter.name = value))),
    make('fieldset', { class: 'field' }, said('manage.serves', {}, 'legend'), make('div', { class: 'ticks' },
      Object.entries(draft.queues).map(([queue, { name }]) => tick(named(name), counter.queues.includes(queue), on => {
        counter.queues = on ? [...counter.queues, queue] : counter.queues.filter(one => one !== queue);
        changed();
      })))),
    tick(pair('manage.auto'), counter.auto_next, value => changed(counter.auto_next = value))));
  const add = (id, name) => {
    draft.counters[id] = { name, queues: Object.keys(draft.queues), auto_next: false };
    again();
  };
  return [...heading('manage.counters'), ...cards, adding('manage.add.counter', add, id => id in draft.counters)];
}

export function hours({ draft, changed }) {
  const cards = Object.entries(draft.queues).map(([id, queue]) => make('div', { class: 'card' }, titled(queue.name, id),
    lines(`queues.${id}.hours`, pair('manage.week'), queue.hours, value => changed(queue.hours = value), { hint: pair('manage.week.form') })));
  return [...heading('manage.hours'), make('div', { class: 'card' }, say(make('h3'), 'manage.dates'),
    lines('dates', pair('manage.dates.all'), draft.dates, value => changed(draft.dates = value), { hint: pair('manage.dates.form') })), ...cards];
}

let kind = 'called';
let asked = 0;

/** Words of the site's own, and what a person sees of them in WeChat. */
export function words({ draft, changed, again, id, authorised }) {
  const own = draft.wording[kind] || {};
  const view = make('div', { class: 'phone-view', lang: 'zh-CN', 'aria-live': 'polite' });
  const order = make('p', { class: 'soft' });
  const show = async () => {
    asked += 1;
    const mine = asked;
    try {
      const body = JSON.stringify({ kind, setup: draft });
      const seen = await ask(`/api/v1/book/sites/${encodeURIComponent(id)}/preview`, authorised({ method: 'POST', body }));
      if (mine !== asked) return;
      view.replaceChildren(...inWeChat(seen, draft.name));
      say(order, 'manage.order', { channels: seen.channels.join(', ') });
    } catch (refusal) {
      if (mine === asked) view.replaceChildren(put(make('p'), refusal.pair));
    }
  };
  const set = name => value => {
    own[name] = value;
    for (const key of ['news', 'text']) if (own[key] == null) delete own[key];
    if (Object.keys(own).length) draft.wording[kind] = own;
    else delete draft.wording[kind];
    changed();
    show();
  };
  const at = `wording.${kind}`;
  show();
  return [...heading('manage.words'), make('div', { class: 'two' },
    make('div', { class: 'card' },
      choice('wording', pair('manage.kind'), kind, KINDS.map(one => [one, pair(`manage.kind.${one}`)]), value => { kind = value; again(); }),
      kind !== 'joined' && text(`${at}.news`, pair('manage.news'), own.news, value => set('news')(value || null), { wide: true, hint: pair('manage.news.form'), attributes: { maxlength: 60 } }),
      area(`${at}.text`, pair(kind === 'joined' ? 'manage.joined' : 'manage.text'), own.text, set('text'), { hint: pair('manage.text.form') }),
      make('p', { class: 'soft', translate: 'no' }, (kind === 'joined' ? JOINED : PLACES).join(' '))),
    make('div', { class: 'card' }, say(make('h3'), 'manage.preview'), view, order))];
}

const PLACES = ['{site}', '{queue}', '{number}', '{counter}', '{time}', '{ahead}', '{wait}', '{until}', '{places}', '{news}'];
const JOINED = ['{site}', '{queue}', '{number}', '{ahead}', '{wait}'];

function inWeChat({ template, subscription, text: plain }, name) {
  const card = seen => seen && make('div', { class: 'message-card' }, make('strong', {}, seen.title || name),
    make('dl', {}, seen.lines.flatMap(line => [make('dt', {}, line.label), make('dd', {}, line.text)])));
  const shown = [card(template), card(subscription), plain && make('p', { class: 'bubble' }, plain)].filter(Boolean);
  if (!shown.length) return [make('p', {}, pair('manage.silent')[0])];
  return [make('p', { class: 'who' }, name), ...shown];
}

export function posters({ saved, id }) {
  const link = (queue, name) => {
    const path = `/poster/${[id, queue].filter(Boolean).map(encodeURIComponent).join('/')}`;
    const element = make('a', { class: 'button', href: path, target: '_blank' });
    if (name) element.append(make('span', { lang: tongue(name) }, name));
    else say(element, 'manage.posters.all');
    return element;
  };
  return [...heading('manage.posters'), make('div', { class: 'card' }, make('div', { class: 'links wide' },
    link(null, null), Object.entries(saved.queues).map(([queue, { name }]) => link(queue, name))))];
}

/** Who changed what when. */
export function history({ id, authorised }) {
  const list = make('ul', { class: 'rows' }, say(make('li'), 'manage.loading'));
  const value = one => (one === null ? '—' : typeof one === 'string' ? one : JSON.stringify(one));
  const row = ({ at, by, did, changed }) => make('li', {}, make('strong', {}, said(`manage.did.${did}`, { by })),
    make('time', { class: 'soft', datetime: new Date(at).toISOString() }, stamp(at)),
    ...changed.slice(0, 12).map(({ key, before, after }) => make('code', { lang: 'en' }, `${key}: `, make('del', {}, value(before)), ' → ', value(after))));
  ask(`/api/v1/book/changes?site=${encodeURIComponent(id)}&limit=50`, authorised({})).then(({ changes }) => {
    list.replaceChildren(...(changes.length ? changes.map(row) : [say(make('li'), 'manage.unchanged')]));
  }, refusal => list.replaceChildren(put(make('li'), refusal.pair)));
  return [...heading('manage.history'), make('div', { class: 'card' }, list)];
}
