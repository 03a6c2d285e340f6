// Editor of dates with hours of their own: a list, and a place to paste holidays into.
/** @import { Dates, Span } from './week-grid.js' */
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
import { field, numberField, problemLine, selectField } from './fields.js';
import { addSpan, datesLine, hoursTexts, smallButton, spanInputs } from './week-grid.js';

const READ_DELAY_MS = 400; // after the last key, before the server reads the list

/** Today on this machine's calendar, as the dates are written. */
const today = () => {
  const now = new Date();
  const two = number => String(number).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
};

/** @param {string} date @returns {Texts} */
function withWeekday(date) {
  const day = (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7;
  const names = translations(`day.${day}`);
  return [`${date} ${names[0]}`, `${names[1]} ${date}`];
}

/** @param {{ first: string, last: string }} dates @returns {Texts} */
export function rangeTexts({ first, last }) {
  const [from, to] = [withWeekday(first), withWeekday(last)];
  if (first === last) return from;
  return /** @type {Texts} */ (
    [0, 1].map(i => translations('dates.range', { first: from[i], last: to[i] })[i])
  );
}

/**
 * List of dates.
 * @param {object} options
 * @param {string[]} options.keys of the values that it edits, for their problems
 * @param {Dates[]} options.dates
 * @param {(lines: string[]) => void} options.set
 */
export function datesEditor({ keys, dates, set }) {
  const list = createElement('ul', { class: 'dates' });
  const past = createElement('ul', { class: 'dates' });
  const pastPart = createElement('details', { class: 'past' });
  /** @type {Dates | null} */
  let edited = null;

  const changed = () => set(dates.map(datesLine));
  const applied = () => {
    render();
    changed();
  };
  const dateInput = (entry, end, label) => {
    const control = createElement('input', { type: 'date', value: entry[end], required: true });
    control.addEventListener('change', () => {
      if (!control.value) return;
      entry[end] = control.value;
      if (entry.last < entry.first) {
        entry.last = entry.first;
        applied();
      } else changed();
    });
    return field(`date.${label}`, translations(label), control);
  };
  const removeButton = entry =>
    smallButton(
      'manage.remove',
      () => {
        dates.splice(dates.indexOf(entry), 1);
        applied();
      },
      rangeTexts(entry)[0],
    );
  const editRow = entry => {
    const name = rangeTexts(entry)[0];
    const isOpen = entry.hours.length > 0;
    return createElement(
      'li',
      { class: 'editing' },
      createElement(
        'div',
        { class: 'fields' },
        dateInput(entry, 'first', 'dates.first'),
        dateInput(entry, 'last', 'dates.last'),
        selectField(
          'date.what',
          translations('dates.what'),
          isOpen ? 'open' : 'closed',
          [
            ['closed', translations('hours.closed')],
            ['open', translations('hours.open')],
          ],
          value => {
            entry.hours = value === 'open' ? [['09:00', '17:30']] : [];
            applied();
          },
        ),
      ),
      isOpen &&
        createElement(
          'div',
          { class: 'spans' },
          ...spanInputs(name, entry.hours, changed, applied),
          smallButton(
            'hours.add',
            () => {
              addSpan(entry.hours);
              applied();
            },
            name,
          ),
        ),
      createElement(
        'div',
        { class: 'day-acts' },
        smallButton('dates.done', () => {
          edited = null;
          dates.sort((left, right) => left.first.localeCompare(right.first));
          applied();
        }),
        removeButton(entry),
      ),
    );
  };
  const row = entry =>
    entry === edited
      ? editRow(entry)
      : createElement(
          'li',
          {},
          setTextPair(createElement('span', { class: 'when' }), rangeTexts(entry)),
          setTextPair(createElement('strong'), hoursTexts(entry.hours)),
          createElement(
            'div',
            { class: 'day-acts' },
            smallButton(
              'dates.edit',
              () => {
                edited = entry;
                render();
                list.querySelector('input')?.focus();
              },
              rangeTexts(entry)[0],
            ),
            removeButton(entry),
          ),
        );
  const render = () => {
    const now = today();
    const isPast = entry => entry.last < now && entry !== edited;
    const gone = dates.filter(isPast);
    const coming = dates.filter(entry => !isPast(entry));
    list.replaceChildren(
      ...(coming.length ? coming.map(row) : [textElement('dates.none', {}, 'li')]),
    );
    past.replaceChildren(...gone.map(row));
    pastPart.hidden = gone.length === 0;
    pastPart.replaceChildren(textElement('dates.past', { count: gone.length }, 'summary'), past);
  };
  const add = smallButton('dates.add', () => {
    const taken = new Set(dates.map(entry => entry.first));
    let first = today();
    while (taken.has(first)) {
      const next = new Date(`${first}T00:00:00Z`);
      next.setUTCDate(next.getUTCDate() + 1);
      first = next.toISOString().slice(0, 10);
    }
    edited = { first, last: first, hours: [] };
    dates.push(edited);
    applied();
    list.querySelector('.editing')?.scrollIntoView({ block: 'nearest' });
  });
  render();
  return createElement(
    'div',
    { class: 'dates-editor' },
    list,
    pastPart,
    createElement('div', { class: 'day-acts' }, add),
    problemLine(keys, list),
  );
}

/**
 * Place to paste a list of holidays into, with what was understood of it.
 * @param {object} options
 * @param {() => { dates: string[], queues: Record<string, string[]> }} options.current hours that the list is laid over
 * @param {(dates: string[], queues: Record<string, string[]>) => void} options.take
 * @param {(options: any) => any} options.withAuth
 */
export function holidaysPaste({ current, take, withAuth }) {
  let year = new Date().getFullYear();
  let workday = '0';
  let timer = 0;
  let requests = 0;
  const text = createElement('textarea', {
    rows: 5,
    spellcheck: 'false',
    lang: 'zh-CN',
    placeholder: translation('dates.paste.example'),
  });
  const parts = createElement('ul', { class: 'understood', 'aria-live': 'polite' });
  const button = textElement('dates.take', { count: 0 }, 'button');
  Object.assign(button, { type: 'button', className: 'primary', hidden: true });
  /** @type {{ dates: string[], queues: Record<string, string[]> } | null} */
  let result = null;

  const read = async () => {
    requests += 1;
    const request = requests;
    result = null;
    button.hidden = true;
    if (!text.value.trim()) {
      parts.replaceChildren();
      return;
    }
    const body = { text: text.value, year, workday: Number(workday), ...current() };
    try {
      const reading = await fetchJson(
        '/api/v1/book/hours/holidays',
        withAuth({ method: 'POST', body: JSON.stringify(body) }),
      );
      if (request !== requests) return;
      const count = reading.parts.reduce((sum, part) => sum + part.dates.length, 0);
      parts.replaceChildren(...reading.parts.map(part => partRow(part, workday)));
      result = reading;
      setText(button, 'dates.take', { count });
      button.hidden = count === 0;
    } catch (error) {
      if (request !== requests) return;
      parts.replaceChildren(
        createElement('li', { class: 'unread' }, setTextPair(createElement('strong'), error.texts)),
      );
    }
  };
  const readSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(read, READ_DELAY_MS);
  };
  text.addEventListener('input', readSoon);
  button.addEventListener('click', () => {
    if (result) take(result.dates, result.queues);
  });
  return createElement(
    'details',
    { class: 'paste' },
    textElement('dates.paste', {}, 'summary'),
    setText(createElement('p', { class: 'soft' }), 'dates.paste.lead'),
    field('dates.paste', translations('dates.paste.text'), text, { wide: true }),
    createElement(
      'div',
      { class: 'fields' },
      numberField(
        'dates.year',
        translations('dates.year'),
        year,
        value => {
          year = value;
          readSoon();
        },
        { attributes: { min: 1970, max: 2999 } },
      ),
      selectField(
        'dates.workday',
        translations('dates.workday'),
        workday,
        [0, 1, 2, 3, 4].map(day => [String(day), translations(`day.${day}`)]),
        value => {
          workday = value;
          readSoon();
        },
      ),
    ),
    parts,
    button,
  );
}

