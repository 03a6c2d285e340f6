// Two languages: the leading one, and the other beside it, smaller, where there is room.
import { WORDS } from './words.js';

const TAGS = ['zh-CN', 'en'];
const STORAGE_KEY = 'wechat-sim-language';
const wantedLanguage =
  new URLSearchParams(location.search).get('lang') ||
  localStorage.getItem(STORAGE_KEY) ||
  navigator.language;
let leading = /^zh/i.test(wantedLanguage) ? 0 : 1;

/** Functions that render the texts of an element. */
const RENDERERS = new WeakMap();

const translations = (key, values) =>
  WORDS[key].map(text => text.replace(/\{(\w+)\}/g, (_, name) => values[name]));

/**
 * Language of a text that somebody wrote, as far as its letters show it.
 * @param {string} text
 */
export const languageOf = text => (/[\u3400-\u9fff]/.test(text) ? TAGS[0] : TAGS[1]);

/**
 * Renders a part of an element now and at every switch of the language.
 * @template {HTMLElement} E
 * @param {E} element
 * @param {string} name of the part
 * @param {() => void} render
 * @returns {E}
 */
function onLanguageChange(element, name, render) {
  const renderers = RENDERERS.get(element) || {};
  RENDERERS.set(element, { ...renderers, [name]: render });
  element.toggleAttribute('data-translated', true);
  render();
  return element;
}

/**
 * Shows a text in an element, in both languages; `alone`, in the leading one only.
 * @template {HTMLElement} E
 * @param {E} element
 * @param {string} key
 * @param {Record<string, unknown>} values
 * @returns {E}
 */
export function setText(element, key, values = {}, alone = false) {
  const both = translations(key, values);
  return onLanguageChange(element, 'text', () => {
    const other = document.createElement('small');
    other.lang = TAGS[1 - leading];
    other.textContent = both[1 - leading];
    element.lang = TAGS[leading];
    element.replaceChildren(both[leading], ...(alone ? [] : [' ', other]));
  });
}

/** A text in both languages as an element of its own. */
export const textElement = (key, values, tag = 'span') =>
  setText(document.createElement(tag), key, values);
/** A text in the leading language as an element of its own. */
export const leadingTextElement = (key, values, tag = 'span') =>
  setText(document.createElement(tag), key, values, true);

/**
 * Sets an attribute in the leading language: the accessible name, unless another is given.
 * @template {HTMLElement} E
 * @param {E} element
 * @param {string} key
 * @param {Record<string, unknown>} values
 * @returns {E}
 */
export function setLabel(element, key, values = {}, attribute = 'aria-label') {
  const both = translations(key, values);
  return onLanguageChange(element, attribute, () => element.setAttribute(attribute, both[leading]));
}

function renderPage() {
  document.documentElement.lang = TAGS[leading];
  document.title = [leading, 1 - leading].map(index => WORDS.title[index]).join(' · ');
  for (const element of document.querySelectorAll('[data-translated]')) {
    for (const render of Object.values(RENDERERS.get(element) || {})) render();
  }
  const button = document.getElementById('language');
  button.lang = TAGS[1 - leading];
  button.textContent = WORDS['language.other'][1 - leading];
}

/** @param {string} attribute */
const elementsWith = attribute =>
  /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[${attribute}]`));

/** Renders the page's own texts, and switches the language by its button. */
export function startLanguage() {
  for (const element of elementsWith('data-word')) {
    setText(element, element.dataset.word);
  }
  for (const element of elementsWith('data-label')) {
    setLabel(element, element.dataset.label);
  }
  renderPage();
  document.getElementById('language').addEventListener('click', () => {
    leading = 1 - leading;
    localStorage.setItem(STORAGE_KEY, TAGS[leading]);
    renderPage();
  });
}
