// Section of the keys that sign logins to other sites: their ages, the next change, and revocation.
/** @import { SectionContext } from '../../shared/types' */
import './signing-keys-words.js';
import { serverNow } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { textElement } from '../../shared/language.js';
import { formatDateTime } from '../../shared/format.js';
import { confirmButton, statusLine } from './access.js';

const KEYS = '/api/v1/signing-keys';
const DAY_MS = 86400000;

/**
 * Key, as the server shows it.
 * @typedef {object} SigningKey
 * @property {string} id
 * @property {number} made_at
 * @property {boolean} active
 * @property {number} signs_from
 * @property {number} signs_until
 * @property {boolean} has_successor
 */

/** @param {SigningKey} key */
function stateOf({ active, signs_from: from }) {
  if (active) return textElement('signing.active', {}, 'strong');
  return from > serverNow()
    ? textElement('signing.next', { time: formatDateTime(from) })
    : textElement('signing.former');
}

/** @param {SectionContext} _context */
export function section(_context) {
  const { line, showStatus, request } = statusLine();
  const list = createElement('ul', { class: 'rows', id: 'signing-keys' });

  /** @param {SigningKey} key */
  function row(key) {
    const count = Math.max(0, Math.floor((serverNow() - key.made_at) / DAY_MS));
    const end = key.has_successor ? 'signing.replaced' : 'signing.until';
    const name = createElement('code', { translate: 'no' }, key.id);
    return createElement(
      'li',
      { class: 'one' },
      createElement(
        'span',
        {},
        name,
        ' · ',
        stateOf(key),
        createElement('br'),
        createElement(
          'small',
          { class: 'soft' },
          textElement('signing.made', { time: formatDateTime(key.made_at), count }),
          ' · ',
          textElement(end, { time: formatDateTime(key.signs_until) }),
        ),
      ),
      confirmButton('signing.revoke', 'signing.revoke.sure', key.id, async () => {
        await request(`${KEYS}/${encodeURIComponent(key.id)}`, { method: 'DELETE' });
        show(await request(KEYS));
        showStatus('done', name.cloneNode(true), ' ', textElement('signing.revoked'));
      }),
    );
  }

  /** @param {SigningKey[]} keys */
  function show(keys) {
    const rows = keys.map(row).reverse(); // the newest first
    list.replaceChildren(
      ...(rows.length ? rows : [createElement('li', {}, textElement('signing.none'))]),
    );
  }

  const rotation = confirmButton('signing.rotate', 'signing.rotate.sure', '', async () => {
    const before = await request(KEYS);
    const after = await request(KEYS, { method: 'POST' });
    show(after);
    const known = new Set(before.map(key => key.id));
    const isNew = after.some(key => !known.has(key.id));
    showStatus('done', textElement(isNew ? 'signing.rotated' : 'signing.waiting'));
  });
  rotation.id = 'rotate';
  const start = async () => show(await request(KEYS));
  start().catch(() => {});
  return [
    line,
    createElement('div', { class: 'card' }, list),
    createElement(
      'div',
      { class: 'card' },
      textElement('signing.rotate', {}, 'h3'),
      textElement('signing.rotate.lead', {}, 'p'),
      createElement('div', { class: 'adding' }, rotation),
    ),
    createElement(
      'div',
      { class: 'card' },
      textElement('signing.revoke.title', {}, 'h3'),
      textElement('signing.revoke.lead', {}, 'p'),
    ),
  ];
}
