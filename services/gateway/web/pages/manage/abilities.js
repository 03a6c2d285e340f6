// Card of what an account may do, asked of WeChat, with how to go on without each.
import './abilities-words.js';
import { createElement } from '../../shared/dom.js';
import { setText, textElement } from '../../shared/language.js';
import { actionButton, statusLine } from './access.js';

/**
 * Ability, as WeChat told it.
 * @typedef {object} AbilityView
 * @property {'codes' | 'templates' | 'menu' | 'customer_service'} ability
 * @property {boolean | null} may
 * @property {string} detail
 */

/** @param {AbilityView} view */
function abilityRow({ ability, may, detail }) {
  const [answer, state] =
    may === null ? ['unknown', 'unknown'] : may ? ['yes', 'good'] : ['no', 'bad'];
  return createElement(
    'li',
    { 'data-ability': ability },
    createElement(
      'p',
      {},
      createElement(
        'span',
        { class: 'light', 'data-state': state },
        textElement(`abilities.${ability}`),
        ' · ',
        textElement(`abilities.${answer}`, {}, 'b'),
      ),
    ),
    may !== null &&
      setText(createElement('p', { class: 'soft' }), `abilities.${ability}.${answer}`),
    detail && createElement('small', { class: 'soft', lang: 'en' }, detail),
  );
}

/**
 * Creates the card.
 * @param {string} account
 * @param {boolean} asksNow
 */
export function abilitiesCard(account, asksNow) {
  const { line, showStatus, request } = statusLine();
  const list = createElement('ul', { class: 'rows' });
  const ask = async () => {
    showStatus('waiting', textElement('abilities.asking'));
    /** @type {{ abilities: AbilityView[] }} */
    const { abilities } = await request(
      `/api/v1/accounts/${encodeURIComponent(account)}/abilities`,
    );
    list.replaceChildren(...abilities.map(abilityRow));
    setText(button, 'abilities.again');
    line.replaceChildren();
  };
  const button = actionButton('abilities.ask', ask);
  const doctor = textElement('abilities.doctor', {}, 'a');
  Object.assign(doctor, { href: '#doctor', className: 'button' });
  const card = createElement(
    'div',
    { class: 'card abilities', 'data-of': account },
    createElement('div', { class: 'name' }, textElement('abilities.title', {}, 'h3'), button),
    list,
    createElement('p', {}, doctor),
    line,
  );
  // The status line says why it failed.
  if (asksNow) ask().catch(() => {});
  return card;
}
