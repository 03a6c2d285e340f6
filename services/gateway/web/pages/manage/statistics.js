// Section of statistics: a choice of days and queue, the figures, and charts of them.
/** @import { SectionContext, Texts } from '../../shared/types' */
import './statistics-words.js';
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { useTimeZone } from '../../shared/format.js';
import {
  translations,
  translation,
  setTextPair,
  setText,
  textElement,
  onLanguageChange,
} from '../../shared/language.js';
import { field, selectField } from './fields.js';
import { columnChart, barChart, swatch } from './charts.js';
import { pastStateCard } from './past-state.js';

const RANGES = { today: [0, 0], yesterday: [1, 1], week: [6, 0], month: [29, 0] };
const ENDS = ['served', 'missed', 'left', 'void', 'here'];
const CAUSES = ['priority', 'returned', 'transferred', 'resumed', 'taken_back', 'out_of_order'];
const OUTCOMES = [
  'delivered',
  'sent',
  'unknown',
  'sending',
  'waiting',
  'superseded',
  'stale',
  'not_delivered',
  'failed',
];
const POLL_INTERVAL_MS = 15000; // while today is shown
const MIN_HOURS = 8; // on the axis, however early it is
const PROMISED_SHARE = 0.8;

/** The days and the queue that are shown; without days it is today. */
const selection = { range: 'today', from: '', to: '', queue: '' };
let today = '';
/** @type {any} the loaded figures */
let statistics = null;
let requests = 0;
/** @type {{ render: () => void }[]} */
let cards = [];

/**
 * @param {string} date
 * @param {number} back days
 */
const dayBefore = (date, back) =>
  new Date(Date.parse(date) - back * 86400000).toISOString().slice(0, 10);
/**
 * Class of an outcome's colour: messages to be sent and being sent look alike.
 * @param {string} fate
 */
const colourOf = fate => (fate === 'waiting' ? 'sending' : fate);
const isRange = () => selection.from !== selection.to;
const query = () =>
  new URLSearchParams({
    ...(selection.from && { from: selection.from, to: selection.to }),
    by: isRange() ? 'day' : 'hour',
    ...(selection.queue && { queue: selection.queue }),
  });

/**
 * The texts of a key with a value in each language.
 * @param {string} key
 * @param {string} name of the value
 * @param {Texts} texts
 * @returns {any}
 */
const translationsWithin = (key, name, texts) =>
  texts.map((text, i) => translations(key, { [name]: text })[i]);

/**
 * A duration as minutes and seconds.
 * @param {number | null} s seconds
 */
