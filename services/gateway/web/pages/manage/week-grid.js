// Editor of the hours of a week: a row for each day, with its spans; and the same hours as lines of text.
/** @import { Texts } from '../../shared/types' */
import './hours-words.js';
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import {
  setTextPair,
  setText,
  textElement,
  translation,
  translations,
} from '../../shared/language.js';
import { problemLine, selectField } from './fields.js';
import { problemTexts } from './problems.js';

const READ_DELAY_MS = 400; // after the last key, before the server reads the lines

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
/** Days that a day can be copied to. */
const COPY_TARGETS = { weekdays: [0, 1, 2, 3, 4], weekend: [5, 6], all: [0, 1, 2, 3, 4, 5, 6] };
/** @type {Span[]} */
const FIRST_SPANS = [['09:00', '17:30']];

/** @typedef {[from: string, to: string]} Span the end of the day is 24:00 */
/** @typedef {Span[][]} Week Monday first */
/** @typedef {{ first: string, last: string, hours: Span[] }} Dates */

/**
 * What lines of hours mean, as the server reads them.
 * @typedef {object} Reading
 * @property {Week | null} week null is always
 * @property {Dates[]} dates
 * @property {string[]} lines
 * @property {{ line: number | null, code: string, what: string } | null} problem
 */

/**
 * Reads lists of lines.
 * @param {Record<string, string[]>} lists
 * @param {(options: any) => any} withAuth
 * @returns {Promise<Record<string, Reading>>}
 */
export const readHours = (lists, withAuth) =>
  fetchJson(
    '/api/v1/book/hours/reading',
    withAuth({ method: 'POST', body: JSON.stringify({ lists }) }),
  );

/** @param {Span} span */
const spanText = ([from, to]) => `${from}-${to}`;
/** @param {Span[]} spans */
const spansText = spans => spans.map(spanText).join(' ');

/**
 * Lines that are stored for a week.
 * @param {Week | null} week
 */
export function weekLines(week) {
  const lines = [];
  for (let day = 0; week && day < week.length; ) {
    const hours = spansText(week[day]);
    let last = day;
    while (last + 1 < week.length && spansText(week[last + 1]) === hours) last += 1;
    const days = last === day ? DAYS[day] : `${DAYS[day]}-${DAYS[last]}`;
    if (hours) lines.push(`${days} ${hours}`);
    day = last + 1;
  }
  return lines;
}

/**
 * Line that is stored for dates.
 * @param {Dates} dates
 */
export const datesLine = ({ first, last, hours }) =>
  `${first === last ? first : `${first}..${last}`} ${spansText(hours) || 'closed'}`;

/**
 * Hours as people read them.
 * @param {Span[]} spans
 * @returns {Texts}
 */
export function hoursTexts(spans) {
  if (spans.length === 0) return translations('hours.closed');
  if (spansText(spans) === '00:00-24:00') return translations('hours.all-day');
  const text = spans.map(([from, to]) => `${from}–${to}`).join(' ');
  return [text, text];
}

/**
 * A week as people read it: its days with the same hours together.
 * @param {Week | null} week
 * @param {string} always key of its text where there are no hours
 * @returns {Texts}
 */
export function weekTexts(week, always) {
  if (!week) return translations(always);
  /** @type {string[][]} */
  const parts = [];
  for (let day = 0; day < week.length; ) {
    let last = day;
    while (last + 1 < week.length && spansText(week[last + 1]) === spansText(week[day])) last += 1;
    const [first, end] = [translations(`day.${day}`), translations(`day.${last}`)];
    const hours = hoursTexts(week[day]);
    const range = [0, 1].map(i => translations('day.range', { first: first[i], last: end[i] })[i]);
    const names = last === day ? first : range;
    if (week[day].length) parts.push(names.map((name, i) => `${name} ${hours[i]}`));
    day = last + 1;
  }
  return /** @type {Texts} */ ([0, 1].map(i => parts.map(part => part[i]).join(', ')));
}

/** @param {string} key @param {() => void} act @param {string} [about] */
export function smallButton(key, act, about) {
  const button = textElement(key, {}, 'button');
  Object.assign(button, { type: 'button', className: 'ghost small' });
  if (about) button.setAttribute('aria-label', `${translation(key)} ${about}`);
  button.addEventListener('click', act);
  return button;
}

