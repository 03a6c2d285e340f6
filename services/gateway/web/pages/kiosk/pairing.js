// Pairing of a kiosk: shows a code, which a manager enters on the manager's page.
import './pairing-words.js';
import { clockOffset, fetchJson, siteId } from '../../shared/http.js';
import { byId, createElement } from '../../shared/dom.js';
import { setTextPair, textElement } from '../../shared/language.js';

const POLL_INTERVAL_MS = 3000;
const RENEW_BEFORE_EXPIRY_MS = 30000; // nobody begins to enter a code that is about to end

document.head.append(
  createElement('link', { rel: 'stylesheet', href: new URL('pairing.css', import.meta.url).href }),
);

const sitePath = `/api/v1/sites/${encodeURIComponent(siteId)}`;
const pause = () => new Promise(resolve => setTimeout(resolve, POLL_INTERVAL_MS));

/** @param {string} code */
function showCode(code) {
  byId('pair').replaceChildren(
    textElement('pair.title', {}, 'h2'),
    textElement('pair.staff', {}, 'p'),
    createElement(
      'p',
      { class: 'pair-code', translate: 'no' },
      `${code.slice(0, 4)} ${code.slice(4)}`,
    ),
    createElement('p', { class: 'soft' }, textElement('pair.customers')),
  );
}

/**
 * Waits until a manager has paired this kiosk. Resolves to whether it had to be shown.
 * @param {() => void} show shows the section of the code
 */
export async function untilPaired(show) {
  let expiresAt = 0;
  for (;;) {
    try {
      const { paired } = await fetchJson(`${sitePath}/kiosk`);
      if (paired) return expiresAt > 0;
      if (Date.now() > expiresAt - RENEW_BEFORE_EXPIRY_MS) {
        const made = await fetchJson(`${sitePath}/kiosk-pairings`, { method: 'POST' });
        expiresAt = made.expires_at + clockOffset;
        showCode(made.code);
        show();
      }
    } catch (error) {
      // A code that is shown still works; without one, the reason is.
      if (Date.now() > expiresAt) {
        byId('pair').replaceChildren(
          textElement('pair.title', {}, 'h2'),
          setTextPair(createElement('p', { role: 'alert' }), error.texts),
          createElement('p', { class: 'soft' }, textElement('pair.customers')),
        );
        expiresAt = 1;
        show();
      }
    }
    await pause();
  }
}
