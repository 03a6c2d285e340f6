// Card of former members, keys and kiosks whose names are kept for their time, or erased at once.
import './former-staff-words.js';
import { createElement } from '../../shared/dom.js';
import { textElement } from '../../shared/language.js';
import { formatDateTime } from '../../shared/format.js';
import { confirmButton, nameElement } from './access.js';

const FORMER = '/api/v1/former-staff';

/**
 * Former member of staff, key or kiosk.
 * @typedef {object} Former
 * @property {string} id
 * @property {'member' | 'key' | 'kiosk'} kind
 * @property {string} name
 * @property {number} left_at
 * @property {number | null} erased_at
 */

/**
 * Creates the card, and the function that renders it. It is hidden while nobody has left.
 * @param {any} request
 * @param {any} showStatus
 */
export function formerStaffCard(request, showStatus) {
  const list = createElement('ul', { class: 'rows', id: 'former' });
  const card = createElement(
    'details',
    { class: 'card', hidden: true },
    textElement('former.title', {}, 'summary'),
    textElement('former.lead', {}, 'p'),
    list,
  );

  /** @param {Former} former */
  const row = ({ id, kind, name, left_at: leftAt, erased_at: erasedAt }) =>
    createElement(
      'li',
      { class: 'one' },
      createElement(
        'span',
        {},
        nameElement(name),
        ' · ',
        textElement(`former.${kind}`),
        ' ',
        createElement('code', { translate: 'no' }, id),
        createElement('br'),
        createElement(
          'small',
          { class: 'soft' },
          textElement('former.left', { time: formatDateTime(leftAt) }),
          ...(erasedAt === null
            ? []
            : [' · ', textElement('former.erased', { time: formatDateTime(erasedAt) })]),
        ),
      ),
      confirmButton('former.erase', 'former.erase.sure', name, async () => {
        await request(`${FORMER}/${encodeURIComponent(id)}`, { method: 'DELETE' });
        showStatus(
          'done',
          createElement('code', { translate: 'no' }, id),
          ' ',
          textElement('former.done'),
        );
        await render();
      }),
    );

  async function render() {
    /** @type {Former[]} */
    const former = await request(FORMER);
    card.hidden = former.length === 0;
    list.replaceChildren(...former.map(row));
  }
  return { card, render };
}
