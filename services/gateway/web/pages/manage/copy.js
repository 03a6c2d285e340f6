// Value that is shown to be copied, with a button.
import { createElement } from '../../shared/dom.js';
import { setText } from '../../shared/language.js';
import { actionButton } from './access.js';
import { field } from './fields.js';

/**
 * Value with a button that copies it; one of several lines stands in a field of as many.
 * @param {string} name
 * @param {import('../../shared/types').Texts} label
 * @param {string} value
 */
export function copyField(name, label, value) {
  const lines = value.split('\n').length;
  const input = createElement(lines > 1 ? 'textarea' : 'input', {
    readonly: true,
    class: 'made',
    translate: 'no',
    autocomplete: 'off',
    spellcheck: 'false',
    ...(lines > 1 && { rows: lines }),
  });
  input.value = value;
  input.addEventListener('focus', () => input.select());
  const button = actionButton('accounts.copy', async () => {
    input.select();
    // Pages without https have no clipboard; there the text is selected.
    await navigator.clipboard?.writeText(value);
    setText(button, 'accounts.copied');
  });
  const element = field(name, label, input, { wide: true });
  element.append(button);
  return element;
}
