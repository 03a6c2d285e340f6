// Section of kiosks: paired by the code that they show, and unpaired.
/** @import { SectionContext } from '../../shared/types' */
import './kiosks-words.js';
import { createElement } from '../../shared/dom.js';
import { translations, textElement } from '../../shared/language.js';
import { formatDateTime, toAsciiDigits } from '../../shared/format.js';
import { checkboxField, field } from './fields.js';
import { statusLine, actionButton, confirmButton, describeLastUse, nameElement } from './access.js';

/** Names in the order in which people count. */
const byName = new Intl.Collator('zh', { numeric: true });

/**
 * Paired kiosk.
 * @typedef {object} Kiosk
 * @property {string} id
 * @property {string} name
 * @property {string} paired_by
 * @property {number} paired_at
 * @property {number | null} last_used_at
 * @property {string | null} last_used_from
 */

/** @param {SectionContext} context */
export function section({ id, draft, changed }) {
  const { line, showStatus, request } = statusLine();
  const path = `/api/v1/sites/${encodeURIComponent(id)}/kiosks`;
  const list = createElement('ul', { class: 'rows', id: 'kiosks' });

  async function render() {
    const [kiosks, { members }] = await Promise.all([request(path), request('/api/v1/staff')]);
    kiosks.sort((left, right) => byName.compare(left.name, right.name));
    list.replaceChildren(
      ...(kiosks.length
        ? kiosks.map(kiosk => row(kiosk, members))
        : [createElement('li', {}, textElement('kiosks.none'))]),
    );
  }

  /**
   * @param {Kiosk} kiosk
   * @param {{ id: string, name: string }[]} members
   */
  function row(kiosk, members) {
    const maker = members.find(member => member.id === kiosk.paired_by);
    const by = maker ? maker.name : kiosk.paired_by;
    return createElement(
      'li',
      { class: 'one' },
      createElement(
        'span',
        {},
        nameElement(kiosk.name),
        createElement('br'),
        createElement(
          'small',
          { class: 'soft' },
          textElement('kiosks.paired', { by, time: formatDateTime(kiosk.paired_at) }),
          ' · ',
          describeLastUse(kiosk, kiosk.paired_at),
        ),
      ),
      confirmButton('kiosks.unpair', 'kiosks.unpair.sure', kiosk.name, async () => {
        await request(`${path}/${encodeURIComponent(kiosk.id)}`, { method: 'DELETE' });
        showStatus('done', nameElement(kiosk.name), ' ', textElement('kiosks.unpaired'));
        await render();
      }),
    );
  }

  const code = createElement('input', {
    id: 'pairing-code',
    maxlength: 12,
    inputmode: 'numeric',
    autocomplete: 'off',
    required: true,
  });
  const name = createElement('input', { maxlength: 40, autocomplete: 'off', required: true });
  const pairButton = actionButton(
    'kiosks.pair',
    async () => {
      if (!code.reportValidity() || !name.reportValidity()) return;
      const kiosk = await request(path, {
        method: 'POST',
        body: { code: toAsciiDigits(code.value), name: name.value.trim() },
      });
      code.value = '';
      name.value = '';
      showStatus('done', nameElement(kiosk.name), ' ', textElement('kiosks.done'));
      await render();
    },
    'primary',
  );
  const address = `${location.origin}/kiosk/${encodeURIComponent(id)}?pair`;
  const form = createElement(
    'div',
    { class: 'card', id: 'pairing' },
    textElement('kiosks.new', {}, 'h3'),
    createElement(
      'p',
      {},
      textElement('kiosks.open'),
      ' ',
      createElement('a', { href: address, class: 'page-url', translate: 'no' }, address),
    ),
    createElement(
      'div',
      { class: 'fields' },
      field('pairing.code', translations('kiosks.code'), code),
      field('pairing.name', translations('kiosks.name'), name),
    ),
    createElement('div', { class: 'adding' }, pairButton),
  );
  const only = checkboxField(translations('kiosks.only'), draft.paired_kiosks_only || false, on => {
    if (on) draft.paired_kiosks_only = true;
    else delete draft.paired_kiosks_only;
    changed();
  });
  render().catch(() => {});
  return [
    line,
    // Of twenty kiosks the list is long.
    form,
    createElement('div', { class: 'card' }, list),
    createElement('div', { class: 'card' }, only),
  ];
}
