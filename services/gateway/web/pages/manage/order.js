// Order of queues and counters: as the owner placed them, then by the id as people count.
import { createElement } from '../../shared/dom.js';
import { textElement, translation } from '../../shared/language.js';

const byId = new Intl.Collator('en', { numeric: true });

/**
 * Entries in the order in which every list shows them, as the server has it.
 * @param {Record<string, any>} record
 * @returns {[string, any][]}
 */
export const entriesOf = record =>
  Object.entries(record).sort(
    ([leftId, left], [rightId, right]) =>
      (left.order ?? Infinity) - (right.order ?? Infinity) || byId.compare(leftId, rightId),
  );

/**
 * Adds entries behind the others. Every entry gets its place if the ids say another order.
 * @param {Record<string, any>} record
 * @param {[id: string, value: any][]} added
 */
export function appendEntries(record, added) {
  const ids = [...entriesOf(record).map(([id]) => id), ...added.map(([id]) => id)];
  for (const [id, value] of added) record[id] = value;
  if (entriesOf(record).every(([id], place) => id === ids[place])) return;
  ids.forEach((id, place) => {
    record[id].order = place + 1;
  });
}

/**
 * Buttons that move an entry up and down. Every entry gets its place with the first move.
 * @param {Record<string, any>} record
 * @param {string} id
 * @param {() => void} redraw
 */
export function moveButtons(record, id, redraw) {
  const ids = entriesOf(record).map(([other]) => other);
  const index = ids.indexOf(id);
  const move = step => {
    [ids[index], ids[index + step]] = [ids[index + step], ids[index]];
    ids.forEach((other, place) => {
      record[other].order = place + 1;
    });
    redraw();
  };
  return createElement(
    'span',
    { class: 'move' },
    Object.entries({ 'manage.up': -1, 'manage.down': 1 }).map(([key, step]) => {
      const button = textElement(key, {}, 'button');
      Object.assign(button, { type: 'button', className: 'ghost', disabled: !ids[index + step] });
      button.setAttribute('aria-label', `${translation(key)} ${record[id].name}`);
      button.addEventListener('click', () => move(step));
      return button;
    }),
  );
}
