// Section of dead letters: messages that could not be delivered, with their reasons. They are sent again
// once the reason is mended, or dropped.
/** @import { SectionContext } from '../../shared/types' */
/** @import { Texts } from '../../shared/types' */
import './dead-letters-words.js';
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { formatDateTime } from '../../shared/format.js';
import { hasTranslation, setTextPair, setText, textElement } from '../../shared/language.js';

const POLL_INTERVAL_MS = 4000;
const DEAD_LETTERS_URL = '/api/v1/dead-letters';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** @param {number} seconds */
function ageElement(seconds) {
  if (seconds < HOUR) {
    return textElement('manage.letters.minutes', { count: Math.floor(seconds / MINUTE) });
  }
  return textElement('manage.letters.hours', { count: Math.floor(seconds / HOUR) });
}

/**
 * @param {string} key
 * @param {() => Promise<unknown>} action
 */
function actionButton(key, action, kind = 'ghost') {
  const button = textElement(key, {}, 'button');
  Object.assign(button, { type: 'button', className: kind });
  button.addEventListener('click', async () => {
    button.disabled = true;
    await action();
    button.disabled = false;
  });
  return button;
}

/**
 * The dead letters of the site in pages, and a button for all of each reason.
 * @param {SectionContext} context
 */
export function section({ id, withAuth }) {
  const list = createElement('ul', { class: 'rows letters' });
  const reasons = createElement('div', { class: 'reasons' });
  const statusLine = createElement('p', { role: 'status' });
  let before = null; // cursor of the next page
  let pages = 1;
  const more = actionButton('manage.letters.more', () => {
    pages += 1;
    return load();
  });

  /** @param {() => Promise<unknown>} action */
  const attemptAction = async action => {
    try {
      await action();
      setTextPair(statusLine, ['', '']);
    } catch (error) {
      setTextPair(statusLine, error.texts);
    }
    return load();
  };
  const resolve = (letter, action) =>
    attemptAction(() =>
      fetchJson(`${DEAD_LETTERS_URL}/${letter.id}/${action}`, withAuth({ method: 'POST' })),
    );
  const redriveAll = reason =>
    attemptAction(() =>
      fetchJson(
        `${DEAD_LETTERS_URL}/redrive`,
        withAuth({ method: 'POST', body: JSON.stringify({ reason, site: id }) }),
      ),
    );

  const letterRow = letter => {
    const kind = `manage.kind.${letter.kind}`;
    return createElement(
      'li',
      { 'data-letter': letter.id },
      createElement(
        'strong',
        {},
        letter.number ? `${letter.number} ` : '',
        hasTranslation(kind)
          ? textElement(kind)
          : createElement('code', {}, letter.kind || letter.origin),
      ),
      setTextPair(createElement('span', { class: 'why' }), [letter.zh, letter.en]),
      createElement(
        'span',
        { class: 'soft' },
        ageElement(letter.age),
        ' · ',
        textElement('manage.letters.attempts', { count: letter.attempts ?? 0 }),
        ' · ',
        createElement(
          'time',
          { datetime: new Date(letter.at).toISOString() },
          formatDateTime(letter.at),
        ),
      ),
      createElement('code', { lang: 'en' }, letter.met),
      letter.handled
        ? createElement(
            'span',
            { class: 'soft' },
            textElement(`manage.letters.${letter.handled.did}`, {
              by: letter.handled.by,
              time: formatDateTime(letter.handled.at),
            }),
          )
        : createElement(
            'div',
            { class: 'adding' },
            letter.redrivable &&
              actionButton('manage.letters.redrive', () => resolve(letter, 'redrive')),
            actionButton('manage.letters.drop', () => resolve(letter, 'drop'), 'ghost remove'),
          ),
    );
  };

  const load = async () => {
    try {
      const letters = [];
      let reasonRows = [];
      before = null;
      for (let page = 0; page < pages; page += 1) {
        const from = before === null ? '' : `&before=${before}`;
        const listed = await fetchJson(
          `${DEAD_LETTERS_URL}?handled=true&limit=50&site=${encodeURIComponent(id)}${from}`,
          withAuth({}),
        );
        letters.push(...listed.letters);
        reasonRows = listed.reasons;
        before = listed.next;
        if (before === null) break;
      }
      // Unchanged rows are not replaced, so that no button goes away under a finger.
      const fingerprint = JSON.stringify(
        letters.map(({ id: letter, handled }) => [letter, handled]),
      );
      if (list.dataset.shown !== fingerprint) {
        list.dataset.shown = fingerprint;
        list.replaceChildren(
          ...(letters.length
            ? letters.map(letterRow)
            : [setText(createElement('li'), 'manage.letters.none')]),
        );
        reasons.replaceChildren(
          ...reasonRows.map(({ reason, zh, en, waiting }) =>
            createElement(
              'div',
              { class: 'name' },
              createElement(
                'p',
                {},
                setTextPair(createElement('span'), [zh, en]),
                ' ',
                createElement('b', {}, `× ${waiting}`),
              ),
              actionButton('manage.letters.redrive.all', () => redriveAll(reason), 'primary'),
            ),
          ),
        );
      }
      more.hidden = before === null;
    } catch (error) {
      if (!error.texts) throw error;
      setTextPair(statusLine, error.texts);
    }
  };
  const poll = async () => {
    await load();
    if (list.isConnected || !list.dataset.shown) setTimeout(poll, POLL_INTERVAL_MS);
  };
  poll();
  return [createElement('div', { class: 'card' }, statusLine, reasons, list, more)];
}
