// What happened to a ticket so far: changes of its place, and the messages about it.
/** @import { TicketView } from '../../shared/types' */
import './history-words.js';
import { byId, createElement } from '../../shared/dom.js';
import { formatTime } from '../../shared/format.js';
import { textElement } from '../../shared/language.js';

/**
 * @param {number | undefined} moment
 * @param {...HTMLElement} rest
 */
function historyRow(moment, ...rest) {
  return createElement(
    'li',
    {},
    createElement('time', {}, moment ? formatTime(moment) : ''),
    ...rest,
  );
}

/**
 * Shows the changes of the place and the messages, the latest first.
 * @param {TicketView} view
 */
export function renderHistory(view) {
  const moves = view.moves.map(({ at: moment, cause, own: mine, more }) =>
    historyRow(
      moment,
      mine
        ? textElement(`ticket.own.${cause}`)
        : textElement(`ticket.move.${cause}`, { count: Math.abs(more) }),
    ),
  );
  byId('moves').replaceChildren(...moves.reverse());
  byId('moves-part').hidden = moves.length === 0;
  const notices = view.notices.map(({ at: moment, notice, fate, why }) => {
    const style =
      { delivered: ' told', sent: ' told', failed: ' not', not_delivered: ' not', unknown: ' not' }[
        fate
      ] || '';
    const refuses = fate === 'not_delivered' && why === 'refused';
    return historyRow(
      moment,
      textElement(`ticket.notice.${notice}`),
      createElement(
        'span',
        { class: `fate${style}` },
        refuses ? textElement('ticket.fate.refuses') : textElement(`ticket.fate.${fate}`),
      ),
    );
  });
  byId('notices').replaceChildren(...notices.reverse());
  byId('notices-part').hidden = notices.length === 0;
}
