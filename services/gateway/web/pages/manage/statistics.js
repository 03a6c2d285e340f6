// The manager's numbers: which days and queues, the figures of them, and charts of these.
import './manage-numbers-words.js';
import { bar, columns, swatch } from './charts.js';
import { ask, clocksOf, make } from './paihao.js';
import { onSwitch, pair, put, said, say, word } from './language.js';
import { choice, field } from './manage-fields.js';
import { past } from './manage-past.js';

const RANGES = { today: [0, 0], yesterday: [1, 1], week: [6, 0], month: [29, 0] };
const ENDS = ['served', 'missed', 'left', 'void', 'here'];
const CAUSES = ['priority', 'returned', 'transferred', 'resumed', 'taken_back', 'out_of_order'];
const FATES = ['delivered', 'sent', 'unknown', 'sending', 'waiting', 'superseded', 'stale', 'not_delivered', 'failed'];
const AGAIN_MS = 15000; // today goes on
const HOURS = 8; // at the least, however young the day
const PROMISED = 0.8;

/** What is asked for; without days it is today. */
const chosen = { range: 'today', from: '', to: '', queue: '' };
let today = '';
let answer = null;
let asked = 0;
let shown = [];

const day = (date, back) => new Date(Date.parse(date) - back * 86400000).toISOString().slice(0, 10);
/** To be sent and being sent look alike. */
const kindOf = fate => (fate === 'waiting' ? 'sending' : fate);
const several = () => chosen.from !== chosen.to;
const query = () => new URLSearchParams({
  ...(chosen.from && { from: chosen.from, to: chosen.to }), by: several() ? 'day' : 'hour', ...(chosen.queue && { queue: chosen.queue }),
});

/** A key's words with words of both languages in them. */
const within = (key, name, texts) => texts.map((text, i) => pair(key, { [name]: text })[i]);

/** A time as minutes and seconds, to the second. */
const exact = s => (s === null ? '—' : `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`);
/** A time as it is said. */
const spoken = s => (s < 60 ? pair('numbers.seconds', { n: s }) : pair('numbers.minutes', { n: s < 600 ? Math.round(s / 6) / 10 : Math.round(s / 60) }));
const percent = share => (share === null ? '—' : `${Math.round(100 * share)} %`);
const known = figure => (figure === null ? '—' : `${figure}`.replace('-', '−'));
const heads = keys => keys.map(key => said(key, {}, 'span'));

function table(caption, head, rows, foot = null) {
  const row = ([first, ...cells]) => make('tr', {}, make('th', { scope: 'row' }, first), cells.map(cell => make('td', {}, cell)));
  return make('div', { class: 'scroll' }, make('table', { class: 'figures' }, said(caption, {}, 'caption'),
    make('thead', {}, make('tr', {}, heads(head).map(name => make('th', { scope: 'col' }, name)))),
    make('tbody', {}, rows.map(row)), foot && make('tfoot', {}, row(foot))));
}

/** One for each hour, or day, and also for those in which nothing was. */
function slots({ saved }) {
  const none = { taken: 0, served: 0, missed: 0, left: 0, void: 0, here: 0, waiting: { median_s: null, p90_s: null }, serving: { median_s: null, p90_s: null } };
  const found = new Map(answer.all_queues.map(one => [answer.by === 'hour' ? one.hour : one.day, one]));
  if (answer.by === 'day') {
    const days = (Date.parse(answer.to) - Date.parse(answer.from)) / 86400000;
    const all = Array.from({ length: days + 1 }, (_, i) => day(answer.to, days - i));
    return all.map(date => ({ name: date, label: date.slice(5), of: found.get(date) || none }));
  }
  // A day may begin at four.
  const place = hour => (hour - saved.day_starts_at + 24) % 24;
  const places = [...found.keys()].map(place);
  const first = Math.min(...places, 24 - HOURS);
  const last = Math.max(...places, first + HOURS - 1);
  const hours = Array.from({ length: last - first + 1 }, (_, i) => (first + i + saved.day_starts_at) % 24);
  return hours.map(hour => ({ name: `${String(hour).padStart(2, '0')}:00`, label: `${hour}:00`, of: found.get(hour) || none }));
}

