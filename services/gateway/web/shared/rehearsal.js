// Strip on every page that says that a rehearsal is under way. It is loaded when there is one.
import './rehearsal-words.js';
import { createElement } from './dom.js';
import { setText } from './language.js';

/** @type {HTMLElement | null} */
let strip = null;

/**
 * Shows the strip, or removes it.
 * @param {boolean} isUnderWay
 */
export function showRehearsal(isUnderWay) {
  strip?.remove();
  strip = null;
  if (!isUnderWay) return;
  if (!document.querySelector('link[href*="rehearsal.css"]')) {
    document.head.append(
      createElement('link', { rel: 'stylesheet', href: '/assets/shared/rehearsal.css' }),
    );
  }
  strip = createElement('aside', { class: 'rehearsal' });
  strip.append(setText(createElement('span'), 'rehearsal.strip'));
  document.body.prepend(strip);
}
