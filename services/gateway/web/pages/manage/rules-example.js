// Example of a queue's rules: a small line, which the server's own rules run for the draft.
import './rules-example-words.js';
import { authHeaders } from '../../shared/credentials.js';
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { setTextPair, textElement } from '../../shared/language.js';

/**
 * @param {{ number: string, first: boolean }[]} calls
 */
const callList = calls =>
  createElement(
    'ol',
    { class: 'numbers example-calls' },
    calls.map(({ number, first }) => createElement('li', { class: first ? 'first' : '' }, number)),
  );

/**
 * Shows the example in a place, which is hidden while the draft cannot be in force.
 * @param {HTMLElement} place
 * @param {() => any} setup settings of the site, as they are written now
 * @param {string} queue
 */
export async function showExample(place, setup, queue) {
  const body = JSON.stringify({ queue, setup: setup() });
  try {
    const options = { method: 'POST', body, headers: authHeaders() };
    const example = await fetchJson('/api/v1/book/rules-example', options);
    if (body !== JSON.stringify({ queue, setup: setup() })) return;
    const { missed_number: number, after_miss: after, minutes, near } = example;
    const returns = after?.includes(number);
    place.replaceChildren(
      textElement('example.title', {}, 'h4'),
      after
        ? textElement(returns ? 'example.missed' : 'example.void', { number }, 'p')
        : textElement('example.no-miss', {}, 'p'),
      ...(after ? [callList(after.map(each => ({ number: each, first: each === number })))] : []),
      textElement('example.priority', {}, 'p'),
      callList(example.priority),
      ...(minutes ? [textElement('example.wait', { from: minutes[0], to: minutes[1] }, 'p')] : []),
      textElement('example.near', { near }, 'p'),
    );
    place.hidden = false;
  } catch (error) {
    // What is wrong stands beside the fields; nothing can be shown of it.
    place.hidden = error.code === 'unsound_setup';
    if (!place.hidden) place.replaceChildren(setTextPair(createElement('p'), error.texts));
  }
}