/** A bar with its figure behind it. */
const barred = (picture, figure) => make('span', { class: 'barred' }, picture, make('span', {}, `${figure}`));

/** A card whose content is made of each answer; `draws` gets it and the width that there is. */
function card(name, lead, draws, { legend = () => [], table: behindIt = null } = {}) {
  const place = make('div', { class: 'drawn' });
  const note = make('p', { class: 'soft' });
  const behind = make('div');
  const more = behindIt && make('details', {}, said('numbers.table', {}, 'summary'), behind);
  const key = make('ul', { class: 'legend' });
  let width = 0;
  const fill = () => {
    const made = draws(place.clientWidth);
    key.replaceChildren(...(made ? legend() : []).map(([kind, name]) => make('li', {}, swatch(kind), said(name))));
    place.replaceChildren(made || said('numbers.nothing', {}, 'p'));
    key.hidden = !key.hasChildNodes();
    put(note, lead());
    if (more) more.hidden = !made;
    if (made) behind.replaceChildren(behindIt?.() || '');
  };
  shown.push({ fill });
  new ResizeObserver(() => {
    if (answer && width !== place.clientWidth) fill();
    width = place.clientWidth;
  }).observe(place);
  return make('section', { class: `card ${name}` }, say(make('h3'), `numbers.${name}`), note, key, place, more);
}

const people = how => card('people', () => pair('numbers.people.lead'), width => answer.total.taken > 0 && columns(width, word('numbers.people'), slots(how).map(({ name, label, of }) => ({
  label,
  columns: [{
    parts: ENDS.map(end => ({ kind: end, value: of[end] })),
    over: of.taken > 0 && `${of.taken}`,
    says: [`${name} · ${word('numbers.taken')} ${of.taken}`, ...ENDS.filter(end => of[end]).map(end => `${word(`numbers.${end}`)} ${of[end]}`)].join('\n'),
  }],
}))), {
  legend: () => ENDS.map(end => [end, `numbers.${end}`]),
  table: () => table('numbers.people', ['numbers.time', 'numbers.taken', ...ENDS.map(end => `numbers.${end}`)],
    slots(how).map(({ name, of }) => [name, of.taken, ...ENDS.map(end => of[end])]), [said('numbers.all'), answer.total.taken, ...ENDS.map(end => answer.total[end])]),
});

const SPREADS = ['waiting', 'serving'];
/** The unit that long or short times are drawn in: its name, and its seconds. */
const unit = () => (Math.max(...answer.all_queues.flatMap(one => SPREADS.map(what => one[what].p90_s ?? 0)), 0) > 180 ? ['minutes', 60] : ['seconds', 1]);

const times = how => card('times', () => within('numbers.times.lead', 'unit', pair(`numbers.unit.${unit()[0]}`)), width => SPREADS.some(what => answer.total[what].count) && columns(width, word('numbers.times'), slots(how).map(({ name, label, of }) => ({
  label,
  columns: SPREADS.map(what => ({
    parts: [{ kind: what, value: (of[what].median_s ?? 0) / unit()[1] }],
    reach: (of[what].p90_s ?? 0) / unit()[1],
    says: `${name} · ${word(`numbers.${what}`)} ${exact(of[what].median_s)} · P90 ${exact(of[what].p90_s)}`,
  })),
}))), {
  legend: () => SPREADS.map(what => [what, `numbers.${what}`]),
  table: () => table('numbers.times', ['numbers.time', ...SPREADS.flatMap(what => [`numbers.${what}.median`, `numbers.${what}.p90`])],
    slots(how).map(({ name, of }) => [name, ...SPREADS.flatMap(what => [exact(of[what].median_s), exact(of[what].p90_s)])]),
    [said('numbers.all'), ...SPREADS.flatMap(what => [exact(answer.total[what].median_s), exact(answer.total[what].p90_s)])]),
});

