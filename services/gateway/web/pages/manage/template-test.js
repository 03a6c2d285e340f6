// Card of the test of a template: a code, and what becomes of the message to whoever scans it.
import './templates-words.js';
import { createElement } from '../../shared/dom.js';
import { setText, textElement, translation } from '../../shared/language.js';
import { actionButton } from './access.js';

const LOOK_INTERVAL_MS = 1000; // while a scan or WeChat's receipt is waited for
const LAST_STEPS = ['delivered', 'undelivered', 'refused', 'expired'];

/**
 * @param {{ account: string, request: (path: string, options?: any) => Promise<any> }} page
 * @param {{ notice: string, kind: string, template_id: string, fields: Record<string, string> }} mapping
 */
export function testCard({ account, request }, mapping) {
  const path = `/api/v1/accounts/${encodeURIComponent(account)}/template-tests`;
  const shown = createElement('div', { class: 'template-test' });
  let timer = 0;

  /** @param {string} uuid */
  async function look(uuid) {
    if (!shown.isConnected) return;
    const { progress, words, advice } = await request(`${path}/${uuid}`);
    const state = shown.querySelector('[role=status]');
    if (!state || shown.dataset.test !== uuid) return;
    shown.dataset.progress = progress;
    state.replaceChildren(
      textElement(`templates.test.${progress}`),
      ...(words ? [createElement('br'), createElement('code', { lang: 'en' }, words)] : []),
      ...(advice ? [createElement('br'), createElement('small', { lang: 'en' }, advice)] : []),
    );
    const code = /** @type {HTMLElement | null} */ (shown.querySelector('figure'));
    if (code) code.hidden = progress !== 'waiting';
    if (LAST_STEPS.includes(progress)) return;
    timer = setTimeout(() => look(uuid).catch(() => {}), LOOK_INTERVAL_MS);
  }

  const begin = actionButton('templates.test', async () => {
    clearTimeout(timer);
    const { uuid, code, scan_link: link } = await request(path, { method: 'POST', body: mapping });
    shown.dataset.test = uuid;
    const picture = `data:image/svg+xml,${encodeURIComponent(code)}`;
    const image = createElement('img', {
      src: picture,
      width: 200,
      height: 200,
      alt: translation('templates.test.code'),
    });
    shown.replaceChildren(
      createElement(
        'figure',
        {},
        link
          ? createElement(
              'a',
              { href: link, target: '_blank', rel: 'noopener', 'aria-label': image.alt },
              image,
            )
          : image,
        setText(createElement('figcaption', {}), 'templates.test.scan'),
      ),
      createElement('p', { role: 'status' }, textElement('templates.test.waiting')),
    );
    await look(uuid);
  });
  begin.dataset.test = mapping.kind;
  return createElement('div', { class: 'adding' }, begin, shown);
}
