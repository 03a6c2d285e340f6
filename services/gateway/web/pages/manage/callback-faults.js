// Card of the callbacks of an account that were not acted on lately, with what to do about each cause.
/** @import { SectionContext } from '../../shared/types' */
import './callback-faults-words.js';
import { createElement } from '../../shared/dom.js';
import { formatDateTime } from '../../shared/format.js';
import { setText, setTextPair, textElement } from '../../shared/language.js';
import { actionButton, statusLine } from './access.js';

/** @param {number} at */
const timeElement = at =>
  createElement('time', { datetime: new Date(at).toISOString() }, formatDateTime(at));

const faultRow = ({ code, count, since, last_at: last, ...texts }) =>
  createElement(
    'li',
    { 'data-code': code },
    createElement(
      'strong',
      {},
      setTextPair(createElement('span'), [texts.title, texts.title_en]),
      createElement('b', {}, ` × ${count}`),
    ),
    createElement(
      'span',
      { class: 'soft' },
      textElement('manage.faults.last'),
      ' ',
      timeElement(last),
      count > 1 && [' · ', textElement('manage.faults.since'), ' ', timeElement(since)],
    ),
    setTextPair(createElement('p'), [texts.advice, texts.advice_en]),
  );

/**
 * Creates the card of an account, and loads what is in it.
 * @param {string} account
 */
export function callbackFaultsCard(account) {
  const { line, request } = statusLine();
  const lead = setText(createElement('p', { class: 'soft' }), 'manage.faults.lead');
  const list = createElement('ul', { class: 'rows faults' });
  const load = async () => {
    const path = `/api/v1/accounts/${encodeURIComponent(account)}/callback-faults`;
    const { faults, complete } = await request(path);
    line.replaceChildren();
    setText(lead, complete ? 'manage.faults.lead' : 'manage.faults.partial');
    list.replaceChildren(
      ...(faults.length
        ? faults.map(faultRow)
        : [setText(createElement('li'), 'manage.faults.none')]),
    );
  };
  // The status line says why it failed.
  load().catch(() => {});
  return createElement(
    'div',
    { class: 'card', id: 'callback-faults' },
    createElement(
      'div',
      { class: 'name' },
      setText(createElement('h3'), 'manage.faults'),
      actionButton('manage.faults.again', load),
    ),
    lead,
    list,
    line,
  );
}
