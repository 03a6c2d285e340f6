// Parts that the sections of staff, API keys and webhooks share: scopes of access, requests with a
// status line, buttons.
/** @import { Child } from '../../shared/types' */

/**
 * Scope of access: all sites or some, all counters of them or some.
 * @typedef {{ sites: string[] | null, counters: string[] }} Scope
 */

import './access-words.js';
import { fetchJson, serverNow } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { formatDateTime } from '../../shared/format.js';
import { translations, setTextPair, textElement, languageOf } from '../../shared/language.js';
import { isAccessError, handleAccessError, authHeaders } from '../../shared/credentials.js';
import { selectField, checkboxField, sameInBoth } from './fields.js';
import { entriesOf } from './order.js';

const CONFIRM_TIMEOUT_MS = 5000; // for the second press of a button
const USES_KEPT_MS = 30 * 86400000; // uses of keys and kiosks are known for so long

/** Creates a status line, and the function for requests that reports failures there. */
export function statusLine() {
  const line = createElement('p', { class: 'told', role: 'status' });
  /**
   * @param {string} kind class of its look
   * @param {...(Node | string)} what
   */
  const showStatus = (kind, ...what) => {
    line.className = `told ${kind}`;
    line.replaceChildren(...what);
  };
  /**
   * Sends a request and shows its failure; a person without access is sent to log in.
   * @param {string} path
   * @param {{ method?: string, body?: object, headers?: Record<string, string>, onResponse?: (response: Response) => void }} [options]
   */
  const request = async (path, { method, body, headers, onResponse } = {}) => {
    try {
      return await fetchJson(path, {
        method,
        headers: { ...authHeaders(), ...headers },
        body: body && JSON.stringify(body),
        onResponse,
      });
    } catch (error) {
      if (isAccessError(error)) handleAccessError(error);
      showStatus(
        'refused',
        setTextPair(createElement('strong'), error.texts),
        ' ',
        createElement('small', { lang: languageTag(error.detail || '') }, error.detail || ''),
      );
      throw error;
    }
  };
  return { line, showStatus, request };
}

/**
 * Button that runs a request; its failure is on the status line already.
 * @param {string} key
 * @param {() => Promise<unknown>} action
 */
export function actionButton(key, action, kind = 'ghost') {
  const element = textElement(key, {}, 'button');
  Object.assign(element, { type: 'button', className: kind });
  element.addEventListener('click', () =>
    action().catch(error => {
      if (!error.status && error.code !== 'offline') throw error;
    }),
  );
  return element;
}

/**
 * Button for what cannot be undone: it acts when it is pressed a second time.
 * @param {string} key
 * @param {string} confirmKey key of its text after the first press
 * @param {string} name
 * @param {() => Promise<unknown>} action
 */
export function confirmButton(key, confirmKey, name, action) {
  let timer = 0;
  const reset = () => {
    delete element.dataset.sure;
    setTextPair(element, translations(key));
  };
  const element = actionButton(
    key,
    async () => {
      clearTimeout(timer);
      if (element.dataset.sure) {
        reset();
        return action();
      }
      element.dataset.sure = 'yes';
      setTextPair(element, translations(confirmKey, { name }));
      timer = setTimeout(reset, CONFIRM_TIMEOUT_MS);
      return null;
    },
    'ghost remove',
  );
  return element;
}

/**
 * Fields that choose a scope: every site, this site, or some of its counters.
 * @param {object} options
 * @param {string} options.id the site
 * @param {any} options.draft its settings
 * @param {Scope} options.me the scope of the user, who can give no more
 * @param {Scope | null} [options.current]
 * @param {'manager' | 'program'} [options.whole] who it is for, in the texts
 */
export function scopeFields({ id, draft, me, current = null, whole = 'manager' }) {
  const selected = new Set(current?.counters || []);
  const counters = createElement(
    'div',
    { class: 'ticks' },
    entriesOf(draft.counters).map(([counter, { name }]) => {
      const box = checkboxField(sameInBoth(name), selected.has(counter), on =>
        on ? selected.add(counter) : selected.delete(counter),
      );
      box.querySelector('label').lang = languageTag(name);
      return box;
    }),
  );
  let level =
    current && current.counters.length === 0 ? (current.sites ? 'here' : 'everywhere') : 'counters';
  const show = value => {
    level = value;
    counters.hidden = level !== 'counters';
  };
  show(level);
  /** @type {[string, string[]][]} */
  const options = [
    ['counters', translations('access.counters')],
    ['here', translations(`access.is.${whole}.here`)],
  ];
  if (!me.sites) options.push(['everywhere', translations(`access.is.${whole}.everywhere`)]);
  const sites = current?.sites ? [...new Set([...current.sites, id])] : [id];
  return {
    fields: [selectField('scope', translations('access.may'), level, options, show), counters],
    kind: () => level,
    chosen: () => ({
      sites: level === 'everywhere' ? null : sites,
      counters: level === 'counters' ? [...selected] : [],
    }),
  };
}

/**
 * Language in which a name is read aloud.
 * @param {string} name
 */
export const languageTag = name => languageOf(name) || 'en';

/** @param {string} name */
export const nameElement = name =>
  createElement('strong', { lang: languageTag(name), translate: 'no' }, name);

/**
 * Describes a scope.
 * @param {Scope} scope
 * @param {any} draft the site's settings
 * @param {'manager' | 'program'} whole
 */
export function describeScope({ sites, counters }, draft, whole = 'manager') {
  if (counters.length === 0) {
    return [textElement(`access.is.${whole}.${sites ? 'here' : 'everywhere'}`)];
  }
  const names = counters.map(counter => draft.counters[counter]?.name || counter).join('、');
  return [
    textElement('access.at'),
    ' ',
    createElement('span', { lang: languageTag(names), translate: 'no' }, names),
  ];
}

/**
 * Tells when a key or a kiosk was used last, which is known for a month.
 * @param {{ last_used_at: number | null, last_used_from: string | null }} use
 * @param {number} since time at which it was made
 */
export function describeLastUse({ last_used_at: at, last_used_from: from }, since) {
  if (at !== null) return textElement('access.used', { time: formatDateTime(at), from });
  const isNew = serverNow() - since < USES_KEPT_MS;
  return textElement(isNew ? 'access.used.not-yet' : 'access.used.never');
}

/**
 * Predicate for scopes that include a site.
 * @param {string} id
 */
export const concernsSite = id => {
  /** @param {{ sites: string[] | null }} scope */
  const concerns = ({ sites }) => !sites || sites.includes(id);
  return concerns;
};