/**
 * Part of a pasted list, with what was understood of it.
 * @param {{ text: string, dates: { first: string, last: string, kind: string, hours: Span[] }[], problem: { code: string, about: string, weekday: number | null } | null }} part
 * @param {string} workday
 */
function partRow({ text, dates, problem }, workday) {
  const kind = problem ? 'unread' : dates.length ? 'read' : 'ignored';
  const day = [0, 1].map(i => translations(`day.${problem?.weekday ?? workday}`)[i]);
  const inBoth = (key, values = {}) =>
    /** @type {Texts} */ ([0, 1].map(i => translations(key, { ...values, day: day[i] })[i]));
  const meanings = dates.map(({ kind: what, hours, ...range }) => {
    const said = what === 'workday' ? inBoth('dates.workday-kind') : hoursTexts(hours);
    return /** @type {Texts} */ (rangeTexts(range).map((when, i) => `${when} ${said[i]}`));
  });
  if (problem) meanings.push(inBoth(`dates.problem.${problem.code}`, { about: problem.about }));
  if (kind === 'ignored') meanings.push(translations('dates.ignored'));
  const mark = { read: '✓', unread: '✗', ignored: '–' }[kind];
  return createElement(
    'li',
    { class: kind },
    createElement('span', { class: 'mark', 'aria-hidden': 'true' }, mark),
    createElement(
      'div',
      {},
      createElement('q', { lang: 'zh-CN' }, text),
      meanings.map(texts => setTextPair(createElement('p'), texts)),
    ),
  );
}
