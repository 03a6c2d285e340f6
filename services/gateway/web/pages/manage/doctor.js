// Section of the doctor: what works, what will not, and what to do; and its light in the header.
/** @import { SectionContext, Texts } from '../../shared/types' */
import './doctor-words.js';
import { authHeaders } from '../../shared/credentials.js';
import { byId, createElement } from '../../shared/dom.js';
import { formatDateTime } from '../../shared/format.js';
import { fetchJson } from '../../shared/http.js';
import { setText, setTextPair, textElement } from '../../shared/language.js';
import { WORDS } from '../../shared/words.js';
import { actionButton, languageTag, nameElement, statusLine } from './access.js';

const EXAMINATION = '/api/v1/examination';
const RUNNING_POLL_MS = 2000;
const LIGHT_POLL_MS = 300000; // the server begins another after an hour
const LEVELS = ['bad', 'warning', 'ok'];

/**
 * Result of one check.
 * @typedef {object} Finding
 * @property {string} about
 * @property {string} code
 * @property {'ok' | 'warning' | 'bad'} level
 * @property {string} title
 * @property {string} title_en
 * @property {string} detail
 * @property {string} advice
 * @property {string} advice_en
 */

/**
 * Newest examination.
 * @typedef {object} Examination
 * @property {boolean} running
 * @property {number} [examined_at]
 * @property {string} [failure]
 * @property {Finding[]} findings
 */

/** @param {Examination} examination */
function worstLevel({ findings, failure }) {
  if (failure) return 'bad';
  return LEVELS.find(level => findings.some(finding => finding.level === level)) || 'ok';
}

/**
 * @param {Examination} examination
 * @param {string} level
 */
const countOf = ({ findings }, level) => findings.filter(found => found.level === level).length;

/** @param {string} about */
const aboutElement = about =>
  WORDS[`doctor.about.${about}`] ? textElement(`doctor.about.${about}`) : nameElement(about);

/** @param {Finding} finding */
const findingRow = ({ about, code, level, title, title_en, detail, advice, advice_en }) =>
  createElement(
    'li',
    { class: level, 'data-code': code },
    createElement(
      'p',
      {},
      textElement(`doctor.level.${level}`, {}, 'b'),
      ' · ',
      aboutElement(about),
      ' · ',
      setTextPair(createElement('strong'), [title, title_en]),
    ),
    advice && setTextPair(createElement('p'), [advice, advice_en]),
    detail && createElement('small', { class: 'soft', lang: languageTag(detail) }, detail),
  );

/** @param {Examination} examination */
function findingElements(examination) {
  const { findings, failure, examined_at: at } = examination;
  if (!at) return [];
  const level = worstLevel(examination);
  const rows = wanted => findings.filter(found => wanted(found.level)).map(findingRow);
  const fine = rows(found => found === 'ok');
  return [
    failure
      ? createElement(
          'p',
          { class: 'refused' },
          textElement('doctor.failed'),
          ' ',
          createElement('small', { lang: languageTag(failure) }, failure),
        )
      : textElement(`doctor.summary.${level}`, { count: countOf(examination, level) }, 'h3'),
    createElement(
      'ul',
      { class: 'rows findings' },
      rows(found => found === 'bad'),
      rows(found => found === 'warning'),
    ),
    fine.length > 0 &&
      createElement(
        'details',
        {},
        textElement('doctor.fine', { count: fine.length }, 'summary'),
        createElement('ul', { class: 'rows findings' }, fine),
      ),
  ].filter(Boolean);
}

/** @param {SectionContext} _context */
export function section(_context) {
  const { line, request } = statusLine();
  const state = createElement('p', { class: 'soft', role: 'status' });
  const place = createElement('div', { id: 'findings' });
  let timer = 0;

  /** @param {'GET' | 'POST'} method */
  async function load(method) {
    clearTimeout(timer);
    /** @type {Examination} */
    const examination = await request(EXAMINATION, { method });
    const { running, examined_at: at } = examination;
    if (running) setText(state, 'doctor.running');
    else setText(state, 'doctor.examined', { time: formatDateTime(at) });
    place.replaceChildren(...findingElements(examination));
    line.replaceChildren();
    renderLight(examination);
    if (running && (!place.parentElement || place.isConnected)) {
      timer = setTimeout(() => load('GET').catch(() => {}), RUNNING_POLL_MS);
    }
  }

  // The status line says why it failed.
  load('GET').catch(() => {});
  return [
    createElement(
      'div',
      { class: 'card' },
      createElement(
        'div',
        { class: 'name' },
        state,
        actionButton('doctor.again', () => load('POST')),
      ),
      place,
      line,
    ),
  ];
}

/** @param {Examination} examination */
function renderLight(examination) {
  const light = byId('light');
  if (!examination.examined_at) return;
  const level = worstLevel(examination);
  light.hidden = false;
  light.dataset.level = level;
  light.replaceChildren(
    textElement(`doctor.summary.${level}`, { count: countOf(examination, level) || 1 }),
  );
}

/** Shows in the header whether everything works, for whoever may read it. */
export async function watchLight() {
  /** @type {Examination} */
  const examination = await fetchJson(EXAMINATION, { headers: authHeaders() }).catch(() => null);
  if (examination) renderLight(examination);
  setTimeout(watchLight, examination?.running ? RUNNING_POLL_MS : LIGHT_POLL_MS);
}
