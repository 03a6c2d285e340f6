// Card with the state of the queues at a moment in the past.
/** @import { SectionContext } from '../../shared/types' */
import { serverNow, fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import {
  translations,
  setTextPair,
  setText,
  textElement,
  nameElement,
} from '../../shared/language.js';
import { field } from './fields.js';

const MAX_LISTED = 24;
const DEFAULT_AGE_MS = 600000; // of the moment that is offered at first

/**
 * A moment in a site's time zone, in the form of the input.
 * @param {number} at
 * @param {string} timeZone
 */
const formatLocal = (at, timeZone) =>
  new Date(at).toLocaleString('sv-SE', { timeZone }).slice(0, 16).replace(' ', 'T');

function queueItem({
  name,
  name_en: nameEn,
  waiting,
  waiting_count: count,
  held_count: held,
  missed_count: missed,
}) {
  const more = count - Math.min(count, MAX_LISTED);
  return createElement(
    'li',
    {},
    nameElement(name, nameEn, 'h4'),
    count > 0 ? textElement('waiting', { count }, 'p') : textElement('waiting.none', {}, 'p'),
    count > 0 &&
      createElement(
        'ol',
        { class: 'numbers' },
        waiting
          .slice(0, MAX_LISTED)
          .map(({ number }) => createElement('li', { translate: 'no' }, number)),
        more > 0 &&
          setText(createElement('li', { class: 'more' }), 'numbers.past.more', { count: more }),
      ),
    held + missed > 0 &&
      setText(createElement('p', { class: 'soft' }), 'numbers.past.aside', { held, missed }),
  );
}

function counterItem({ name, name_en: nameEn, open, serving }) {
  const activityKey = serving
    ? `numbers.past.${serving.started_at ? 'serving' : 'called'}`
    : `numbers.past.${open ? 'free' : 'closed'}`;
  return createElement(
    'li',
    {},
    nameElement(name, nameEn),
    serving && createElement('b', { translate: 'no' }, serving.number),
    textElement(activityKey, {}, 'span'),
  );
}

/**
 * Card that asks for a moment and shows the state at that time.
 * @param {SectionContext} context
 */
export function pastStateCard({ saved, id, withAuth }) {
  const momentInput = createElement('input', {
    type: 'datetime-local',
    step: 'any',
    required: true,
    value: formatLocal(serverNow() - DEFAULT_AGE_MS, saved.time_zone),
  });
  const result = createElement('div', { class: 'stood', 'aria-live': 'polite' });
  const button = textElement('numbers.past.show', {}, 'button');
  button.className = 'ghost';
  const form = createElement(
    'form',
    { class: 'adding' },
    field('numbers.past', translations('numbers.past.when'), momentInput),
    button,
  );
  form.addEventListener('submit', async event => {
    event.preventDefault();
    const time = momentInput.value;
    try {
      const state = await fetchJson(
        `/api/v1/sites/${encodeURIComponent(id)}/at?${new URLSearchParams({ time })}`,
        withAuth({}),
      );
      result.replaceChildren(
        textElement('numbers.past.stood', { time: time.replace('T', ' ') }, 'h4'),
        createElement('ul', { class: 'then' }, state.queues.map(queueItem)),
        textElement('numbers.past.counters', {}, 'h4'),
        createElement('ul', { class: 'at-counters' }, state.counters.map(counterItem)),
      );
    } catch (error) {
      result.replaceChildren(setTextPair(createElement('p', { class: 'trouble' }), error.texts));
    }
  });
  return createElement(
    'section',
    { class: 'card past' },
    setText(createElement('h3'), 'numbers.past'),
    setText(createElement('p', { class: 'soft' }), 'numbers.past.lead'),
    form,
    result,
  );
}