/**
 * Editor of the spans of one day.
 * @param {string} name of the day
 * @param {Span[]} spans
 * @param {() => void} changed after a time was changed
 * @param {() => void} redraw after a span came or went
 */
export function spanInputs(name, spans, changed, redraw) {
  /** @param {Span} span @param {0 | 1} end @param {string} label @param {() => void} edited */
  const timeInput = (span, end, label, edited) => {
    const control = createElement('input', {
      type: 'time',
      value: span[end] === '24:00' ? '00:00' : span[end],
      required: true,
      'aria-label': `${name} ${translation(label)}`,
    });
    control.addEventListener('change', () => {
      if (!control.value) return;
      span[end] = end === 1 && control.value === '00:00' ? '24:00' : control.value;
      edited();
    });
    return control;
  };
  /** @param {Span} span */
  const times = span => {
    const next = textElement('hours.next-day', {}, 'small');
    next.className = 'next-day';
    next.hidden = !passesMidnight(span);
    const edited = () => {
      next.hidden = !passesMidnight(span);
      changed();
    };
    const [from, to] = [
      timeInput(span, 0, 'hours.from', edited),
      timeInput(span, 1, 'hours.to', edited),
    ];
    return [from, '–', to, next];
  };
  /** @param {Span} span */
  const removeSpan = span => {
    const button = createElement('button', { type: 'button', class: 'ghost small cross' }, '×');
    button.setAttribute('aria-label', `${translation('manage.remove')} ${name} ${spanText(span)}`);
    button.addEventListener('click', () => {
      spans.splice(spans.indexOf(span), 1);
      redraw();
    });
    return button;
  };
  return spans.map(span =>
    createElement(
      'span',
      { class: 'span' },
      ...(spanText(span) === '00:00-24:00' ? [textElement('hours.all-day')] : times(span)),
      removeSpan(span),
    ),
  );
}

/** @param {Span} span */
const passesMidnight = ([from, to]) => to !== '24:00' && to <= from;

/**
 * Adds a span behind the others of a day.
 * @param {Span[]} spans
 */
export function addSpan(spans) {
  if (spansText(spans) === '00:00-24:00') spans.length = 0;
  const last = spans[spans.length - 1]?.[1];
  const hour = last ? Number(last.slice(0, 2)) : 8;
  const time = hours => `${String(hours).padStart(2, '0')}:00`;
  if (!last) spans.push([...FIRST_SPANS[0]]);
  else if (hour < 20) spans.push([time(hour + 1), time(hour + 4)]);
  else if (spans[0][0] >= '03:00') {
    const first = Number(spans[0][0].slice(0, 2));
    spans.unshift([time(first - 2), time(first - 1)]);
  } else spans.push(['23:00', '24:00']);
}

/**
 * Editor of the hours of a week.
 * @param {object} options
 * @param {string[]} options.keys of the values that it edits, for their problems
 * @param {Reading} options.reading
 * @param {'hours' | 'shifts'} options.kind
 * @param {(lines: string[], week: Week | null) => void} options.set takes the lines of the week, and it
 * @param {(options: any) => any} options.withAuth
 */
