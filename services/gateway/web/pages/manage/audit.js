// Section of the audit log: who changed what, when and from where, with filters and an export.
/** @import { SectionContext } from '../../shared/types' */
import './audit-words.js';
import { authHeaders } from '../../shared/credentials.js';
import { createElement } from '../../shared/dom.js';
import { formatDateTime } from '../../shared/format.js';
import { textElement, translations } from '../../shared/language.js';
import { actionButton, languageTag, nameElement, statusLine } from './access.js';
import { selectField } from './fields.js';

const AUDIT = '/api/v1/audit';
const KINDS = ['people', 'keys', 'sessions', 'settings', 'secrets'];

/**
 * Entry of the audit log.
 * @typedef {object} Entry
 * @property {string} id
 * @property {number} at
 * @property {string} kind
 * @property {string} event
 * @property {string} by
 * @property {string | null} by_name
 * @property {string | null} from
 * @property {string} target
 * @property {string | null} target_name
 * @property {string} detail
 */

/** @param {Entry} entry */
const entryRow = ({ at, event, by, by_name: byName, from, target, target_name: name, detail }) =>
  createElement(
    'li',
    { 'data-event': event },
    createElement(
      'p',
      {},
      createElement('time', { datetime: new Date(at).toISOString() }, formatDateTime(at)),
      ' · ',
      nameElement(byName || by),
      ' · ',
      textElement(`audit.event.${event}`),
      ...(target && target !== by ? [' ', nameElement(name || target)] : []),
    ),
    createElement(
      'small',
      { class: 'soft' },
      ...(from ? [textElement('audit.from', { from }), ' '] : []),
      ...(detail ? [createElement('span', { lang: languageTag(detail) }, detail)] : []),
    ),
  );

/** @param {SectionContext} _context */
export function section(_context) {
  const { line, showStatus, request } = statusLine();
  const list = createElement('ul', { class: 'rows', id: 'audit' });
  const filters = { kind: '', by: '' };
  /** @type {string | null} */
  let next = null;
  const query = more => {
    const given = Object.entries({ ...filters, ...more }).filter(([, value]) => value);
    return `${AUDIT}?${new URLSearchParams(given)}`;
  };
  const older = actionButton('audit.older', () => load(next));

  /** @param {string | null} after */
  async function load(after) {
    const page = await request(query({ limit: '50', after }));
    const rows = page.entries.map(entryRow);
    if (!after) list.replaceChildren();
    list.append(...rows);
    if (!list.childElementCount) list.append(createElement('li', {}, textElement('audit.none')));
    next = page.next;
    older.hidden = next === null;
  }

  const set = (name, value) => {
    filters[name] = value;
    load(null).catch(() => {});
  };
  /** @type {[string, string[]][]} */
  const kinds = [
    ['', translations('audit.kind.all')],
    ...KINDS.map(
      kind => /** @type {[string, string[]]} */ ([kind, translations(`audit.kind.${kind}`)]),
    ),
  ];
  const people = createElement('div');
  async function start() {
    await load(null);
    const { members } = await request('/api/v1/staff');
    /** @type {[string, string[]][]} */
    const authors = [
      ['', translations('audit.everybody')],
      ...members.map(({ id, name }) => [id, [name, name]]),
    ];
    people.replaceChildren(
      selectField('audit.by', translations('audit.by'), '', authors, value => set('by', value)),
    );
  }
  const exportButton = actionButton('audit.export', async () => {
    const response = await fetch(query({ format: 'csv' }), { headers: authHeaders() });
    if (!response.ok) {
      showStatus('refused', response.statusText);
      return;
    }
    const href = URL.createObjectURL(await response.blob());
    createElement('a', { href, download: 'audit.csv' }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60000);
  });
  start().catch(() => {});
  return [
    line,
    createElement(
      'div',
      { class: 'card' },
      selectField('audit.kind', translations('audit.kind'), '', kinds, value => set('kind', value)),
      people,
      createElement('div', { class: 'adding' }, exportButton),
    ),
    createElement('div', { class: 'card' }, list, createElement('div', { class: 'adding' }, older)),
  ];
}
