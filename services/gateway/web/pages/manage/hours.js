// Section of opening hours: a week for all queues with the same hours, and dates that differ.
/** @import { SectionContext } from '../../shared/types' */
/** @import { Reading } from './week-grid.js' */
import './hours-words.js';
import { createElement } from '../../shared/dom.js';
import {
  setText,
  setTextPair,
  textElement,
  translations,
  languageOf,
} from '../../shared/language.js';
import { selectField } from './fields.js';
import { entriesOf } from './order.js';
import { datesEditor, holidaysPaste } from './dates-editor.js';
import { datesLine, readHours, weekEditor, weekLines } from './week-grid.js';

/** @type {Set<string>} queues that have a card of their own, though their hours are those of others */
const apart = new Set();

/**
 * Queues with the same hours, each group by the lines.
 * @param {Record<string, any>} queues
 */
function groupsOf(queues) {
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  for (const [id, { hours }] of entriesOf(queues)) {
    const key = apart.has(id) ? `${id}/` : JSON.stringify(hours);
    groups.set(key, [...(groups.get(key) || []), id]);
  }
  return [...groups.values()];
}

/** @param {Record<string, any>} queues @param {string[]} ids */
function groupTitle(queues, ids) {
  const total = Object.keys(queues).length;
  const names = ids.map(id =>
    createElement('li', { lang: languageOf(queues[id].name) }, queues[id].name),
  );
  if (total > 1 && ids.length === total) return [textElement('hours.of-all', {}, 'h3')];
  if (ids.length === 1) {
    const { name } = queues[ids[0]];
    return [createElement('h3', { lang: languageOf(name) }, name)];
  }
  return [
    textElement('hours.of-many', { count: ids.length }, 'h3'),
    createElement('ul', { class: 'numbers' }, names),
  ];
}

/**
 * Choice of a group by the names of its first queues.
 * @param {Record<string, any>} queues
 * @param {string[]} group
 * @returns {[value: string, texts: string[]]}
 */
const choice = (queues, group) => {
  const names = group.slice(0, 2).map(id => queues[id].name);
  return [group[0], [...names, ...(group.length > 2 ? [`+${group.length - 2}`] : [])]];
};

/**
 * Card of queues with the same hours.
 * @param {SectionContext} context
 * @param {string[]} ids
 * @param {Reading} reading
 * @param {string[][]} groups
 */
function weekCard({ draft, changed, redraw, withAuth }, ids, reading, groups) {
  const { queues } = draft;
  // What a queue says of dates stays beside its week.
  let dates = reading.dates.map(datesLine);
  let week = reading.problem ? queues[ids[0]].hours : weekLines(reading.week);
  const write = () => {
    for (const id of ids) queues[id].hours = [...week, ...dates];
    changed();
  };
  const keys = ids.map(id => `queues.${id}.hours`);
  const others = groups.filter(group => group !== ids);
  return createElement(
    'div',
    { class: 'card' },
    ...groupTitle(queues, ids),
    weekEditor({
      keys,
      reading,
      kind: 'hours',
      withAuth,
      set: lines => {
        week = lines;
        write();
      },
    }),
    (reading.dates.length > 0 || ids.length < Object.keys(queues).length) &&
      createElement(
        'details',
        { open: reading.dates.length > 0 },
        textElement('dates.own', {}, 'summary'),
        datesEditor({
          keys: [],
          dates: reading.dates,
          set: lines => {
            dates = lines;
            write();
          },
        }),
      ),
    ids.length > 1 &&
      createElement(
        'details',
        {},
        textElement('hours.own', {}, 'summary'),
        createElement(
          'div',
          { class: 'day-acts' },
          ids.map(id => {
            const button = createElement(
              'button',
              { type: 'button', class: 'ghost small', lang: languageOf(queues[id].name) },
              queues[id].name,
            );
            button.addEventListener('click', () => {
              apart.add(id);
              redraw();
            });
            return button;
          }),
        ),
      ),
    ids.length === 1 &&
      others.length > 0 &&
      selectField(
        `${keys[0]}.same`,
        translations('hours.same-as'),
        '',
        [['', translations('hours.same-as.none')], ...others.map(group => choice(queues, group))],
        other => {
          apart.delete(ids[0]);
          apart.delete(other);
          queues[ids[0]].hours = [...queues[other].hours];
          redraw();
        },
      ),
  );
}

/**
 * @param {SectionContext} context
 * @returns {HTMLElement[]}
 */
export function section(context) {
  const { draft, changed, redraw, withAuth } = context;
  const place = createElement('div', { class: 'place' }, textElement('manage.loading', {}, 'p'));
  const groups = groupsOf(draft.queues);
  const lists = Object.fromEntries(groups.map(([first]) => [first, draft.queues[first].hours]));
  readHours({ ...lists, '': draft.dates }, withAuth).then(
    readings => {
      const currentHours = () =>
        Object.fromEntries(entriesOf(draft.queues).map(([id, { hours }]) => [id, hours]));
      place.replaceChildren(
        ...groups.map(ids => weekCard(context, ids, readings[ids[0]], groups)),
        createElement(
          'div',
          { class: 'card' },
          setText(createElement('h3'), 'manage.dates'),
          setText(createElement('p', { class: 'soft' }), 'manage.dates.all'),
          datesEditor({
            keys: ['dates'],
            dates: readings[''].dates,
            set: lines => {
              draft.dates = lines;
              changed();
            },
          }),
          holidaysPaste({
            current: () => ({ dates: draft.dates, queues: currentHours() }),
            take: (dates, hours) => {
              draft.dates = dates;
              for (const [id, lines] of Object.entries(hours)) draft.queues[id].hours = lines;
              redraw();
            },
            withAuth,
          }),
        ),
      );
    },
    error => place.replaceChildren(setTextPair(createElement('p'), error.texts)),
  );
  return [place];
}
