// Hints about a callback address that WeChat cannot use, before it is entered in WeChat's console.
import './address-hints-words.js';
import { createElement } from '../../shared/dom.js';
import { setText } from '../../shared/language.js';

const PUSHED_PORTS = ['', '80', '443'];
const PRIVATE_HOST =
  /^(localhost|[^.:]+|127\..*|10\..*|192\.168\..*|169\.254\..*|172\.(1[6-9]|2\d|3[01])\..*|\[::1\]|\[f[cd].*\])$/;

/**
 * Names of what is wrong with an address, the worst first.
 * @param {string} address
 */
function addressProblems(address) {
  const { protocol, hostname, port } = new URL(address);
  return [
    PRIVATE_HOST.test(hostname) && 'private',
    !PUSHED_PORTS.includes(port) && 'port',
    protocol !== 'https:' && 'http',
  ].filter(Boolean);
}

/**
 * Says what WeChat or browsers will not take about an address; nothing for one that is fine.
 * @param {string} address
 */
export function addressHints(address) {
  const problems = addressProblems(address);
  return (
    problems.length > 0 &&
    createElement(
      'ul',
      { class: 'rows hints' },
      problems.map(problem =>
        setText(createElement('li', { 'data-hint': problem }), `address.${problem}`),
      ),
    )
  );
}
