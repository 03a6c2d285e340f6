// Two languages: the leading one, and the other beside it in small letters. Every text knows both, so
// that a switch changes the page in place.
/** @import { Texts, Values } from './types' */
import { WORDS } from './words.js';

const STORAGE_KEY = 'paihao.language';
const TAGS = ['zh-CN', 'en'];

/**
 * Index of a language within a pair of texts.
 * @param {string} tag
 */
const indexOfTag = tag => (/^zh/i.test(tag) ? 0 : 1);

/** A kiosk is used by many: the choice of one is not stored for the next. */
const isKiosk = document.body.classList.contains('kiosk');

function storedTag() {
  try {
    return isKiosk ? null : localStorage.getItem(STORAGE_KEY);
  } catch {
    return null; // a browser without storage
  }
}

const initial = indexOfTag(
  new URLSearchParams(location.search).get('lang') || storedTag() || navigator.language || 'zh',
);
let leading = -1;

/** @param {string} key */
export const hasTranslation = key => key in WORDS;

/** `{name}`, or `{name:one|many}` for words that depend on whether the value is 1. */
const PLACEHOLDER = /\{(\w+)(?::([^|}]*)\|([^}]*))?\}/g;

/**
 * Both texts of a key, Chinese first, with each placeholder replaced by its value.
 * @param {string} key
 * @param {Values} values
 * @returns {Texts}
 */
export function translations(key, values = {}) {
  const texts = WORDS[key];
  if (!texts) throw new Error(`no words for ${key}`);
  const filled = texts.map(text =>
    text.replace(PLACEHOLDER, (_, name, one, many) => {
      const value = values[name] ?? '–';
      // Tests of the pages fail by it; a person reads the rest of the page.
      if (value === '–') console.error(`no ${name} for ${key}`);
      if (many === undefined) return String(value);
      return Number(value) === 1 ? one : many;
    }),
  );
  return /** @type {Texts} */ (filled);
}

/**
 * Text of a key in the leading language.
 * @param {string} key
 * @param {Values} [values]
 */
export const translation = (key, values) => translations(key, values)[leading];

/** @param {HTMLElement} element */
function renderTexts(element) {
  const texts = [element.dataset.zh || '', element.dataset.en || ''];
  const other = document.createElement('small');
  other.lang = TAGS[1 - leading];
  other.textContent = texts[1 - leading];
  const both = other.textContent && other.textContent !== texts[leading];
  element.replaceChildren(texts[leading], ...(both ? [' ', other] : []));
}

/**
 * Shows a pair of texts in an element, the leading one first.
 * @template {HTMLElement} E
 * @param {E} element
 * @param {Texts} texts
 * @returns {E}
 */
export function setTextPair(element, [zh, en]) {
  // An unchanged text is not rendered again: a screen reader would read it again.
  if (element.dataset.zh === zh && element.dataset.en === en) return element;
  Object.assign(element.dataset, { zh, en });
  renderTexts(element);
  return element;
}

/**
 * Shows the texts of a key in an element.
 * @template {HTMLElement} E
 * @param {E} element
 * @param {string} key
 * @param {Values} [values]
 * @returns {E}
 */
export const setText = (element, key, values) => setTextPair(element, translations(key, values));

/**
 * The texts of a key as an element of their own.
 * @template {keyof HTMLElementTagNameMap} [Tag='span']
 * @param {string} key
 * @param {Values} [values]
 * @param {Tag} [tag]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export const textElement = (key, values, tag = /** @type {Tag} */ ('span')) =>
  setText(document.createElement(tag), key, values);

/**
 * Language of a name that somebody gave, if its letters show it.
 * @param {string} name
 */
export const languageOf = name => (/[\u3400-\u9fff]/.test(name) ? 'zh-CN' : null);

/**
 * A name that somebody gave, in the leading language.
 * @param {string} name
 * @param {string | null} [nameEn] English name, if there is one
 */
export const localName = (name, nameEn) => (leading === 1 && nameEn) || name;

/** @param {HTMLElement} element with both names */
function renderName(element) {
  const name = localName(element.dataset.name || '', element.dataset.nameEn);
  if (element.textContent !== name) element.textContent = name;
  const language = languageOf(name);
  if (language) element.lang = language;
  else element.removeAttribute('lang');
}

/**
 * Shows a name that somebody gave; on English pages the English one.
 * @template {HTMLElement} E
 * @param {E} element
 * @param {string} name
 * @param {string | null} [nameEn]
 * @returns {E}
 */
export function setName(element, name, nameEn) {
  delete element.dataset.zh;
  Object.assign(element.dataset, { name, nameEn: nameEn || '' });
  renderName(element);
  return element;
}

/**
 * A name as an element of its own.
 * @template {keyof HTMLElementTagNameMap} [Tag='span']
 * @param {string} name
 * @param {string | null} [nameEn]
 * @param {Tag} [tag]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export const nameElement = (name, nameEn, tag = /** @type {Tag} */ ('span')) =>
  setName(document.createElement(tag), name, nameEn);

const LABEL_ATTRIBUTES = {
  label: 'aria-label',
  alt: 'alt',
  title: 'title',
  placeholder: 'placeholder',
};
/** @type {(() => void)[]} */
const listeners = [];

/**
 * Calls a function at every switch, for what is not an element's text.
 * @param {() => void} listener
 */
export const onLanguageChange = listener => listeners.push(listener);

/** @param {number} index */
function setLeading(index) {
  if (leading === index) return;
  leading = index;
  document.documentElement.lang = TAGS[index];
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll('[data-zh]')
  ))
    renderTexts(element);
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll('[data-name-en]')
  )) {
    const { name, nameEn } = element.dataset;
    // Something else may stand in its place by now.
    if ([name, nameEn].includes(element.textContent || '')) renderName(element);
  }
  for (const [name, attribute] of Object.entries(LABEL_ATTRIBUTES)) {
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (
      document.querySelectorAll(`[data-${name}]`)
    )) {
      element.setAttribute(attribute, translation(element.dataset[name] || ''));
    }
  }
  const button = document.getElementById('language');
  if (button) {
    button.lang = TAGS[1 - index];
    button.textContent = translations('language.other')[1 - index];
    button.hidden = false;
  }
  for (const listener of listeners) listener();
}

/** Returns to the language that the page began with. */
export const resetLanguage = () => setLeading(initial);

leading = initial;
for (const element of /** @type {NodeListOf<HTMLElement>} */ (
  document.querySelectorAll('[data-word]')
)) {
  setText(element, element.dataset.word || '');
}
leading = -1;
setLeading(initial);
document.getElementById('language')?.addEventListener('click', () => {
  setLeading(1 - leading);
  try {
    if (!isKiosk) localStorage.setItem(STORAGE_KEY, TAGS[leading]);
  } catch {
    /* a browser without storage */
  }
});
