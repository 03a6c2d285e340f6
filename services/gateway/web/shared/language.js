// Two languages: the one that leads, and the other beside it in small letters. Every text knows both,
// so that the switch turns a page over where it stands.
import { WORDS } from './words.js';

const KEPT = 'paihao.language';
const TAGS = ['zh-CN', 'en'];

/** The languages that a browser may be told to lead with, and the place of each in a pair. */
const placeOf = tag => (/^zh/i.test(tag || '') ? 0 : 1);

/** A kiosk is used by many: what one of them chose is not kept for the next. */
const shared = document.body.classList.contains('kiosk');

function kept() {
  try {
    return shared ? null : localStorage.getItem(KEPT);
  } catch {
    return null; // a browser that keeps nothing
  }
}

const atFirst = placeOf(new URLSearchParams(location.search).get('lang') || kept() || navigator.language || 'zh');
let leads = -1;

/** Whether there are words for a key. */
export const has = key => key in WORDS;

/** Both texts of a key, Chinese first, filled in. */
export function pair(key, values = {}) {
  const texts = WORDS[key];
  if (!texts) throw new Error(`no words for ${key}`);
  return texts.map(text => text.replace(/\{(\w+)\}/g, (_, name) => values[name]));
}

/** The text of a key in the language that leads. */
export const word = (key, values) => pair(key, values)[leads];

function fill(element) {
  const { zh, en } = element.dataset;
  const texts = [zh, en];
  const other = document.createElement('small');
  other.lang = TAGS[1 - leads];
  other.textContent = texts[1 - leads];
  const both = other.textContent && other.textContent !== texts[leads];
  element.replaceChildren(texts[leads], ...(both ? [' ', other] : []));
}

/** Puts a pair of texts into an element, the leading one first. */
export function put(element, [zh, en]) {
  // What is said again is not drawn again: a screen reader would read it again.
  if (element.dataset.zh === zh && element.dataset.en === en) return element;
  Object.assign(element.dataset, { zh, en });
  fill(element);
  return element;
}

/** Puts a key's words into an element. */
export const say = (element, key, values) => put(element, pair(key, values));

/** Words as an element of their own. */
export const said = (key, values, tag = 'span') => say(document.createElement(tag), key, values);

/** The language of a name that somebody gave, if it can be seen. */
export const tongue = name => (/[\u3400-\u9fff]/.test(name) ? 'zh-CN' : null);

/** Puts a name that somebody gave into an element. */
export function putName(element, name) {
  if (element.textContent !== name) element.textContent = name;
  const language = tongue(name);
  if (language) element.lang = language;
}

const LABELS = { label: 'aria-label', alt: 'alt', title: 'title' };
const switched = [];

/** Calls at every switch, for what is not an element's text. */
export const onSwitch = listener => switched.push(listener);

function lead(place) {
  if (leads === place) return;
  leads = place;
  document.documentElement.lang = TAGS[place];
  for (const element of document.querySelectorAll('[data-zh]')) fill(element);
  for (const [name, attribute] of Object.entries(LABELS)) {
    for (const element of document.querySelectorAll(`[data-${name}]`)) element.setAttribute(attribute, word(element.dataset[name]));
  }
  const button = document.getElementById('language');
  if (button) {
    button.lang = TAGS[1 - place];
    button.textContent = pair('language.other')[1 - place];
    button.hidden = false;
  }
  switched.forEach(listener => listener());
}

/** Back to the language that the page began with. */
export const leadAsAtFirst = () => lead(atFirst);

leads = atFirst;
for (const element of document.querySelectorAll('[data-word]')) say(element, element.dataset.word);
leads = -1;
lead(atFirst);
document.getElementById('language')?.addEventListener('click', () => {
  lead(1 - leads);
  try {
    if (!shared) localStorage.setItem(KEPT, TAGS[leads]);
  } catch { /* a browser that keeps nothing */ }
});
