// Dialog that lets a person who has taken as many numbers as one may take more today.
/** @import { ConsoleContext } from './console.js' */
import './limit-words.js';
import { openDialog } from '../../shared/dialog.js';
import { textElement, translations } from '../../shared/language.js';
import { normalizeNumber } from './numbers.js';

/** @param {ConsoleContext} context */
export async function liftLimit(context) {
  const input = await openDialog({
    title: translations('console.limit'),
    body: [textElement('console.limit.how', {}, 'p')],
    fields: [{ kind: 'text', name: 'number', label: translations('console.limit.number') }],
    confirm: translations('console.limit'),
    validate: ({ number }) =>
      normalizeNumber(number || '') ? null : translations('console.limit.wanted'),
  });
  if (!input) return;
  const number = encodeURIComponent(normalizeNumber(input.number));
  await context.runCommand('limit', `tickets/${number}/lift-limit`);
}