const estimates = () => card('estimates', () => pair('numbers.estimates.lead'), () => {
  const row = (name, told) => [name, barred(bar(1, [{ kind: 'served', value: told.kept ?? 0, says: percent(told.kept) }], PROMISED), percent(told.kept)), told.count,
    known(told.median_error_minutes), known(told.mean_error_minutes), known(told.bias_minutes)];
  return answer.total.estimate.count > 0 && table('numbers.estimates', ['numbers.ahead', 'numbers.kept', 'numbers.count', 'numbers.error.median', 'numbers.error.mean', 'numbers.bias'],
    answer.estimates.filter(({ ahead }) => ahead).map(told => row(told.ahead.replace('-', '–'), told)), row(said('numbers.all'), answer.total.estimate));
});

/** The messages of each kind by how far they came. */
function outcomes() {
  const kinds = new Map();
  for (const { notice, fate, count } of answer.messages) {
    const of = kinds.get(notice) || {};
    kinds.set(notice, { ...of, [fate]: (of[fate] || 0) + count });
  }
  const total = of => Object.values(of).reduce((sum, count) => sum + count, 0);
  return [...kinds].map(([notice, of]) => ({ notice, of, total: total(of) }));
}
const fates = () => FATES.filter(fate => answer.messages.some(one => one.fate === fate));

const messages = () => card('messages', () => pair('numbers.messages.lead'), () => {
  const all = outcomes();
  const most = Math.max(...all.map(({ total }) => total));
  return all.length > 0 && table('numbers.messages', ['numbers.message', 'numbers.count.messages'], all.map(({ notice, of, total }) => [said(`ticket.notice.${notice}`),
    barred(bar(most, fates().map(fate => ({ kind: kindOf(fate), value: of[fate] || 0, says: `${word(`ticket.fate.${fate}`)} ${of[fate]}` }))), total)]));
}, {
  legend: () => fates().map(fate => [kindOf(fate), `ticket.fate.${fate}`]),
  table: () => table('numbers.messages', ['numbers.message', 'numbers.count.messages', ...fates().map(fate => `ticket.fate.${fate}`)],
    outcomes().map(({ notice, of, total }) => [said(`ticket.notice.${notice}`), total, ...fates().map(fate => of[fate] || 0)])),
});

const overtakes = () => card('overtakes', () => {
  const { people: count, ...causes } = answer.total.overtaken;
  return pair('numbers.overtakes.lead', { people: count, times: Object.values(causes).reduce((sum, one) => sum + one, 0) });
}, () => {
  const most = Math.max(...CAUSES.map(cause => answer.total.overtaken[cause]));
  return most > 0 && table('numbers.overtakes', ['numbers.cause', 'numbers.times.count'], CAUSES.map(cause => {
    const value = answer.total.overtaken[cause];
    return [said(`numbers.cause.${cause}`), barred(bar(most, [{ kind: 'missed', value, says: `${value}` }]), value)];
  }));
});

/** The figures that one looks for first. */
function tiles() {
  const list = make('dl', { class: 'tiles' });
  const tile = (name, figure, beside = null) => make('div', { class: name.replace('.', '-') }, said(`numbers.${name}`, {}, 'dt'), make('dd', {}, figure, beside && put(make('p', { class: 'soft' }), beside)));
  const lasting = ({ median_s: median }) => (median === null ? '—' : put(make('span'), spoken(median)));
  const most = ({ p90_s: p90 }) => p90 !== null && within('numbers.p90', 'time', spoken(p90));
  shown.push({
    fill: () => {
      const { total } = answer;
      list.replaceChildren(...['taken', 'served', 'missed', 'left'].map(name => tile(name, `${total[name]}`)),
        ...SPREADS.map(what => tile(`${what}.median`, lasting(total[what]), most(total[what]))),
        tile('kept', percent(total.estimate.kept), total.estimate.count > 0 && pair('numbers.kept.of', { count: total.estimate.count })),
        tile('overtaken', `${total.overtaken.people}`));
    },
  });
  return list;
}