export function weekEditor({ keys, reading, kind, set, withAuth }) {
  /** @type {Week | null} */
  let week = reading.week;
  /** What is kept while the hours are switched off. */
  let formerWeek = week;
  const grid = createElement('div', { class: 'week' });
  const text = createElement('textarea', { rows: 4, spellcheck: 'false', lang: 'zh-CN' });
  const unread = createElement('p', { class: 'wrong', role: 'status' });
  let timer = 0;
  const mode = selectField(
    `${keys[0]}.mode`,
    translations(`grid.${kind}.mode`),
    week ? 'week' : 'always',
    [
      ['always', translations(`grid.${kind}.always`)],
      ['week', translations(`grid.${kind}.week`)],
    ],
    value => {
      if (value === 'always') {
        formerWeek = week;
        week = null;
      } else {
        week = formerWeek || DAYS.map((_, day) => (day < 5 ? copyOfSpans(FIRST_SPANS) : []));
      }
      applied();
    },
  );

  const changed = () => {
    const lines = weekLines(week);
    text.value = lines.join('\n');
    unread.replaceChildren();
    // Without a line it would be always open.
    const isClosed = week !== null && lines.length === 0;
    if (isClosed) setText(unread, `grid.${kind}.never`);
    else set(lines, week);
  };
  const applied = () => {
    renderGrid();
    changed();
  };

  const copyMenu = day => {
    const menu = createElement('select', {
      class: 'copy',
      'aria-label': `${translation(`day.${day}`)} ${translation('hours.copy')}`,
    });
    menu.append(createElement('option', { value: '' }, translations('hours.copy').join(' ')));
    for (const name of Object.keys(COPY_TARGETS)) {
      menu.append(
        createElement('option', { value: name }, translations(`hours.copy.${name}`).join(' ')),
      );
    }
    menu.addEventListener('change', () => {
      for (const target of COPY_TARGETS[menu.value] || []) {
        if (week) week[target] = copyOfSpans(week[day]);
      }
      applied();
      grid.children[day]?.querySelector('select')?.focus();
    });
    return menu;
  };
  const dayRow = (spans, day) => {
    const name = translation(`day.${day}`);
    return createElement(
      'div',
      { class: spans.length ? 'day' : 'day closed', role: 'group', 'aria-label': name },
      textElement(`day.${day}`, {}, 'strong'),
      createElement(
        'div',
        { class: 'spans' },
        ...spanInputs(name, spans, changed, applied),
        !spans.length && textElement('hours.closed'),
      ),
      createElement(
        'div',
        { class: 'day-acts' },
        smallButton(
          'hours.add',
          () => {
            addSpan(spans);
            applied();
          },
          name,
        ),
        smallButton(
          'hours.all-day',
          () => {
            spans.splice(0, spans.length, ['00:00', '24:00']);
            applied();
          },
          name,
        ),
        copyMenu(day),
      ),
    );
  };
  const renderGrid = () => {
    grid.hidden = !week;
    grid.replaceChildren(...(week || []).map(dayRow));
  };

  const readText = async () => {
    const lines = text.value
      .split('\n')
      .map(line => line.trim())
      .filter(Boolean);
    const written = text.value;
    const { read } = await readHours({ read: lines }, withAuth);
    if (written !== text.value) return;
    if (read.problem || read.dates.length) {
      const { line, texts } = unreadTexts(read);
      setTextPair(unread, line === null ? texts : withLine(lines[line], texts));
      return;
    }
    unread.replaceChildren();
    week = read.week;
    const control = /** @type {HTMLSelectElement} */ (mode.querySelector('select'));
    control.value = week ? 'week' : 'always';
    renderGrid();
    set(read.lines, week);
  };
  text.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(
      () => readText().catch(error => setTextPair(unread, error.texts)),
      READ_DELAY_MS,
    );
  });

  text.value = weekLines(week).join('\n');
  if (reading.problem) setTextPair(unread, problemTexts({ key: '', ...reading.problem }));
  renderGrid();
  text.setAttribute('aria-label', translation('hours.text'));
  return createElement(
    'div',
    { class: 'week-editor' },
    mode,
    grid,
    createElement(
      'details',
      {},
      textElement('hours.text', {}, 'summary'),
      createElement(
        'div',
        { class: 'field' },
        text,
        setText(createElement('span', { class: 'soft' }), 'hours.text.form'),
      ),
    ),
    unread,
    problemLine(keys, grid),
  );
}

/** @param {Reading} read @returns {{ line: number | null, texts: Texts }} */
function unreadTexts({ problem, dates }) {
  if (problem) return { line: problem.line, texts: problemTexts({ key: '', ...problem }) };
  return { line: null, texts: translations('hours.no-dates', { date: dates[0].first }) };
}

/** @param {string} line @param {Texts} texts @returns {Texts} */
const withLine = (line, texts) => /** @type {Texts} */ (texts.map(text => `“${line}” ${text}`));

/** @param {Span[]} spans @returns {Span[]} */
const copyOfSpans = spans => spans.map(([from, to]) => [from, to]);
