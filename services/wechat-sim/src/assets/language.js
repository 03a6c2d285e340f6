// Two languages at once: the one that leads, and the other beside it, smaller, where there is room.
import { WORDS } from './words.js';

const TAGS = ['zh-CN', 'en'];
const KEPT = 'wechat-sim-language';
const wished = new URLSearchParams(location.search).get('lang') || localStorage.getItem(KEPT) || navigator.language;
let leads = /^zh/i.test(wished) ? 0 : 1;

const pair = (key, values) => WORDS[key].map(text => text.replace(/\{(\w+)\}/g, (_, name) => values[name]));

/** The language of a text that somebody wrote, as far as it shows. */
export const tongue = text => (/[\u3400-\u9fff]/.test(text) ? TAGS[0] : TAGS[1]);

/** What an element does when the page turns to the other language, each thing by its name. */
function turning(element, name, turn) {
  element.turns = { ...element.turns, [name]: turn };
  element.toggleAttribute('data-turns', true);
  turn();
  return element;
}

/** Says something in an element, in both languages; `alone`, in the leading one only. */
export function say(element, key, values = {}, alone = false) {
  const both = pair(key, values);
  return turning(element, 'text', () => {
    const other = document.createElement('small');
    other.lang = TAGS[1 - leads];
    other.textContent = both[1 - leads];
    element.lang = TAGS[leads];
    element.replaceChildren(both[leads], ...(alone ? [] : [' ', other]));
  });
}

/** The same as an element of its own. */
export const said = (key, values, tag = 'span') => say(document.createElement(tag), key, values);
export const saidAlone = (key, values, tag = 'span') => say(document.createElement(tag), key, values, true);

/** Gives an element an attribute in the leading language: its name for ears, if not told otherwise. */
export function named(element, key, values = {}, attribute = 'aria-label') {
  const both = pair(key, values);
  return turning(element, attribute, () => element.setAttribute(attribute, both[leads]));
}

function turn() {
  document.documentElement.lang = TAGS[leads];
  document.title = [leads, 1 - leads].map(place => WORDS.title[place]).join(' · ');
  for (const element of document.querySelectorAll('[data-turns]')) Object.values(element.turns).forEach(turn => turn());
  const button = document.getElementById('language');
  button.lang = TAGS[1 - leads];
  button.textContent = WORDS['language.other'][1 - leads];
}

/** Puts the page's own words in, and lets its button turn them over. */
export function begin() {
  for (const element of document.querySelectorAll('[data-word]')) say(element, element.dataset.word);
  for (const element of document.querySelectorAll('[data-label]')) named(element, element.dataset.label);
  turn();
  document.getElementById('language').addEventListener('click', () => {
    leads = 1 - leads;
    localStorage.setItem(KEPT, TAGS[leads]);
    turn();
  });
}