/** Which days and which queue, and the table to take away. */
function choosing({ saved, id, authorised }, load, refused) {
  const dates = ['from', 'to'].map(name => make('input', { type: 'date', required: true, 'data-name': name }));
  const press = name => {
    const button = said(`numbers.range.${name}`, {}, 'button');
    Object.assign(button, { type: 'button', className: 'ghost' });
    button.addEventListener('click', () => {
      const [from, to] = RANGES[name].map(back => day(today, back));
      Object.assign(chosen, name === 'today' ? { from: '', to: '' } : { from, to }, { range: name });
      load();
    });
    return [name, button];
  };
  const presses = Object.keys(RANGES).map(press);
  for (const date of dates) {
    date.addEventListener('change', () => {
      const [from, to] = dates.map(one => one.value);
      if (!from || !to) return;
      const turned = from > to ? date.value : null;
      Object.assign(chosen, { range: '', from: turned || from, to: turned || to });
      load();
    });
  }
  const queue = choice('numbers.queue', pair('numbers.queue'), chosen.queue, [['', pair('numbers.queue.all')], ...Object.entries(saved.queues).map(([one, { name }]) => [one, [name]])], value => {
    chosen.queue = value;
    load();
  });
  const csv = said('numbers.csv', {}, 'button');
  Object.assign(csv, { type: 'button', className: 'ghost csv' });
  csv.addEventListener('click', async () => {
    const table = await fetch(`/api/v1/sites/${encodeURIComponent(id)}/numbers.csv?${query()}`, authorised({})).catch(() => null);
    if (!table?.ok) return refused(pair('unreachable'));
    const link = make('a', { href: URL.createObjectURL(await table.blob()), download: `${id}-${answer.from}-${answer.to}.csv` });
    link.click();
    return URL.revokeObjectURL(link.href);
  });
  shown.push({
    fill: () => {
      dates[0].value = answer.from;
      dates[1].value = answer.to;
      for (const date of dates) date.max = today;
      for (const [name, button] of presses) button.setAttribute('aria-pressed', String(name === chosen.range));
    },
  });
  const group = make('div', { class: 'ranges', role: 'group', 'aria-label': word('numbers.range'), 'data-label': 'numbers.range' }, presses.map(([, button]) => button));
  return make('div', { class: 'card choosing' }, group, make('div', { class: 'fields' }, field('numbers.from', pair('numbers.from'), dates[0]), field('numbers.to', pair('numbers.to'), dates[1]), queue, csv));
}

const fill = () => shown.forEach(one => one.fill());

/** What stands in the section. */
export function figures(how) {
  shown = [];
  const trouble = make('p', { class: 'trouble', role: 'alert' });
  const refused = texts => put(trouble, texts);
  const load = async () => {
    asked += 1;
    const mine = asked;
    try {
      const found = await ask(`/api/v1/sites/${encodeURIComponent(how.id)}/numbers?${query()}`, how.authorised({}));
      if (mine !== asked) return;
      answer = found;
      if (chosen.range === 'today') today = found.to;
      clocksOf(found);
      refused(['', '']);
      fill();
    } catch (refusal) {
      if (mine === asked) refused(refusal.pair);
    }
  };
  const again = setInterval(() => {
    if (!trouble.isConnected) clearInterval(again);
    else if (!document.hidden && chosen.range === 'today') load();
  }, AGAIN_MS);
  answer = null;
  load();
  return [choosing(how, load, refused), trouble,
    tiles(), people(how), times(how), estimates(), messages(), overtakes(), past(how)];
}

onSwitch(() => { if (answer) fill(); });