const formatDuration = s =>
  s === null ? '—' : `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
/**
 * A duration in words.
 * @param {number} s seconds
 */
const durationTexts = s =>
  s < 60
    ? translations('numbers.seconds', { n: s })
    : translations('numbers.minutes', { n: s < 600 ? Math.round(s / 6) / 10 : Math.round(s / 60) });
const formatPercent = share => (share === null ? '—' : `${Math.round(100 * share)} %`);
const formatNumber = figure => (figure === null ? '—' : `${figure}`.replace('-', '−'));
const headings = keys => keys.map(key => textElement(key, {}, 'span'));

/**
 * @param {string} caption
 * @param {string[]} head keys
 * @param {any[][]} rows
 * @param {any[] | null} foot
 */
function table(caption, head, rows, foot = null) {
  /** @param {any[]} cells */
  const row = ([first, ...cells]) =>
    createElement(
      'tr',
      {},
      createElement('th', { scope: 'row' }, first),
      cells.map(cell => createElement('td', {}, cell)),
    );
  return createElement(
    'div',
    { class: 'scroll' },
    createElement(
      'table',
      { class: 'figures' },
      textElement(caption, {}, 'caption'),
      createElement(
        'thead',
        {},
        createElement(
          'tr',
          {},
          headings(head).map(name => createElement('th', { scope: 'col' }, name)),
        ),
      ),
      createElement('tbody', {}, rows.map(row)),
      foot && createElement('tfoot', {}, row(foot)),
    ),
  );
}

/**
 * The slots of the time axis: one for each hour or day, and for empty ones too.
 * @param {SectionContext} context
 */
function timeSlots({ saved }) {
  const empty = {
    taken: 0,
    served: 0,
    missed: 0,
    left: 0,
    void: 0,
    here: 0,
    waiting: { median_s: null, p90_s: null },
    serving: { median_s: null, p90_s: null },
  };
  /** @type {Map<any, any>} */
  const bySlot = new Map(
    /** @type {any[]} */ (statistics.all_queues).map(row => [
      statistics.by === 'hour' ? row.hour : row.day,
      row,
    ]),
  );
  if (statistics.by === 'day') {
    const days = (Date.parse(statistics.to) - Date.parse(statistics.from)) / 86400000;
    const all = Array.from({ length: days + 1 }, (_, i) => dayBefore(statistics.to, days - i));
    return all.map(date => ({ name: date, label: date.slice(5), of: bySlot.get(date) || empty }));
  }
  // The business day may begin at another hour than midnight.
  const hourIndex = hour => (hour - saved.day_starts_at + 24) % 24;
  const places = [...bySlot.keys()].map(hourIndex);
  const first = Math.min(...places, 24 - MIN_HOURS);
  const last = Math.max(...places, first + MIN_HOURS - 1);
  const hours = Array.from(
    { length: last - first + 1 },
    (_, i) => (first + i + saved.day_starts_at) % 24,
  );
  return hours.map(hour => ({
    name: `${String(hour).padStart(2, '0')}:00`,
    label: `${hour}:00`,
    of: bySlot.get(hour) || empty,
  }));
}

/** A bar followed by its figure. */
const barWithFigure = (picture, figure) =>
  createElement('span', { class: 'barred' }, picture, createElement('span', {}, `${figure}`));

/**
 * Card that is rendered again whenever figures are loaded.
 * @param {string} name
 * @param {() => Texts} lead
 * @param {(width: number) => any} renderChart
 * @param {{ legend?: () => string[][], table?: (() => HTMLElement) | null }} options
 */
function card(name, lead, renderChart, { legend = () => [], table: tableOf = null } = {}) {
  const chartPlace = createElement('div', { class: 'drawn' });
  const note = createElement('p', { class: 'soft' });
  const tablePlace = createElement('div');
  const more =
    tableOf &&
    createElement('details', {}, textElement('numbers.table', {}, 'summary'), tablePlace);
  const key = createElement('ul', { class: 'legend' });
  let width = 0;
  const render = () => {
    const chart = renderChart(chartPlace.clientWidth);
    key.replaceChildren(
      ...(chart ? legend() : []).map(([kind, name]) =>
        createElement('li', {}, swatch(kind), textElement(name)),
      ),
    );
    chartPlace.replaceChildren(chart || textElement('numbers.nothing', {}, 'p'));
    key.hidden = !key.hasChildNodes();
    setTextPair(note, lead());
    if (more) more.hidden = !chart;
    if (chart) tablePlace.replaceChildren(tableOf?.() || '');
  };
  cards.push({ render });
  new ResizeObserver(() => {
    if (statistics && width !== chartPlace.clientWidth) render();
    width = chartPlace.clientWidth;
  }).observe(chartPlace);
  return createElement(
    'section',
    { class: `card ${name}` },
    setText(createElement('h3'), `numbers.${name}`),
    note,
    key,
    chartPlace,
    more,
  );
}

const peopleCard = context =>
  card(
    'people',
    () => translations('numbers.people.lead'),
    width =>
      statistics.total.taken > 0 &&
      columnChart(
        width,
        translation('numbers.people'),
        timeSlots(context).map(({ name, label, of }) => ({
          label,
          columns: [
            {
              parts: ENDS.map(end => ({ kind: end, value: of[end] })),
              over: of.taken > 0 && `${of.taken}`,
              says: [
                `${name} · ${translation('numbers.taken')} ${of.taken}`,
                ...ENDS.filter(end => of[end]).map(
                  end => `${translation(`numbers.${end}`)} ${of[end]}`,
                ),
              ].join('\n'),
            },
          ],
        })),
      ),
    {
      legend: () => ENDS.map(end => [end, `numbers.${end}`]),
      table: () =>
        table(
          'numbers.people',
          ['numbers.time', 'numbers.taken', ...ENDS.map(end => `numbers.${end}`)],
          timeSlots(context).map(({ name, of }) => [name, of.taken, ...ENDS.map(end => of[end])]),
          [
            textElement('numbers.all'),
            statistics.total.taken,
            ...ENDS.map(end => statistics.total[end]),
          ],
        ),
    },
  );

const DURATIONS = ['waiting', 'serving'];
/**
 * Unit of the chart of durations: its name, and its seconds.
 * @returns {[string, number]}
 */
const timeUnit = () =>
  Math.max(
    ...statistics.all_queues.flatMap(one => DURATIONS.map(what => one[what].p90_s ?? 0)),
    0,
  ) > 180
    ? ['minutes', 60]
    : ['seconds', 1];

const timesCard = context =>
  card(
    'times',
    () =>
      translationsWithin(
        'numbers.times.lead',
        'unit',
        translations(`numbers.unit.${timeUnit()[0]}`),
      ),
    width =>
      DURATIONS.some(what => statistics.total[what].count) &&
      columnChart(
        width,
        translation('numbers.times'),
        timeSlots(context).map(({ name, label, of }) => ({
          label,
          columns: DURATIONS.map(what => ({
            parts: [{ kind: what, value: (of[what].median_s ?? 0) / timeUnit()[1] }],
            reach: (of[what].p90_s ?? 0) / timeUnit()[1],
            says: `${name} · ${translation(`numbers.${what}`)} ${formatDuration(of[what].median_s)} · P90 ${formatDuration(of[what].p90_s)}`,
          })),
        })),
      ),
    {
      legend: () => DURATIONS.map(what => [what, `numbers.${what}`]),
      table: () =>
        table(
          'numbers.times',
          [
            'numbers.time',
            ...DURATIONS.flatMap(what => [`numbers.${what}.median`, `numbers.${what}.p90`]),
          ],
          timeSlots(context).map(({ name, of }) => [
            name,
            ...DURATIONS.flatMap(what => [
              formatDuration(of[what].median_s),
              formatDuration(of[what].p90_s),
            ]),
          ]),
          [
            textElement('numbers.all'),
            ...DURATIONS.flatMap(what => [
              formatDuration(statistics.total[what].median_s),
              formatDuration(statistics.total[what].p90_s),
            ]),
          ],
        ),
    },
  );

const estimatesCard = () =>
  card(
    'estimates',
    () => translations('numbers.estimates.lead'),
    () => {
      const row = (name, estimate) => [
        name,
        barWithFigure(
          barChart(
            1,
            [{ kind: 'served', value: estimate.kept ?? 0, says: formatPercent(estimate.kept) }],
            PROMISED_SHARE,
          ),
          formatPercent(estimate.kept),
        ),
        estimate.count,
        formatNumber(estimate.median_error_minutes),
        formatNumber(estimate.mean_error_minutes),
        formatNumber(estimate.bias_minutes),
      ];
      return (
        statistics.total.estimate.count > 0 &&
        table(
          'numbers.estimates',
          [
            'numbers.ahead',
            'numbers.kept',
            'numbers.count',
            'numbers.error.median',
            'numbers.error.mean',
            'numbers.bias',
          ],
          statistics.estimates
            .filter(({ ahead }) => ahead)
            .map(estimate => row(estimate.ahead.replace('-', '–'), estimate)),
          row(textElement('numbers.all'), statistics.total.estimate),
        )
      );
    },
  );

/** The number of messages of each kind by outcome. */
function messagesByKind() {
  const kinds = new Map();
  for (const { notice, fate, count } of statistics.messages) {
    const of = kinds.get(notice) || {};
    kinds.set(notice, { ...of, [fate]: (of[fate] || 0) + count });
  }
  /** @param {Record<string, number>} of */
  const total = of => Object.values(of).reduce((sum, count) => sum + count, 0);
  return [...kinds].map(([notice, of]) => ({ notice, of, total: total(of) }));
}
const outcomesPresent = () =>
  OUTCOMES.filter(fate => statistics.messages.some(one => one.fate === fate));

const messagesCard = () =>
  card(
    'messages',
    () => translations('numbers.messages.lead'),
    () => {
      const all = messagesByKind();
      const maximum = Math.max(...all.map(({ total }) => total));
      return (
        all.length > 0 &&
        table(
          'numbers.messages',
          ['numbers.message', 'numbers.count.messages'],
          all.map(({ notice, of, total }) => [
            textElement(`ticket.notice.${notice}`),
            barWithFigure(
              barChart(
                maximum,
                outcomesPresent().map(fate => ({
                  kind: colourOf(fate),
                  value: of[fate] || 0,
                  says: `${translation(`ticket.fate.${fate}`)} ${of[fate]}`,
                })),
              ),
              total,
            ),
          ]),
        )
      );
    },
    {
      legend: () => outcomesPresent().map(fate => [colourOf(fate), `ticket.fate.${fate}`]),
      table: () =>
        table(
          'numbers.messages',
          [
            'numbers.message',
            'numbers.count.messages',
            ...outcomesPresent().map(fate => `ticket.fate.${fate}`),
          ],
          messagesByKind().map(({ notice, of, total }) => [
            textElement(`ticket.notice.${notice}`),
            total,
            ...outcomesPresent().map(fate => of[fate] || 0),
          ]),
        ),
    },
  );

const overtakesCard = () =>
  card(
    'overtakes',
    () => {
      const { people: count, ...causes } = statistics.total.overtaken;
      return translations('numbers.overtakes.lead', {
        people: count,
        times: Object.values(causes).reduce((sum, one) => sum + one, 0),
      });
    },
    () => {
      const maximum = Math.max(...CAUSES.map(cause => statistics.total.overtaken[cause]));
      return (
        maximum > 0 &&
        table(
          'numbers.overtakes',
          ['numbers.cause', 'numbers.times.count'],
          CAUSES.map(cause => {
            const value = statistics.total.overtaken[cause];
            return [
              textElement(`numbers.cause.${cause}`),
              barWithFigure(
                barChart(maximum, [{ kind: 'missed', value, says: `${value}` }]),
                value,
              ),
            ];
          }),
        )
      );
    },
  );

/** The most important figures as tiles. */
function tiles() {
  const list = createElement('dl', { class: 'tiles' });
  const tile = (name, figure, beside = null) =>
    createElement(
      'div',
      { class: name.replace('.', '-') },
      textElement(`numbers.${name}`, {}, 'dt'),
      createElement(
        'dd',
        {},
        figure,
        beside && setTextPair(createElement('p', { class: 'soft' }), beside),
      ),
    );
  const medianElement = ({ median_s: median }) =>
    median === null ? '—' : setTextPair(createElement('span'), durationTexts(median));
  const p90Texts = ({ p90_s: p90 }) =>
    p90 !== null && translationsWithin('numbers.p90', 'time', durationTexts(p90));
  cards.push({
    render: () => {
      const { total } = statistics;
      list.replaceChildren(
        ...['taken', 'served', 'missed', 'left'].map(name => tile(name, `${total[name]}`)),
        ...DURATIONS.map(what =>
          tile(`${what}.median`, medianElement(total[what]), p90Texts(total[what])),
        ),
        tile(
          'kept',
          formatPercent(total.estimate.kept),
          total.estimate.count > 0 &&
            translations('numbers.kept.of', { count: total.estimate.count }),
        ),
        tile('overtaken', `${total.overtaken.people}`),
      );
    },
  });
  return list;
}

/**
 * Card with the choice of days and queue, and the download.
 * @param {SectionContext} context
 * @param {() => void} load
 * @param {(texts: Texts) => unknown} showError
 */
function selectionCard({ saved, id, withAuth }, load, showError) {
  const dates = ['from', 'to'].map(name =>
    createElement('input', { type: 'date', required: true, 'data-name': name }),
  );
  const rangeButton = name => {
    const button = textElement(`numbers.range.${name}`, {}, 'button');
    Object.assign(button, { type: 'button', className: 'ghost' });
    button.addEventListener('click', () => {
      const [from, to] = RANGES[name].map(back => dayBefore(today, back));
      Object.assign(selection, name === 'today' ? { from: '', to: '' } : { from, to }, {
        range: name,
      });
      load();
    });
    return [name, button];
  };
  const rangeButtons = Object.keys(RANGES).map(rangeButton);
  for (const date of dates) {
    date.addEventListener('change', () => {
      const [from, to] = dates.map(one => one.value);
      if (!from || !to) return;
      const swapped = from > to ? date.value : null;
      Object.assign(selection, { range: '', from: swapped || from, to: swapped || to });
      load();
    });
  }
  /** @type {[string, string[]][]} */
  const queues = Object.entries(saved.queues).map(([queueId, { name, name_en: english }]) => [
    queueId,
    english ? [name, english] : [name],
  ]);
  const queue = selectField(
    'numbers.queue',
    translations('numbers.queue'),
    selection.queue,
    [['', translations('numbers.queue.all')], ...queues],
    value => {
      selection.queue = value;
      load();
    },
  );
  const csv = textElement('numbers.csv', {}, 'button');
  Object.assign(csv, { type: 'button', className: 'ghost csv' });
  csv.addEventListener('click', async () => {
    const response = await fetch(
      `/api/v1/sites/${encodeURIComponent(id)}/numbers.csv?${query()}`,
      withAuth({}),
    ).catch(() => null);
    if (!response?.ok) return showError(translations('unreachable'));
    const link = createElement('a', {
      href: URL.createObjectURL(await response.blob()),
      download: `${id}-${statistics.from}-${statistics.to}.csv`,
    });
    link.click();
    return URL.revokeObjectURL(link.href);
  });
  cards.push({
    render: () => {
      dates[0].value = statistics.from;
      dates[1].value = statistics.to;
      for (const date of dates) date.max = today;
      for (const [name, button] of rangeButtons) {
        button.setAttribute('aria-pressed', String(name === selection.range));
      }
    },
  });
  const group = createElement(
    'div',
    {
      class: 'ranges',
      role: 'group',
      'aria-label': translation('numbers.range'),
      'data-label': 'numbers.range',
    },
    rangeButtons.map(([, button]) => button),
  );
  return createElement(
    'div',
    { class: 'card choosing' },
    group,
    createElement(
      'div',
      { class: 'fields' },
      field('numbers.from', translations('numbers.from'), dates[0]),
      field('numbers.to', translations('numbers.to'), dates[1]),
      queue,
      csv,
    ),
  );
}

function renderCards() {
  for (const card of cards) card.render();
}

/** @param {SectionContext} context */
export function section(context) {
  cards = [];
  const errorLine = createElement('p', { class: 'trouble', role: 'alert' });
  /** @param {Texts} texts */
  const showError = texts => setTextPair(errorLine, texts);
  const load = async () => {
    requests += 1;
    const request = requests;
    try {
      const loaded = await fetchJson(
        `/api/v1/sites/${encodeURIComponent(context.id)}/numbers?${query()}`,
        context.withAuth({}),
      );
      if (request !== requests) return;
      statistics = loaded;
      if (selection.range === 'today') today = loaded.to;
      useTimeZone(loaded);
      showError(['', '']);
      renderCards();
    } catch (error) {
      if (request === requests) showError(error.texts);
    }
  };
  const pollTimer = setInterval(() => {
    if (!errorLine.isConnected) clearInterval(pollTimer);
    else if (!document.hidden && selection.range === 'today') load();
  }, POLL_INTERVAL_MS);
  statistics = null;
  load();
  return [
    selectionCard(context, load, showError),
    errorLine,
    tiles(),
    peopleCard(context),
    timesCard(context),
    estimatesCard(),
    messagesCard(),
    overtakesCard(),
    pastStateCard(context),
  ];
}

onLanguageChange(() => {
  if (statistics) renderCards();
});
